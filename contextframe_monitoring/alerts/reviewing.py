"""Code reviews: scheduled when violations go on, with an event for the record. Telling of them is
the dispatcher's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.code_review import CodeReview, review_due
from contextframe_monitoring.core.notification_settings import NotificationSettings
from contextframe_monitoring.core.records import EventRecord, Origin
from contextframe_monitoring.store.code_reviews import CodeReviews

EVENT = "code_review_scheduled"


class Reviewing:
    """Schedules the code reviews of one store."""

    def __init__(
        self, settings: NotificationSettings, origin: Origin, record: Callable[[EventRecord], bool]
    ) -> None:
        """`record` returns whether the event is safe."""
        self._settings, self._origin, self._record = settings, origin, record

    def tick(self, reviews: CodeReviews, alerts: Sequence[Alert], now_us: int) -> str | None:
        """Schedule a review when one is due, and record the event of every one that has none.

        The review stands in the state first: a process that dies before its event is noted leaves
        it to the next, under the same operation id. Return what is wrong, None when all is well.
        """
        last = reviews.last()
        due = review_due(
            alerts, None if last is None else last.scheduled_us, self._settings, now_us
        )
        if due is not None:
            reviews.schedule(due)
        for review in reviews.unrecorded():
            if not self._record(self._event(review)):
                return "the event of a code review can't be recorded: see status"
            reviews.recorded(review.review_id)
        return None

    def _event(self, review: CodeReview) -> EventRecord:
        return EventRecord(
            time_us=review.scheduled_us,
            name=EVENT,
            category=review.rules[0] if review.rules else None,
            outcome="scheduled",
            numbers={
                "alerts": float(len(review.alert_ids)),
                "sustained_hours": review.sustained_hours,
            },
            origin=self._origin,
            operation_id=f"review-{review.review_id}",
        )
