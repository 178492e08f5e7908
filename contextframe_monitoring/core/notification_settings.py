"""How alerts reach people: a part of the section `[alerts]` of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contextframe_monitoring.core.errors import InvalidError

_SECONDS_MAX = 30 * 86_400
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=_SECONDS_MAX)]
_Names = Annotated[list[str], msgspec.Meta(max_length=20)]


class EscalationStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who else is told of an alert that nobody has acknowledged."""

    after_seconds: Annotated[int, msgspec.Meta(ge=1, le=_SECONDS_MAX)]
    """Since it fired."""
    channels: Annotated[list[str], msgspec.Meta(min_length=1, max_length=20)]
    """Those channels, also when they were told before."""


class NotificationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Grouping, repeating, escalation and code reviews."""

    channels: _Names = []
    """Channels of the alerts whose rule names none; empty: every channel that is nobody's fallback.
    """
    group_by: _Names = msgspec.field(default_factory=lambda: ["incident"])
    """Alerts that agree in these make one notification: `incident`, `rule`, `severity`, `signal`,
    `alert` (each for itself), or the name of a label or dimension.
    """
    group_wait_seconds: _Seconds = 30
    """How long the first alert of a group waits for others."""
    group_interval_seconds: _Seconds = 300
    """Between two notifications of one group with new alerts in it."""
    repeat_interval_seconds: Annotated[int, msgspec.Meta(ge=60, le=_SECONDS_MAX)] = 4 * 3600
    """After which a group that still fires, and that nobody has acknowledged, is told again."""
    dashboard_url: str | None = None
    """Address of a page about alerts, for the links in notifications."""
    escalation: Annotated[list[EscalationStep], msgspec.Meta(max_length=10)] = []
    """Steps of `after_seconds` and `channels`, for alerts that nobody acknowledges."""
    escalation_severity: Literal["info", "warning", "error", "critical"] = "critical"
    """The mildest severity that climbs them."""
    sustained_violation_hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 365)] = 8
    """An alert about cost or usage that fires for so long schedules a code review."""
    code_review_cooldown_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 7
    """Least time between two code reviews."""
    code_review_channels: _Names = []
    """Channels that are told of a review; empty: those of alerts whose rule names none."""

    def __post_init__(self) -> None:
        """Check that it is clear who is told first."""
        if self.escalation and not self.channels:
            allowed = "with an escalation it must say who is told first"
            raise InvalidError("alerts.channels", self.channels, allowed)

    def named_channels(self) -> dict[str, list[str]]:
        """Return the names of channels by the key that they stand under."""
        steps = [name for step in self.escalation for name in step.channels]
        named = {"channels": self.channels, "escalation": steps}
        named["code_review_channels"] = self.code_review_channels
        return {f"alerts.{key}": names for key, names in named.items() if names}
