"""When the authors of a program are to look at its code: alerts about cost or usage that go on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from contextframe_monitoring.core.advice import VIOLATIONS
from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.notification_settings import NotificationSettings
from contextframe_monitoring.core.routing import Notice

_HOUR_US = 3600 * 1_000_000
_ALERTS_MAX = 20
TOLD_WITHIN_US = US_PER_DAY
"""A review that no channel could be told of within a day is told no more; it stands in the store.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeReview:
    """One review that was scheduled, and why."""

    review_id: str
    scheduled_us: int
    rules: tuple[str, ...]
    alert_ids: tuple[str, ...]
    sustained_hours: float
    """For how long the longest of them fires."""
    lines: tuple[str, ...]
    """The violations in words."""


def review_due(
    alerts: Sequence[Alert], last_us: int | None, settings: NotificationSettings, now_us: int
) -> CodeReview | None:
    """Return the review that is to be scheduled now, None when none is.

    A last review that lies in the future means that the clock went back: the pause goes on.
    """
    pause_us = settings.code_review_cooldown_days * US_PER_DAY
    if last_us is not None and now_us - last_us < pause_us:
        return None
    since_us = now_us - settings.sustained_violation_hours * _HOUR_US
    sustained = sorted(
        (alert for alert in alerts if _violates(alert, now_us) and _fired(alert) <= since_us),
        key=_fired,
    )
    if not sustained:
        return None
    ids = tuple(alert.alert_id for alert in sustained[:_ALERTS_MAX])
    named = "\0".join((str(now_us), *ids)).encode("utf-8", "replace")
    return CodeReview(
        review_id=hashlib.blake2b(named, digest_size=16).hexdigest(),
        scheduled_us=now_us,
        rules=tuple(dict.fromkeys(alert.rule for alert in sustained[:_ALERTS_MAX])),
        alert_ids=ids,
        sustained_hours=(now_us - _fired(sustained[0])) / _HOUR_US,
        lines=tuple(alert.message for alert in sustained[:_ALERTS_MAX]),
    )


def _fired(alert: Alert) -> int:
    return alert.created_us if alert.fired_us is None else alert.fired_us


def _violates(alert: Alert, now_us: int) -> bool:
    silenced = alert.silenced_until_us is not None and alert.silenced_until_us > now_us
    return (
        alert.state == "firing"
        and alert.severity != "info"
        and alert.signal in VIOLATIONS
        and not silenced
    )


def notice_of(review: CodeReview, channels: Sequence[str]) -> Notice:
    """Return what the channels are told about a review."""
    hours = f"{review.sustained_hours:.3g} hours"
    return Notice(
        topic=f"review {review.review_id}",
        severity="critical",
        title=f"a code review is due: violated for {hours}",
        lines=review.lines,
        channels=tuple(channels),
        recommendation=(
            "go through the code that chooses models and calls them, with these figures at hand"
        ),
    )
