"""What channels were told, in the state of a store."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.delivery import Health, Told
from contextframe_monitoring.store import notification_log
from contextframe_monitoring.store.notification_log import (
    KEPT_US,
    ChannelHealth,
    Noted,
    NotificationLog,
    Outcome,
)
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US

TOLD = Told(
    channel="ops",
    topic="incident=i-1",
    firing=frozenset({"a", "b"}),
    acknowledged=True,
    sent_us=NOW_US,
    number=3,
)


@pytest.fixture
def log(tmp_path: Path) -> NotificationLog:
    return NotificationLog(Store(str(tmp_path / "store")).create())


def noted(at_us: int, channel: str = "ops", outcome: Outcome = "sent") -> Noted:
    return Noted(
        at_us=at_us, channel=channel, outcome=outcome, reason="first", notification={"title": "t"}
    )


def test_what_a_channel_was_told_is_read_as_it_was_written(log: NotificationLog) -> None:
    assert log.exists
    assert log.told() == {}
    other = Told(channel="mail", topic="x" * 10_000)
    log.put(TOLD, NOW_US)
    log.put(other, NOW_US)
    later = dataclasses.replace(TOLD, number=4, firing=frozenset())
    log.put(later, NOW_US)
    assert log.told() == {("ops", TOLD.topic): later, ("mail", other.topic): other}


def test_what_is_being_sent_is_noted_until_it_is_noted_how_that_ended(log: NotificationLog) -> None:
    log.sending(TOLD, NOW_US)
    assert (log.interrupted(), list(log.told().values())) == (1, [TOLD])
    log.put(TOLD, NOW_US)
    assert log.interrupted() == 0


def test_a_channel_s_health_is_what_was_noted_and_what_was_sent(log: NotificationLog) -> None:
    health = ChannelHealth(channel="ops", failures=5, down=True, retry_us=7, problem="HTTP 500")
    log.put_health(health)
    hour = 3_600_000_000
    for at_us in (NOW_US - hour, NOW_US - hour + 1, NOW_US, NOW_US + 1):
        log.note(noted(at_us))
    log.note(noted(NOW_US, "mail"))
    log.note(noted(NOW_US, "mail", "failed"))
    log.note(noted(NOW_US, "mail", "test"))
    assert log.health() == {"ops": health}
    assert log.situation(NOW_US) == {
        "ops": Health(failures=5, down=True, retry_us=7, sent_last_hour=2),
        "mail": Health(sent_last_hour=1),
    }


def test_the_last_notifications_are_the_newest_first(log: NotificationLog) -> None:
    for n in range(3):
        log.note(noted(NOW_US + n, "ops" if n else "mail"))
    assert [one.at_us - NOW_US for one in log.last()] == [2, 1, 0]
    assert [one.at_us - NOW_US for one in log.last(1)] == [2]
    assert [one.at_us - NOW_US for one in log.last(channel="mail")] == [0]


def test_only_so_many_are_remembered(log: NotificationLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notification_log, "NOTED_MAX", 5)
    for n in range(8):
        log.note(noted(NOW_US + n))
    assert [one.at_us - NOW_US for one in log.last()] == [7, 6, 5, 4, 3]


def test_what_is_long_over_is_forgotten_but_never_what_fires(log: NotificationLog) -> None:
    over = Told(channel="ops", topic="over", number=1, sent_us=NOW_US)
    for told in (TOLD, over):
        log.put(told, NOW_US)
    log.note(noted(NOW_US))
    log.forget(NOW_US + KEPT_US)
    assert (len(log.told()), len(log.last())) == (2, 1)
    log.forget(NOW_US + KEPT_US + US_PER_DAY)
    assert (list(log.told().values()), log.last()) == ([TOLD], [])
