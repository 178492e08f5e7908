"""Alerts as they are listed: filtered, the last change first, with their incidents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contextframe_monitoring.core.alert import SEVERITIES, Alert, AlertState, Severity
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.reports.alerts import AlertsReport, IncidentRow, alert_row
from contextframe_monitoring.core.windows import iso
from contextframe_monitoring.store.alert_state import AlertState as State

Status = Literal["active", "pending", "resolved", "all"]
LIMIT_MAX = 1_000
INCIDENTS_MAX = 50
_READ_MAX = 1_000_000
_STATES: dict[str, tuple[AlertState, ...]] = {
    "active": ("firing",),
    "pending": ("pending",),
    "resolved": ("resolved",),
    "all": ("firing", "resolved"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertQuery:
    """Which alerts are asked for. `severity` is the least one; `since` a revision: what changed
    after it. Raises `InvalidError`.
    """

    status: Status = "active"
    severity: Severity | None = None
    rule: str | None = None
    type: str | None = None
    since: int = 0
    limit: int = 50
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        """Check every word and number."""
        if self.status not in _STATES:
            raise InvalidError("status", self.status, f"expected one of {', '.join(_STATES)}")
        if self.severity is not None and self.severity not in SEVERITIES:
            raise InvalidError("severity", self.severity, f"expected {', '.join(SEVERITIES)}")
        if not 1 <= self.limit <= LIMIT_MAX:
            raise InvalidError("limit", self.limit, f"expected 1 to {LIMIT_MAX}")
        if self.since < 0:
            raise InvalidError("since", self.since, "expected the revision of an earlier answer")

    @property
    def severities(self) -> tuple[Severity, ...] | None:
        """The severities that are wanted, None for all."""
        if self.severity is None:
            return None
        return SEVERITIES[SEVERITIES.index(self.severity) :]


def alerts_report(state: State | None, query: AlertQuery) -> AlertsReport:
    """Return the alerts that a query asks for; `state` is None where nothing was evaluated yet."""
    if state is None:
        return AlertsReport(alerts=(), active={}, revision=0, evaluated_at=None, note=_NEVER)
    revision = state.book.revision()
    found = state.book.find(
        states=_STATES[query.status],
        severities=query.severities,
        rule=query.rule,
        after_revision=query.since,
        limit=_READ_MAX,
    )
    wanted = [a for a in found if query.type is None or a.signal == query.type][::-1]
    firing = wanted if query.status == "active" else state.book.find(limit=_READ_MAX)
    last = state.evaluations.last()
    return AlertsReport(
        alerts=tuple(alert_row(alert, query.timezone) for alert in wanted[: query.limit]),
        more=max(len(wanted) - query.limit, 0),
        active=_by_severity(firing),
        incidents=incident_rows(firing, query.timezone),
        revision=revision,
        evaluated_at=None if last is None else iso(last.at_us, query.timezone),
        note=_NEVER if last is None else None,
    )


_NEVER = "no rule was evaluated yet: a keeper does it (serve, or keep)"


def _by_severity(alerts: Sequence[Alert]) -> dict[str, int]:
    counted = Counter(alert.severity for alert in alerts)
    return {name: counted[name] for name in reversed(SEVERITIES) if counted[name]}


def incident_rows(alerts: Sequence[Alert], timezone: str) -> tuple[IncidentRow, ...]:
    """Return the incidents of alerts, the worst and largest first."""
    by_id: dict[str, list[Alert]] = {}
    for alert in alerts:
        if alert.incident_id is not None:
            by_id.setdefault(alert.incident_id, []).append(alert)
    found = []
    for incident_id, members in by_id.items():
        worst = max(members, key=lambda a: (SEVERITIES.index(a.severity), -a.created_us))
        rank = SEVERITIES.index(worst.severity)
        row = IncidentRow(
            incident_id=incident_id,
            count=len(members),
            severity=worst.severity,
            message=worst.message,
            rules=tuple(sorted({alert.rule for alert in members})),
            since=iso(min(alert.fired_us or alert.created_us for alert in members), timezone),
        )
        found.append(((-rank, -len(members), incident_id), row))
    return tuple(row for _, row in sorted(found, key=lambda item: item[0])[:INCIDENTS_MAX])
