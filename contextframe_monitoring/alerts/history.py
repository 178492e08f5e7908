"""What happened to alerts, read back: out of the history, and what waits to go into it."""

from __future__ import annotations

from dataclasses import dataclass

from contextframe_monitoring.core.alert import SEVERITIES, AlertAction, Severity
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.records import AlertRecord
from contextframe_monitoring.core.reports.alerts import (
    STATUSES,
    AlertEventRow,
    AlertHistory,
)
from contextframe_monitoring.core.windows import iso
from contextframe_monitoring.query.alert_events import EventFilter, events
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.snapshot import Snapshot

LIMIT_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """Which entries are asked for; `severity` is the least one. Raises `InvalidError`."""

    alert_id: str | None = None
    rule: str | None = None
    severity: Severity | None = None
    action: AlertAction | None = None
    limit: int = 50
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        """Check words and numbers."""
        if self.severity is not None and self.severity not in SEVERITIES:
            raise InvalidError("severity", self.severity, f"expected {', '.join(SEVERITIES)}")
        if not 1 <= self.limit <= LIMIT_MAX:
            raise InvalidError("limit", self.limit, f"expected 1 to {LIMIT_MAX}")

    @property
    def filter(self) -> EventFilter:
        """The labels that entries must have."""
        among: dict[str, frozenset[str]] = {}
        for name, label in (
            ("alert_id", self.alert_id), ("rule", self.rule), ("action", self.action),
        ):  # fmt: skip
            if label is not None:
                among[name] = frozenset({label})
        if self.severity is not None:
            among["severity"] = frozenset(SEVERITIES[SEVERITIES.index(self.severity) :])
        return among


def history_report(
    snapshot: Snapshot, state: AlertState | None, query: HistoryQuery, start_us: int, end_us: int
) -> AlertHistory:
    """Return the entries of a window, the newest in front, each once."""
    waiting = [] if state is None else state.book.outbox()
    found, total = events(snapshot, waiting, query.filter, start_us, end_us, query.limit)
    return AlertHistory(
        events=tuple(_row(record, query.timezone) for record in found),
        total=total,
        more=max(total - len(found), 0),
    )


def _row(record: AlertRecord, timezone: str) -> AlertEventRow:
    return AlertEventRow(
        at=iso(record.time_us, timezone),
        alert_id=record.alert_id,
        action=record.action,
        rule=record.rule,
        severity=record.severity,
        status=STATUSES[record.state],
        message=record.message,
        actor=record.actor,
        note=record.note,
        incident_id=record.incident_id,
        revision=record.revision,
    )
