"""Signals about the monitor itself, and about what tools put into a context."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextframe_monitoring.core.records import MetricRecord, Origin
from contextframe_monitoring.core.tool_context import DEFINITION_METRIC
from contextframe_monitoring.store.export_targets import TargetBook, TargetState
from tests.alerts.scene import Scene


@pytest.mark.requirement("export:targets:alertable")
def test_a_target_that_keeps_failing_fires_and_resolves_when_it_takes_again(
    tmp_path: Path,
) -> None:
    target = {"type": "file", "path": str(tmp_path / "out"), "subject": "cost"}
    rule = {"name": "Exports", "signal": "export_failures", "severity": "warning"}
    scene = Scene(tmp_path, rule, targets={"lake": target, "other": target})
    scene.tick()
    assert scene.standing() == {}
    book = TargetBook(scene.store.create())
    for name, failures in (("lake", 5), ("other", 4), ("gone", 9)):
        book.put(TargetState(name=name, type="file", failures=failures, last_error="refused"))
    scene.pass_minutes(1)
    assert scene.standing() == {"Exports lake": "firing"}
    [alert] = scene.alerts()
    assert (alert.group, alert.actual, alert.threshold) == ({"target": "lake"}, 5.0, 4.0)
    book.put(TargetState(name="lake", type="file"))
    scene.pass_minutes(1)
    assert scene.standing() == {"Exports lake": "resolved"}


@pytest.mark.requirement("cost:tools:growth")
def test_a_tool_whose_definition_grows_fires(tmp_path: Path) -> None:
    rule = {
        "name": "Growth",
        "signal": "definition_tokens",
        "threshold": 100,
        "severity": "warning",
        "group_by": ["server", "tool"],
    }
    scene = Scene(tmp_path, rule)

    def listed(**tools: int) -> None:
        scene.record(
            *(
                MetricRecord(
                    time_us=scene.clock.now_us(),
                    name=DEFINITION_METRIC,
                    value=float(tokens),
                    unit="tokens",
                    origin=Origin(server="files"),
                    attributes=(f"tool={name}",),
                )
                for name, tokens in tools.items()
            )
        )

    listed(read=50, write=60)
    scene.tick()
    assert scene.standing() == {}
    scene.pass_minutes(1)
    listed(read=400, write=70)
    scene.pass_minutes(1)
    [alert] = scene.alerts()
    assert (alert.group, alert.actual) == ({"server": "files", "tool": "read"}, 350.0)
