"""What is done to alerts by hand, and what the rules make of it afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextframe_monitoring.alerts.desk import By
from contextframe_monitoring.alerts.listing import AlertQuery
from contextframe_monitoring.core.errors import (
    ConflictError,
    InvalidError,
    LimitedError,
    NotFoundError,
)
from tests.alerts.scene import ADA, MINUTE_US, Scene

ERRORS = {
    "name": "Errors", "signal": "error_rate", "threshold": 0.2, "window": "5m",
    "group_by": ["agent"], "labels": {"team": "data"},
}  # fmt: skip
BOB = By("bob", "tool")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path, ERRORS)
    made.call(5, agent="bad", status="error")
    made.tick()
    return made


def only(scene: Scene) -> str:
    [alert] = scene.alerts()
    return alert.alert_id


@pytest.mark.requirement("003:atab:acknowledged", "003:atab:resolved")
def test_who_took_it_on_first_keeps_it(scene: Scene) -> None:
    scene.desk.acknowledge(only(scene), ADA)
    scene.clock.pass_ms(1000)
    scene.desk.acknowledge(only(scene), BOB)
    [alert] = scene.alerts()
    assert (alert.acknowledged_by, alert.acknowledged_us) == (
        "ada", scene.clock.now_us() - 1_000_000,
    )  # fmt: skip


def test_what_was_resolved_by_hand_fires_again_only_after_it_was_over(scene: Scene) -> None:
    scene.desk.resolve(only(scene), ADA)
    scene.pass_minutes(1)
    assert scene.standing() == {"Errors bad": "resolved"}
    scene.pass_minutes(6)
    scene.call(5, agent="bad", status="error")
    scene.pass_minutes(1)
    first, second = scene.alerts()
    assert (first.state, second.state) == ("resolved", "firing")
    assert first.alert_id != second.alert_id


def test_a_reopened_alert_ends_with_its_condition(scene: Scene) -> None:
    scene.desk.resolve(only(scene), ADA)
    scene.desk.reopen(only(scene), ADA)
    scene.pass_minutes(1)
    assert scene.standing() == {"Errors bad": "firing"}
    scene.pass_minutes(6)
    assert scene.standing() == {"Errors bad": "resolved"}


def test_an_alert_reopened_after_its_end_is_gone_on_with_not_doubled(scene: Scene) -> None:
    scene.pass_minutes(6)
    scene.desk.reopen(only(scene), ADA)
    scene.pass_minutes(1)
    assert scene.standing() == {"Errors bad": "firing"}
    scene.call(5, agent="bad", status="error")
    scene.pass_minutes(1)
    scene.pass_minutes(6)
    [alert] = scene.alerts()
    assert (alert.state, alert.resolved_by) == ("resolved", "rule")


def test_a_silence_marks_alerts_at_once_and_ends(scene: Scene) -> None:
    ends_us = scene.clock.now_us() + 30 * MINUTE_US
    silence = scene.desk.silence({"rule": "Err*", "team": "data"}, None, ends_us, "known", ADA)
    assert [alert.silenced_until_us for alert in scene.alerts()] == [ends_us]
    scene.desk.end_silence(silence.silence_id, ADA)
    assert [alert.silenced_until_us for alert in scene.alerts()] == [None]
    assert [entry.action for entry in scene.desk.audit()] == ["silence.end", "silence.add"]


@pytest.mark.requirement("alerts:life:windows")
def test_a_maintenance_window_begins_and_ends_by_itself(scene: Scene) -> None:
    start = scene.clock.now_us() + 2 * MINUTE_US
    scene.desk.silence({"severity": "warning"}, start, start + 2 * MINUTE_US, "upgrade", ADA)
    seen = []
    for _ in range(4):
        scene.call(1, agent="bad", status="error")
        scene.pass_minutes(1)
        seen.append([alert.silenced_until_us is not None for alert in scene.alerts("firing")])
    assert seen == [[False], [True], [True], [False]]


@pytest.mark.parametrize(
    ("matchers", "reason", "minutes", "message"),
    [
        ({}, "x", 5, "1 to 8 of KEY=TEXT"),
        ({"rule": ""}, "x", 5, "texts of 1 to 300 characters"),
        ({"rule": "a"}, "", 5, "others will ask why"),
        ({"rule": "a"}, "x", -5, "expected an end after the start"),
        ({"rule": "a"}, "x", 600_000, "at most 366 days"),
    ],
)
def test_a_bad_silence_is_refused(
    scene: Scene, matchers: dict[str, str], reason: str, minutes: int, message: str
) -> None:
    ends_us = scene.clock.now_us() + minutes * MINUTE_US
    with pytest.raises(InvalidError, match=message):
        scene.desk.silence(matchers, None, ends_us, reason, ADA)


def test_silences_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contextframe_monitoring.store.silences.SILENCES_MAX", 2)
    ends_us = scene.clock.now_us() + MINUTE_US
    for _ in range(2):
        scene.desk.silence({"rule": "a"}, None, ends_us, "x", ADA)
    with pytest.raises(LimitedError, match="number of silences = 3 is above its limit of 2"):
        scene.desk.silence({"rule": "a"}, None, ends_us, "x", ADA)


def test_what_makes_no_sense_is_refused(scene: Scene) -> None:
    alert_id = only(scene)
    with pytest.raises(ConflictError, match="is firing: only a resolved one reopens"):
        scene.desk.reopen(alert_id, ADA)
    scene.desk.resolve(alert_id, ADA)
    with pytest.raises(ConflictError, match="is resolved: there is nothing to acknowledge"):
        scene.desk.acknowledge(alert_id, ADA)
    with pytest.raises(NotFoundError, match="alert 'a-none' does not exist"):
        scene.desk.comment("a-none", "hello", ADA)
    with pytest.raises(InvalidError, match="comment = '' is not allowed"):
        scene.desk.comment(alert_id, "", ADA)


@pytest.mark.requirement(
    "003:alertsapi:severity", "003:alertsapi:status", "003:alertsapi:type-filter"
)
def test_alerts_are_filtered_by_severity_status_type_and_revision(scene: Scene) -> None:
    def listed(**asked: object) -> list[str]:
        query = AlertQuery(**asked)  # type: ignore[arg-type]
        return [row.status for row in scene.desk.report(query).alerts]

    assert listed() == listed(severity="warning") == listed(type="error_rate") == ["active"]
    assert listed(severity="error") == listed(status="resolved") == listed(type="cost") == []
    assert listed(rule="Errors", status="all") == ["active"]
    assert listed(since=scene.desk.report().revision) == []
    with pytest.raises(InvalidError, match="expected one of active, pending, resolved, all"):
        listed(status="open")
    with pytest.raises(InvalidError, match="limit = 0 is not allowed"):
        listed(limit=0)


def test_a_comment_is_bounded_masked_and_kept_on_the_alert(scene: Scene) -> None:
    scene.desk.comment(only(scene), "token=abc123 was wrong", ADA)
    [alert] = scene.alerts()
    assert alert.details["comment"] == "ada: [masked] was wrong"


def test_resolved_alerts_leave_the_list_after_some_days(scene: Scene) -> None:
    scene.pass_minutes(6)
    scene.pass_minutes(8 * 24 * 60)
    assert scene.alerts() == []
