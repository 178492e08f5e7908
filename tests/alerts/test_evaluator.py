"""Rules over a real store: they fire, resolve, survive a restart, and harm each other never."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.rule_tables import rule_of
from tests.alerts.scene import ADA, MINUTE_US, Scene
from tests.clocks import NOW_US

COST = {"name": "HighCost", "signal": "cost", "threshold": 100, "window": "1h"}
ERRORS = {
    "name": "Errors", "signal": "error_rate", "threshold": 0.2, "window": "5m",
    "group_by": ["agent"],
}  # fmt: skip


@pytest.mark.requirement(
    "003:test:rule-evaluation",
    "003:alertmgr:cost-threshold",
    "003:alertmgr:trigger",
    "003:ok:alerts-by-rule",
)
@pytest.mark.requirement("alerts:life:record")
def test_ten_costs_above_the_threshold_raise_one_alert_that_says_it_all(tmp_path: Path) -> None:
    scene = Scene(tmp_path, {**COST, "annotations": {"summary": "spent {value}"}})
    for _ in range(10):
        scene.spend(15.0)
    scene.tick()
    [alert] = scene.alerts()
    assert alert == Alert(
        alert_id=alert.alert_id,
        rule="HighCost",
        signal="cost",
        severity="warning",
        state="firing",
        message="HighCost: cost of the last 1h is 150 USD, above 100 USD",
        details={"summary": "spent 150 USD"},
        unit="USD",
        threshold=100.0,
        actual=150.0,
        created_us=NOW_US,
        fired_us=NOW_US,
        changed_us=NOW_US,
        incident_id=alert.incident_id,
        revision=1,
    )


@pytest.mark.requirement("003:ok:dedup", "003:alertmgr:dedup")
def test_an_alert_that_stands_is_not_raised_again_and_resolves_by_itself(tmp_path: Path) -> None:
    scene = Scene(tmp_path, COST)
    scene.spend(150.0)
    scene.tick()
    for _ in range(5):
        scene.pass_minutes(1)
    assert scene.standing() == {"HighCost": "firing"}
    scene.pass_minutes(61)
    [alert] = scene.alerts()
    assert (alert.state, alert.resolved_by, alert.revision) == ("resolved", "rule", 2)


def test_each_group_has_an_alert_of_its_own(tmp_path: Path) -> None:
    scene = Scene(tmp_path, {**ERRORS, "for": "2m"})
    scene.call(5, agent="good")
    scene.call(5, agent="bad", status="error")
    scene.tick()
    assert scene.standing() == {"Errors bad": "pending"}
    scene.pass_minutes(1)
    scene.pass_minutes(1)
    assert scene.standing() == {"Errors bad": "firing"}


def test_what_did_not_last_leaves_no_trace(tmp_path: Path) -> None:
    scene = Scene(tmp_path, {**ERRORS, "for": "8m"})
    scene.call(5, agent="bad", status="error")
    scene.tick()
    scene.pass_minutes(6)
    assert (scene.alerts(), scene.state.book.memories()) == ([], {})


@pytest.mark.requirement("alerts:evaluator:restart")
def test_state_survives_a_restart_and_nothing_is_raised_twice(tmp_path: Path) -> None:
    scene = Scene(tmp_path, {**ERRORS, "for": "2m"})
    scene.call(5, agent="bad", status="error")
    scene.tick()
    scene.restart()
    scene.pass_minutes(1)
    scene.restart()
    scene.pass_minutes(1)
    [alert] = scene.alerts()
    scene.restart()
    scene.pass_minutes(1)
    assert scene.alerts() == [alert]
    assert (alert.state, alert.created_us, alert.fired_us) == (
        "firing", NOW_US, NOW_US + 2 * MINUTE_US,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"signal": "cost", "threshold": 1}, 30.0),
        ({"signal": "cost", "threshold": 1, "window": "today"}, 30.0),
        ({"signal": "cost_rate", "threshold": 1, "window": "30m"}, 60.0),
        ({"signal": "projected_cost", "threshold": 1, "window": "today"}, None),
        ({"signal": "unknown_cost_share", "threshold": 0.1}, 0.25),
        ({"signal": "budget_used", "threshold": 0.5}, 0.6),
        ({"signal": "error_rate", "threshold": 0.1}, 0.5),
        ({"signal": "error_rate", "threshold": 0.1, "status_codes": [500, 502]}, 0.3),
        ({"signal": "error_rate", "threshold": 0.1, "error_types": ["timeout"]}, 0.2),
        ({"signal": "error_count", "threshold": 1, "status_codes": [503]}, 2.0),
        ({"signal": "api_failures", "threshold": 1}, 5.0),
        ({"signal": "latency", "threshold": 1}, 4000.0),
        ({"signal": "latency", "threshold": 1, "statistic": "max"}, 4000.0),
        ({"signal": "latency", "threshold": 1, "statistic": "mean"}, 2005.0),
        ({"signal": "slow_count", "threshold": 1}, 5.0),
        ({"signal": "slow_count", "threshold": 1, "slower_than_ms": 5}, 10.0),
        ({"signal": "throughput", "threshold": 0.01}, 10 / 300),
        ({"signal": "usage_count", "threshold": 1}, 10.0),
        ({"signal": "usage_count", "threshold": 1, "filter": {"category": "llm"}}, 2.0),
        (
            {"signal": "category_share", "threshold": 0.1, "share_of": {"category": "llm"}},
            0.2,
        ),
        ({"signal": "no_data", "filter": {"tool": "never"}}, 0.0),
    ],
)
@pytest.mark.requirement(
    "003:alertmgr:error-rate", "003:alertmgr:response-time", "003:alertmgr:api-failure"
)
@pytest.mark.requirement("alerts:rules:signals")
def test_every_signal_has_the_value_that_the_reports_have(
    tmp_path: Path, rule: dict[str, Any], value: float | None
) -> None:
    from decimal import Decimal

    from contextframe_monitoring.core.budget_settings import BudgetSettings

    scene = Scene(tmp_path, {"name": "r", **rule}, budget=BudgetSettings(monthly_usd=Decimal(50)))
    for _ in range(3):
        scene.spend(10.0)
    scene.spend(0, amount_nano_usd=None)
    scene.call(5)
    scene.call(2, status="error", status_code=500, error_type="server", duration_ms=4000.0)
    scene.call(1, status="error", status_code=502, error_type="timeout", duration_ms=4000.0)
    scene.call(1, status="timeout", status_code=503, error_type="timeout", duration_ms=4000.0)
    scene.call(1, status="error", status_code=503, error_type="server", duration_ms=4000.0)
    scene.use(8, category="rule_based")
    scene.use(2, category="llm")
    scene.tick()
    [alert] = scene.alerts()
    assert alert.state == "firing"
    if value is not None:
        assert alert.actual == pytest.approx(value)


@pytest.mark.requirement("alerts:evaluator:isolation")
def test_a_failing_rule_harms_no_other_and_raises_its_own_alert(tmp_path: Path) -> None:
    scene = Scene(
        tmp_path, COST, {**COST, "name": "Broken", "group_by": ["tier"]}, alerts={
            "default_rules": True
        }
    )  # fmt: skip
    scene.spend(150.0)
    problem = scene.tick()
    assert problem is not None
    assert problem.startswith("Broken: alert rule 'Broken': group_by = 'tier' is not allowed")
    assert scene.standing() == {"HighCost": "firing", "monitoring_rule_problem Broken": "firing"}


def test_a_failing_rule_leaves_its_alerts_as_they_are(tmp_path: Path) -> None:
    scene = Scene(tmp_path, COST)
    scene.spend(150.0)
    scene.tick()
    broken = rule_of({**COST, "filter": {"tier": "gold"}})
    scene.state.rules.put([broken], NOW_US)
    scene.pass_minutes(1)
    assert scene.standing() == {"HighCost": "firing"}


@pytest.mark.requirement("000:alerts:critical-level", "000:alerts:warning-level")
@pytest.mark.requirement("alerts:rules:inhibit")
def test_a_critical_alert_holds_back_its_own_warning(tmp_path: Path) -> None:
    scene = Scene(
        tmp_path, COST, {**COST, "name": "VeryHighCost", "threshold": 200, "severity": "critical"}
    )
    scene.spend(150.0)
    scene.tick()
    scene.spend(100.0)
    scene.pass_minutes(1)
    alerts = {alert.rule: alert for alert in scene.alerts()}
    assert alerts["HighCost"].held_back_by == alerts["VeryHighCost"].alert_id
    assert alerts["VeryHighCost"].held_back_by is None


def test_of_very_many_groups_the_worst_are_alerts_and_it_is_said(tmp_path: Path) -> None:
    rule = {**ERRORS, "signal": "error_count", "threshold": 0}
    scene = Scene(tmp_path, rule, alerts={"groups_max": 3, "default_rules": True})
    for number in range(10):
        scene.call(number + 1, agent=f"agent-{number}", status="error")
    problem = scene.tick()
    assert problem == "Errors: 10 groups meet it: the worst 3 are alerts; group by less, or filter"
    assert scene.standing() == {
        "Errors agent-9": "firing",
        "Errors agent-8": "firing",
        "Errors agent-7": "firing",
        "monitoring_rule_problem Errors": "firing",
    }


@pytest.mark.requirement("001:alerts:correlation")
@pytest.mark.requirement("alerts:life:incidents")
def test_alerts_of_one_rule_over_many_groups_are_one_incident(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ERRORS)
    for name in ("a", "b", "c"):
        scene.call(2, agent=name, status="error")
    scene.tick()
    assert len({alert.incident_id for alert in scene.alerts()}) == 1
    [incident] = scene.desk.report().incidents
    assert (incident.count, incident.rules) == (3, ("Errors",))


def test_a_rule_that_is_gone_resolves_its_alerts(tmp_path: Path) -> None:
    scene = Scene(tmp_path, COST)
    scene.spend(150.0)
    scene.tick()
    scene.rules.enable("HighCost", False, ADA)
    scene.pass_minutes(1)
    assert scene.standing() == {"HighCost": "resolved"}
    assert scene.state.book.memories() == {}


@pytest.mark.requirement("alerts:rules:relative")
def test_previous_and_baseline_are_what_was_before(tmp_path: Path) -> None:
    scene = Scene(
        tmp_path,
        {**COST, "name": "Previous", "threshold": 0.5, "relative_to": "previous"},
        {**COST, "name": "Baseline", "threshold": 0.5, "relative_to": "baseline"},
    )
    scene.spend(10.0, time_us=NOW_US - 90 * MINUTE_US)
    scene.spend(20.0)
    scene.tick()
    bounds = {alert.rule: (alert.actual, alert.threshold) for alert in scene.alerts()}
    assert bounds["Previous"] == (20.0, 15.0)
    assert bounds["Baseline"] == (20.0, pytest.approx(10 / 168 * 1.5))


@pytest.mark.requirement("alerts:life:history")
def test_what_happened_stands_in_the_history_once(tmp_path: Path) -> None:
    from contextframe_monitoring.store.snapshot import Snapshot

    scene = Scene(tmp_path, COST)
    scene.spend(150.0)
    scene.tick()
    [alert] = scene.alerts()
    scene.desk.acknowledge(alert.alert_id, ADA, "looking")
    scene.pass_minutes(90)
    columns = ["alert_id", "revision", "action", "actor", "note", "state"]
    rows = [
        tuple(map(str, row.values()))
        for batch in Snapshot(scene.store).batches("alert_events", columns, None, None)
        for row in batch.to_pylist()
    ]
    assert rows == [
        (alert.alert_id, "1", "fired", "rule", "met", "firing"),
        (alert.alert_id, "2", "acknowledged", "ada", "looking", "firing"),
        (alert.alert_id, "3", "resolved", "rule", "over", "resolved"),
    ]
    assert scene.state.book.outbox() == []


def test_the_note_says_when_and_by_whom(tmp_path: Path) -> None:
    import os

    scene = Scene(tmp_path, COST, ERRORS)
    scene.tick()
    last = scene.state.evaluations.last()
    assert last is not None
    assert (last.at_us, last.pid, last.rules, last.groups, last.queries) == (
        NOW_US, os.getpid(), 2, 1, 2,
    )  # fmt: skip


def test_an_anomaly_is_found_in_what_was_recorded(tmp_path: Path) -> None:
    rule = {
        "name": "Odd", "signal": "anomaly", "series": "latency", "window": "1h",
        "group_by": ["agent"],
    }  # fmt: skip
    scene = Scene(tmp_path, rule)
    for hour in range(24 * 5):
        at = NOW_US - (24 * 5 - hour) * 60 * MINUTE_US
        for agent in ("good", "bad"):
            scene.call(agent=agent, time_us=at, duration_ms=100.0 + hour % 24)
    scene.tick()
    assert scene.standing() == {}
    scene.call(agent="good", duration_ms=110.0)
    scene.call(agent="bad", duration_ms=300.0)
    scene.pass_minutes(60)
    assert scene.standing() == {"Odd bad": "firing"}
    for agent in ("good", "bad"):
        scene.call(agent=agent, duration_ms=110.0)
    scene.pass_minutes(60)
    assert scene.standing() == {"Odd bad": "resolved"}
