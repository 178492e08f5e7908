"""How one channel of notifications does, as people and programs see it."""

from __future__ import annotations

from typing import Literal

import msgspec

from contextframe_monitoring.core.alert import Severity

State = Literal["working", "untried", "failing", "down", "incomplete"]


class ChannelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One channel. Times are ISO 8601 (UTC)."""

    name: str
    type: str
    state: State
    """`incomplete`: a secret or a package is missing; `down`: its fallback stands in."""
    min_severity: Severity
    fallback: str | None
    sent_last_hour: int
    last_sent_at: str | None
    last_failed_at: str | None
    retry_at: str | None
    problem: str | None
    """Why the last attempt failed, whom it did not reach, or what is missing."""
