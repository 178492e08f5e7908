"""What people and agents may do to an alert: each returns it as it is then. Pure.

Raises `ConflictError` where it makes no sense in the state that the alert is in.
"""

from __future__ import annotations

import dataclasses

from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.errors import ConflictError, InvalidError
from contextframe_monitoring.core.privacy import bounded_name, masked_text

COMMENT_CHARS_MAX = 500
COMMENT = "comment"
"""The key of the last comment among an alert's details."""


def acknowledged(alert: Alert, by: str, now_us: int) -> Alert:
    """Return it as somebody's concern; whoever took it on first keeps it."""
    _check_open(alert, "acknowledge")
    if alert.acknowledged_us is not None:
        return alert
    return dataclasses.replace(
        alert, acknowledged_us=now_us, acknowledged_by=bounded_name(by), changed_us=now_us
    )


def resolved(alert: Alert, by: str, now_us: int) -> Alert:
    """Return it resolved. It fires again only after its condition was over."""
    _check_open(alert, "resolve")
    return dataclasses.replace(
        alert,
        state="resolved",
        resolved_us=now_us,
        resolved_by=bounded_name(by),
        held_back_by=None,
        silenced_until_us=None,
        changed_us=now_us,
    )


def reopened(alert: Alert, by: str, now_us: int) -> Alert:
    """Return it firing again, with nobody concerned: it stays so until its condition comes and
    goes, or somebody resolves it.
    """
    if alert.state != "resolved":
        raise ConflictError(f"alert {alert.alert_id} is {alert.state}: only a resolved one reopens")
    del by
    return dataclasses.replace(
        alert,
        state="firing",
        resolved_us=None,
        resolved_by=None,
        acknowledged_us=None,
        acknowledged_by=None,
        expires_us=None,
        changed_us=now_us,
    )


def commented(alert: Alert, text: str, by: str, now_us: int) -> Alert:
    """Return it with a comment; the history keeps all of them, the alert the last."""
    note = comment_of(text)
    details = {**alert.details, COMMENT: f"{bounded_name(by)}: {note}"}
    return dataclasses.replace(alert, details=details, changed_us=now_us)


def comment_of(text: str) -> str:
    """Return a comment as it is kept. Raises `InvalidError` for an empty or a very long one."""
    if not text.strip() or len(text) > COMMENT_CHARS_MAX:
        allowed = f"expected 1 to {COMMENT_CHARS_MAX} characters"
        raise InvalidError("comment", text, allowed)
    return masked_text(text.strip(), COMMENT_CHARS_MAX)


def _check_open(alert: Alert, what: str) -> None:
    if alert.state != "firing":
        raise ConflictError(f"alert {alert.alert_id} is {alert.state}: there is nothing to {what}")
