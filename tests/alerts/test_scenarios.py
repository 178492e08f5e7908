"""Scenario files, in the manner of promtool's rule tests: series in, rules, expected states."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.query.alert_events import event_facts
from contextframe_monitoring.store.snapshot import Snapshot
from tests.alerts.scene import MINUTE_US, Scene

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.toml"))


def play(scene: Scene, series: list[dict[str, Any]], minute: int) -> None:
    """Record what the series hold for a minute, in the middle of it."""
    at = scene.clock.now_us() - MINUTE_US // 2
    for one in series:
        for status in ("success", "error"):
            counts = one.get(status, [])
            place = minute % len(counts) if one.get("repeat") and counts else minute
            within = minute < len(counts) * one.get("repeat", 1)
            if within and counts[place]:
                scene.call(counts[place], agent=one["agent"], status=status, time_us=at)


def check(scene: Scene, expected: dict[str, Any], where: str) -> None:
    found: dict[str, str] = {}
    for alert in sorted(scene.alerts(), key=lambda a: a.created_us):
        found[" ".join([alert.rule, *alert.group.values()])] = alert.state
    assert found == expected["states"], where
    if "held_back" in expected:
        held = [a for a in scene.alerts("firing") if a.held_back_by is not None]
        assert [" ".join([a.rule, *a.group.values()]) for a in held] == expected["held_back"], where
    if "fired" in expected:
        state = scene.state
        facts = event_facts(Snapshot(scene.store), state.book.outbox(), 0, 1 << 62)
        counted = Counter(fact.rule for fact in facts if fact.action == "fired")
        assert counted == expected["fired"], where


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
@pytest.mark.requirement("alerts:scenarios")
def test_a_scenario(tmp_path: Path, file: Path) -> None:
    scenario = tomllib.loads(file.read_text(encoding="utf-8"))
    [(first, last)] = re.findall(r"(\d+)m\.\.(\d+)m", scenario["evaluate"])
    scene = Scene(tmp_path, *scenario["alert_rules"])
    expected = {one["at"]: one for one in scenario["expect"]}
    for minute in range(int(first), int(last)):
        scene.clock.pass_ms(60_000)
        play(scene, scenario["series"], minute)
        assert scene.tick() is None
        if minute in expected:
            check(scene, expected.pop(minute), f"{scenario['title']}: at minute {minute}")
    assert expected == {}
