"""The rules that come with the package: the three of the statistics seed, and those of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextframe_monitoring.alerts.rule_set import default_rules
from contextframe_monitoring.core.reports.alerts import alert_row
from contextframe_monitoring.query.performance import performance_report
from contextframe_monitoring.store.snapshot import Snapshot
from tests.alerts.scene import ADA, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, alerts={"default_rules": True})


def fired(scene: Scene) -> dict[str, str]:
    return {alert.rule: alert.severity for alert in scene.alerts("firing")}


@pytest.mark.requirement(
    "003:rules:high-daily-cost", "003:coll:cost-alert-check", "000:mixin:check-cost-thresholds"
)
def test_more_than_500_dollars_a_day_warn(scene: Scene) -> None:
    scene.spend(499.0)
    scene.tick()
    assert fired(scene) == {}
    scene.spend(2.0, provider="openai")
    scene.pass_minutes(1)
    assert fired(scene) == {"high_daily_cost": "warning"}


@pytest.mark.requirement("003:rules:api-error-rate", "004:mon:error-alerting")
def test_more_than_five_percent_of_server_errors_are_critical(scene: Scene) -> None:
    scene.call(95)
    scene.call(4, status="error", status_code=503)
    scene.call(20, status="error", status_code=404)
    scene.tick()
    assert fired(scene) == {}
    scene.call(3, status="error", status_code=500)
    scene.pass_minutes(1)
    assert fired(scene) == {"api_error_rate": "critical"}


@pytest.mark.requirement(
    "003:rules:slow-response", "003:test:slow-request", "003:perf:slow-alert", "004:perf:thresholds"
)
def test_a_request_of_three_seconds_is_slow_in_p99_and_an_alert(scene: Scene) -> None:
    scene.call(1, duration_ms=3000.0)
    scene.tick()
    assert fired(scene) == {"slow_response": "warning"}
    from contextframe_monitoring.core.queries import ReportQuery
    from contextframe_monitoring.core.windows import parse_window

    query = ReportQuery(
        window=parse_window("10m", now_us=scene.clock.now_us()), group_by=("target",)
    )
    report = performance_report(Snapshot(scene.store), query, scene.config)
    assert (report.slow, report.breakdown[0].p99_ms) == (1, 3000.0)


@pytest.mark.requirement(
    "001:config:thresholds", "004:cfg:thresholds", "004:test:thresholds", "003:rtab:is-active",
    "003:rtab:created", "003:rtab:severity", "002:future:custom-rules", "000:ext:custom-rules",
)  # fmt: skip
def test_a_threshold_is_tuned_per_store_and_a_rule_switched_off(scene: Scene) -> None:
    scene.spend(300.0)
    scene.rules.update("high_daily_cost", {"threshold": 250, "severity": "error"}, ADA)
    scene.rules.enable("slow_response", False, ADA)
    scene.call(1, duration_ms=9000.0)
    scene.tick()
    assert fired(scene) == {"high_daily_cost": "error"}
    assert scene.rules.rule("high_daily_cost").created_us == scene.clock.now_us()
    changes = [(entry.action, entry.subject) for entry in scene.desk.audit()]
    assert changes == [("rule.update", "slow_response"), ("rule.update", "high_daily_cost")]


@pytest.mark.requirement("004:dash:alert-definitions", "002:order:alerting-rules")
def test_every_default_rule_says_what_to_do() -> None:
    assert [sorted(rule.annotations) for rule in default_rules()] == (
        [["recommendation", "summary"]] * len(default_rules())
    )


@pytest.mark.requirement(
    "003:alertsapi:shape", "003:alertsapi:budget-share", "003:atab:severity", "003:atab:type",
    "003:atab:message", "003:atab:details", "003:atab:status", "003:atab:threshold",
    "003:atab:actual", "003:atab:created",
)  # fmt: skip
def test_four_fifths_of_the_budget_in_the_shape_of_the_seed(tmp_path: Path) -> None:
    from decimal import Decimal

    from contextframe_monitoring.core.budget_settings import BudgetSettings

    rule = {
        "name": "Budget", "signal": "budget_used", "threshold": 0.8,
        "annotations": {"summary": "{value} of the budget is spent"},
    }  # fmt: skip
    scene = Scene(tmp_path, rule, budget=BudgetSettings(monthly_usd=Decimal(500)))
    scene.spend(457.0)
    scene.tick()
    [alert] = scene.alerts()
    assert alert_row(alert, "UTC").model_dump(exclude_defaults=True) == {
        "id": alert.alert_id,
        "type": "budget_used",
        "rule": "Budget",
        "severity": "warning",
        "status": "active",
        "message": "Budget: budget used is 91.4 %, above 80 %",
        "details": {"summary": "91.4 % of the budget is spent"},
        "threshold_value": 0.8,
        "actual_value": 0.914,
        "unit": "share",
        "created_at": "2026-11-18T11:06:40+00:00",
        "fired_at": "2026-11-18T11:06:40+00:00",
        "incident_id": alert.incident_id,
        "revision": 1,
    }


@pytest.mark.requirement("003:ok:every-minute", "003:dep:apscheduler")
def test_rules_are_evaluated_every_minute(scene: Scene) -> None:
    times = []
    for _ in range(240):
        scene.clock.pass_ms(1000)
        scene.tick()
        last = scene.state.evaluations.last()
        times.append(0 if last is None else last.at_us)
    assert sorted(
        {b - a for a, b in zip(sorted({*times}), sorted({*times})[1:], strict=False)}
    ) == [60_000_000]
