"""Incidents: alerts that belong together, told as one with a count. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from contextframe_monitoring.core.alert import Alert

TARGET_KEYS = ("target", "tool", "agent", "session", "user", "server", "provider", "model")
"""Dimensions that name a culprit: two alerts about the same one are probably one trouble."""
SAME_TIME_US = 5_000_000
"""Alerts that fire within this of each other are one trouble: that is, in one evaluation."""


def incident_of(alert: Alert, open_alerts: Iterable[Alert], within_us: int) -> str:
    """Return the incident that an alert which fires now belongs to, a new one where it fits none.

    It joins that of an alert that fired at most `within_us` before and is about the same target,
    else of the same rule, else of one that fired at the same time.
    """
    best: tuple[int, int, str] | None = None
    fired_us = alert.fired_us or alert.changed_us
    for other in open_alerts:
        if other.incident_id is None or other.alert_id == alert.alert_id:
            continue
        age = abs(fired_us - (other.fired_us or other.changed_us))
        kinship = _kinship(alert, other, age) if age <= within_us else 0
        if kinship and (best is None or (-kinship, age) < best[:2]):
            best = (-kinship, age, other.incident_id)
    return best[2] if best is not None else new_incident(alert)


def new_incident(alert: Alert) -> str:
    """Return the id of the incident that begins with an alert: the same one for the same alert."""
    return "i-" + hashlib.blake2b(alert.alert_id.encode(), digest_size=6).hexdigest()


def _kinship(alert: Alert, other: Alert, age_us: int) -> int:
    if any(key in alert.group and alert.group[key] == other.group.get(key) for key in TARGET_KEYS):
        return 3
    if alert.rule == other.rule:
        return 2
    return 1 if age_us <= SAME_TIME_US else 0
