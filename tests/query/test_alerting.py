"""What status says of the evaluation of alert rules."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contextframe_monitoring.core.status import AlertingStatus, StatusReport
from contextframe_monitoring.query.health import status_report
from tests.alerts.scene import Scene
from tests.clocks import NOW_US

COST = {"name": "HighCost", "signal": "cost", "threshold": 100, "window": "1h"}


def status(scene: Scene) -> StatusReport:
    return status_report(scene.store, scene.config, scene.clock.now_us())


@pytest.mark.requirement("alerts:evaluator:status")
def test_status_says_when_rules_were_evaluated_by_whom_and_what_fires(tmp_path: Path) -> None:
    scene = Scene(tmp_path, COST)
    scene.spend(150.0)
    scene.tick()
    found = status(scene)
    seconds, host = found.alerts.seconds, found.alerts.host
    assert found.alerts == AlertingStatus(
        evaluated_at="2026-11-18T11:06:40+00:00",
        host=host,
        pid=os.getpid(),
        seconds=seconds,
        rules=1,
        groups=1,
        problems={},
        active={"warning": 1},
    )
    assert NOW_US == 1_795_000_000_000_000
    assert [finding.problem for finding in found.findings] == []


@pytest.mark.requirement("alerts:evaluator:status")
def test_status_warns_when_nobody_evaluates(tmp_path: Path) -> None:
    scene = Scene(tmp_path, COST)
    scene.store.create()
    never = "alert rules were never evaluated: nobody does it"
    assert [finding.problem for finding in status(scene).findings] == [never]
    scene.tick()
    assert status(scene).findings == []
    scene.clock.pass_ms(200_000)
    late = "alert rules were last evaluated 200 s ago: nobody does it"
    assert [finding.problem for finding in status(scene).findings] == [late]


def test_status_does_not_ask_for_an_evaluator_where_only_the_defaults_are(tmp_path: Path) -> None:
    scene = Scene(tmp_path, alerts={"default_rules": True})
    scene.tick()
    scene.clock.pass_ms(200_000)
    assert status(scene).findings == []


def test_status_names_a_rule_with_a_problem(tmp_path: Path) -> None:
    scene = Scene(tmp_path, {**COST, "group_by": ["tier"]})
    scene.tick()
    [finding] = status(scene).findings
    assert finding.problem.startswith("alert rule HighCost: alert rule 'HighCost': group_by")
