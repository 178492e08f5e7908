"""`monitor.alerts`: an application raises alerts, asks for them, and tries rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextframe_monitoring import AlertRule, AlertSeverity, AlertType, Monitor
from contextframe_monitoring.alerts.history import HistoryQuery
from contextframe_monitoring.core.errors import InvalidError, LimitedError, NotFoundError
from tests.alerts.scene import MINUTE_US, Scene
from tests.clocks import ManualClock

pytestmark = pytest.mark.anyio

RULE = AlertRule(
    name="High Error Rate",
    alert_type=AlertType.HIGH_ERROR_RATE,
    threshold=0.1,
    time_window_minutes=5,
    severity=AlertSeverity.HIGH,
    notification_channels=["email", "slack"],
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def monitor(scene: Scene) -> Monitor:
    return Monitor(scene.config, clock=scene.clock)


@pytest.mark.requirement("001:alerts:trigger-alert", "001:alerts:trigger-data")
async def test_an_application_raises_an_alert_with_its_data(monitor: Monitor, scene: Scene) -> None:
    data = {"endpoint": "device/510k", "error_rate": 0.15, "api_key": "sk-0123456789abcdef0123"}
    alert_id = await monitor.alerts.trigger_alert(rule=RULE, trigger_data=data)
    [alert] = scene.alerts()
    assert alert.alert_id == alert_id
    assert (alert.rule, alert.severity, alert.state, alert.source, alert.channels) == (
        "High Error Rate", "error", "firing", "application", ("email", "slack"),
    )  # fmt: skip
    assert (alert.threshold, alert.actual) == (0.1, 0.15)
    assert alert.message == "High Error Rate: error rate of the last 300s is 15 %, above 10 %"
    assert alert.details == {
        "endpoint": "device/510k", "error_rate": "0.15", "api_key": "[masked]",
    }  # fmt: skip


@pytest.mark.requirement("alerts:rules:trigger")
async def test_it_is_renewed_not_raised_twice_and_ends_when_nobody_renews_it(
    monitor: Monitor, scene: Scene
) -> None:
    first = await monitor.alerts.trigger_alert(RULE, {"error_rate": 0.15})
    scene.pass_minutes(50)
    assert await monitor.alerts.trigger_alert(RULE, {"error_rate": 0.25}) == first
    scene.pass_minutes(50)
    [alert] = scene.alerts()
    assert (alert.state, alert.actual) == ("firing", 0.25)
    scene.pass_minutes(11)
    [alert] = scene.alerts()
    assert (alert.state, alert.resolved_by) == ("resolved", "rule")
    history = await monitor.alerts.get_history(query=HistoryQuery(alert_id=first))
    assert [(e.action, e.actor, e.note) for e in history.events] == [
        ("resolved", "rule", "not renewed"),
        ("fired", "application", None),
    ]


async def test_groups_of_an_applications_rule_stand_apart(monitor: Monitor, scene: Scene) -> None:
    rule = {"name": "Down", "signal": "api_failures", "threshold": 0, "group_by": ["endpoint"]}
    await monitor.alerts.trigger_alert(rule, {"endpoint": "a", "value": 3})
    await monitor.alerts.trigger_alert(rule, {"endpoint": "b"})
    await monitor.alerts.trigger_alert(rule, {"endpoint": "a", "value": 4})
    assert scene.standing() == {"Down a": "firing", "Down b": "firing"}


async def test_what_can_not_be_raised_is_said(monitor: Monitor, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="alert rule 'nothing' does not exist"):
        await monitor.alerts.trigger_alert("nothing")
    with pytest.raises(InvalidError, match="trigger_data"):
        await monitor.alerts.trigger_alert(RULE, ["no", "table"])  # type: ignore[arg-type]
    small = Scene(tmp_path / "small", alerts={"open_max": 1})
    other = Monitor(small.config, clock=small.clock).alerts
    await other.trigger_alert({"name": "a", "signal": "cost", "threshold": 1})
    with pytest.raises(LimitedError, match="open alerts = 2 is above its limit of 1"):
        await other.trigger_alert({"name": "b", "signal": "cost", "threshold": 1})


@pytest.mark.requirement("001:alerts:lifecycle")
async def test_the_whole_life_of_an_alert(monitor: Monitor, scene: Scene) -> None:
    alerts = monitor.alerts
    alert_id = await alerts.trigger_alert(RULE, {"error_rate": 0.15})
    await alerts.acknowledge_alert(alert_id, "looking")
    await alerts.comment_on_alert(alert_id, "the provider is down")
    await alerts.resolve_alert(alert_id)
    await alerts.reopen_alert(alert_id)
    history = await alerts.get_history()
    assert [event.action for event in history.events] == [
        "reopened", "resolved", "commented", "acknowledged", "fired",
    ]  # fmt: skip
    audited = [(entry.action, entry.actor, entry.door) for entry in scene.desk.audit()]
    assert audited == [
        ("alert.reopened", "application", "python"),
        ("alert.resolved", "application", "python"),
        ("alert.commented", "application", "python"),
        ("alert.acknowledged", "application", "python"),
    ]


@pytest.mark.requirement("003:alertmgr:evaluate-rule", "003:alertmgr:check-rules")
async def test_rules_are_made_tried_and_checked(monitor: Monitor, scene: Scene) -> None:
    alerts = monitor.alerts
    await alerts.create_rule({"name": "Cost", "type": "cost_threshold", "threshold": 100.0})
    assert await alerts.evaluate_rule("Cost") is False
    for _ in range(10):
        scene.spend(15.0)
    assert await alerts.evaluate_rule("Cost") is True
    assert scene.alerts() == []
    report = await alerts.check_alert_rules()
    assert [(row.rule, row.type, row.status) for row in report.alerts] == [
        ("Cost", "cost", "active"),
    ]
    await alerts.update_rule("Cost", {"threshold": 1000})
    assert await alerts.evaluate_rule("Cost") is False
    await alerts.delete_rule("Cost")
    assert await alerts.get_rules() == {}


async def test_a_backtest_says_when_a_rule_would_have_fired(monitor: Monitor, scene: Scene) -> None:
    clock: ManualClock = scene.clock
    start = clock.now_us()
    for minute in range(120):
        bad = 30 <= minute < 40
        scene.call(5, time_us=start + minute * MINUTE_US, status="error" if bad else "success")
    clock.pass_ms(120 * 60_000)
    rule = {
        "name": "Errors", "signal": "error_rate", "threshold": 0.5, "window": "5m", "for": "2m",
        "group_by": ["agent"],
    }  # fmt: skip
    found = await monitor.alerts.backtest_rule(rule, since="2h")
    [firing] = found.firings
    minutes = [
        (_us(text) - start) / MINUTE_US for text in (firing.fired_at, firing.resolved_at or "")
    ]
    assert (found.fired, found.evaluations, found.step_seconds) == (1, 120, 60.0)
    assert (firing.group, firing.worst_value, firing.threshold_value) == ({"agent": "a"}, 1.0, 0.5)
    assert minutes == [pytest.approx(34, abs=1), pytest.approx(42, abs=1)]
    assert scene.alerts() == []


def _us(text: str) -> int:
    import datetime as dt

    from contextframe_monitoring.core.windows import to_us

    return to_us(dt.datetime.fromisoformat(text))


@pytest.mark.requirement("alerts:rules:backtest")
async def test_a_backtest_agrees_with_what_the_keeper_did(monitor: Monitor, scene: Scene) -> None:
    rule = {"name": "Cost", "signal": "cost", "threshold": 10, "window": "10m", "for": "3m"}
    await monitor.alerts.create_rule(rule)
    start = scene.clock.now_us()
    scene.tick()
    for minute in range(60):
        scene.spend(2.0 if minute % 30 < 12 else 0.1)
        scene.pass_minutes(1)
    history = await monitor.alerts.get_history(since="2h")
    lived = sorted((e.at, e.action) for e in history.events)
    window = f"{(scene.clock.now_us() - start) // 1_000_000}s"
    found = await monitor.alerts.backtest_rule("Cost", since=window)
    tested = sorted(
        [(f.fired_at, "fired") for f in found.firings]
        + [(f.resolved_at, "resolved") for f in found.firings if f.resolved_at]
    )
    assert [action for _, action in lived] == [action for _, action in tested]
    for (was, _), (said, _) in zip(lived, tested, strict=True):
        assert abs(_us(was) - _us(said)) <= MINUTE_US


async def test_a_signal_without_history_can_not_be_tested(monitor: Monitor) -> None:
    with pytest.raises(InvalidError, match="its figures leave no history"):
        await monitor.alerts.backtest_rule({"name": "r", "signal": "drain_lag"})
