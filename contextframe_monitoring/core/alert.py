"""An alert as everybody sees it: what fired, how bad it is, and what was done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["info", "warning", "error", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error", "critical")
"""From the mildest to the worst."""

AlertState = Literal["pending", "firing", "resolved"]
"""A rule that is not met has no alert: that is `inactive`."""

AlertSource = Literal["rule", "application"]
"""Who raised it: a rule that was evaluated, or a program by `trigger_alert`."""

AlertAction = Literal[
    "fired", "resolved", "acknowledged", "reopened", "commented", "renewed", "escalated"
]
"""What happened to an alert: the entries of its history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One rule, met by one group. Times are microseconds since the epoch (UTC).

    An alert that fires again after it was resolved is another alert with another id, except when
    somebody reopened it.
    """

    alert_id: str
    rule: str
    signal: str
    group: Mapping[str, str] = field(default_factory=dict)
    """Dimension -> value; empty for a rule without `group_by`."""
    severity: Severity
    state: AlertState
    message: str
    """One bounded line; names that come from outside are quoted in it."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Annotations and what an application gave with its own alert, bounded."""
    labels: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    """Names of the channels that the rule asks for; empty: those of the configuration."""
    unit: str = ""
    threshold: float | None
    actual: float | None
    created_us: int
    """When it was first pending."""
    fired_us: int | None = None
    acknowledged_us: int | None = None
    acknowledged_by: str | None = None
    resolved_us: int | None = None
    resolved_by: str | None = None
    """`rule` when the condition is over, else who resolved it."""
    silenced_until_us: int | None = None
    incident_id: str | None = None
    """Alerts that belong together share it."""
    held_back_by: str | None = None
    """The id of the worse alert that says it already: nobody is told of this one meanwhile."""
    source: AlertSource = "rule"
    expires_us: int | None = None
    """When an application's own alert is over unless it is raised again; None for a rule's."""
    changed_us: int
    """When anything of this last changed."""
    revision: int
    """1, 2, 3 ... over all changes of all alerts of the store: what a cursor goes by."""
