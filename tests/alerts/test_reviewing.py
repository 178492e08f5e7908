"""Code reviews: scheduled once when a violation goes on, recorded, and told with figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.alerts.dispatcher import dispatcher_of
from contextframe_monitoring.core.records import EventRecord, Origin
from contextframe_monitoring.store.code_reviews import CodeReviews
from tests.alerts.desk import Desk
from tests.support import recorded

HOUR = 3600
DAY = 24 * HOUR


class Events:
    """Where the events of reviews go, as long as there is room."""

    def __init__(self) -> None:
        self.recorded, self.has_room = list[EventRecord](), True

    def __call__(self, event: EventRecord) -> bool:
        if self.has_room:
            self.recorded.append(event)
        return self.has_room


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, {"wall": {"type": "dashboard"}, "team": {"type": "dashboard"}},
                channels=["wall"], code_review_channels=["team"])  # fmt: skip


@pytest.mark.requirement("000:ac2:code-review", "000:config:sustained-hours")
@pytest.mark.requirement("000:alerts:escalation-manager", "000:alerts:critical-level")
@pytest.mark.requirement("alerts:told:review")
def test_a_violation_that_goes_on_schedules_one_review(desk: Desk) -> None:
    events = Events()
    desk.another(record=events, explain=lambda about: [f"figures of {about}"])
    desk.fire("a", severity="critical", signal="category_share", message="llm share is 35 %")
    desk.tick()
    desk.tick(8 * HOUR - 1)
    assert events.recorded == []
    at_us = desk.clock.us + 1_000_000
    assert desk.tick(1) is None
    desk.tick(1)
    desk.tick(1)
    engine = desk.store.engine
    assert engine is not None
    review = CodeReviews(engine).last()
    assert review is not None
    assert events.recorded == [
        EventRecord(
            time_us=at_us,
            name="code_review_scheduled",
            category="HighDailyCost",
            outcome="scheduled",
            numbers={"alerts": 1.0, "sustained_hours": 8.0},
            origin=Origin(),
            operation_id=f"review-{review.review_id}",
        )
    ]
    [said] = desk.log.last(channel="team")
    assert (said.reason, said.notification["title"], said.notification["lines"]) == (
        "review",
        "[CODE REVIEW] a code review is due: violated for 8 hours",
        ["llm share is 35 %"],
    )
    assert said.notification["analytics"] == ["figures of usage", "figures of cost"]


@pytest.mark.requirement("000:config:review-cooldown")
@pytest.mark.requirement("alerts:told:review")
def test_between_two_reviews_lies_the_cooldown(desk: Desk) -> None:
    events = Events()
    desk.another(record=events)
    desk.fire("a")
    for _ in range(7 * 3):
        desk.tick(8 * HOUR)
    assert len(events.recorded) == 1
    desk.tick(8 * HOUR)
    assert len(events.recorded) == 2
    desk.tick(1)
    assert len(desk.log.last(channel="team")) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": "info"},
        {"signal": "error_rate"},
        {"state": "pending"},
        {"silenced_until_us": 9 * 10**18},
    ],
)
def test_what_is_no_violation_schedules_nothing(desk: Desk, changes: dict[str, Any]) -> None:
    events = Events()
    desk.another(record=events)
    desk.fire("a", **changes)
    desk.tick(30 * DAY)
    assert events.recorded == []


def test_an_event_that_could_not_be_recorded_is_recorded_later(desk: Desk) -> None:
    events = Events()
    events.has_room = False
    desk.another(record=events)
    desk.fire("a")
    said = "the event of a code review can't be recorded: see status"
    assert desk.tick(9 * HOUR) == said
    events.has_room = True
    desk.another(record=events)  # another process
    desk.tick(1)
    desk.tick(1)
    assert len(events.recorded) == 1


def test_events_of_a_store_are_recorded_through_its_spool(tmp_path: Path) -> None:
    store = tmp_path / "store"
    desk = Desk(tmp_path, {"wall": {"type": "dashboard"}})
    desk.fire("a")
    real = dispatcher_of(str(store), desk.config)
    now_us = desk.clock.us + 9 * HOUR * 1_000_000
    assert real.tick(now_us) is None
    real.close()
    [event] = recorded(store)
    assert isinstance(event, EventRecord)
    assert (event.name, event.time_us) == ("code_review_scheduled", now_us)
