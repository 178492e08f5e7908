"""A page of alerts: what an agent is answered, quickly however many are stored."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contextframe_monitoring.alerts.listing import AlertQuery, incident_rows
from contextframe_monitoring.core.alert import SEVERITIES, AlertState
from contextframe_monitoring.core.alert_cursor import AlertsAfter, decode_cursor, encode_cursor
from contextframe_monitoring.core.errors import InvalidError, MonitoringError
from contextframe_monitoring.core.reports.alerts import AlertsReport, alert_row
from contextframe_monitoring.core.windows import iso
from contextframe_monitoring.store.alert_pages import AlertPages, Filter
from contextframe_monitoring.store.alert_state import AlertState as State
from contextframe_monitoring.store.store import Store

INCIDENTS_OF_MAX = 500
"""Incidents are told of the firing alerts that changed last."""
NEVER = "no rule was evaluated yet: a keeper does it (serve, or keep)"
_STATES: dict[str, tuple[AlertState, ...]] = {
    "active": ("firing",),
    "pending": ("pending",),
    "resolved": ("resolved",),
    "all": ("firing", "resolved"),
}


@dataclass(frozen=True, slots=True)
class AlertPage:
    """A page, and the question that it answers."""

    report: AlertsReport
    place: AlertsAfter

    def trimmed(self, rows: int) -> AlertPage:
        """Return it with fewer rows."""
        cut = len(self.report.alerts) - rows
        if cut <= 0:
            return self
        kept = self.report.alerts[:rows]
        report = self.report.model_copy(update={"alerts": kept, "more": self.report.more + cut})
        return replace(self, report=report)

    def slim(self) -> AlertPage:
        """Return it without incidents, and its alerts without details and labels."""
        alerts = tuple(
            row.model_copy(update={"details": {}, "labels": {}}) for row in self.report.alerts
        )
        report = self.report.model_copy(update={"alerts": alerts, "incidents": ()})
        return replace(self, report=report)

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the alerts after these, None when there are none."""
        rows = self.report.alerts
        if not self.report.more:
            return None
        before = rows[-1].revision if rows else self.place.before
        place = self.place
        return encode_cursor(
            AlertsAfter(
                status=place.status,
                severity=place.severity,
                rule=place.rule,
                since=place.since,
                before=before,
                revision=place.revision,
            )
        )


def first_page(store: Store, pages: AlertPages, query: AlertQuery) -> AlertPage:
    """Return the alerts that a query asks for, those that changed last first.

    Raises `InvalidError` for a `type`: pages are found by rule.
    """
    if query.type is not None:
        raise InvalidError("type", query.type, "not here: name the rule")
    revision = pages.revision()
    place = AlertsAfter(
        status=query.status,
        severity=query.severity,
        rule=query.rule,
        since=query.since,
        before=revision + 1,
        revision=revision,
    )
    return _page(store, pages, place, query)


def next_page(store: Store, pages: AlertPages, cursor: str, query: AlertQuery) -> AlertPage:
    """Return the alerts that a cursor leads to; limit and time zone are those of `query`."""
    place = decode_cursor(cursor)
    try:
        asked = replace(
            query,
            status=place.status,  # type: ignore[arg-type]  # checked by the query
            severity=place.severity,  # type: ignore[arg-type]  # as above
            rule=place.rule,
            since=place.since,
        )
    except MonitoringError as error:
        raise InvalidError("cursor", cursor, f"its question can't be: {error}") from None
    return _page(store, pages, place, asked)


def _page(store: Store, pages: AlertPages, place: AlertsAfter, query: AlertQuery) -> AlertPage:
    wanted = Filter(
        states=_STATES[query.status],
        severities=query.severities,
        rule=query.rule,
        after=query.since,
        up_to=place.before - 1,
    )
    alerts, more = pages.page(wanted, query.limit)
    counted = pages.firing()
    firing = pages.page(Filter(states=("firing",)), INCIDENTS_OF_MAX)[0] if counted else []
    state = State.of(store)
    last = None if state is None else state.evaluations.last()
    report = AlertsReport(
        alerts=tuple(alert_row(alert, query.timezone) for alert in alerts),
        more=more,
        active={name: counted[name] for name in reversed(SEVERITIES) if name in counted},
        incidents=tuple(row for row in incident_rows(firing, query.timezone) if row.count > 1)[:10],
        revision=place.revision,
        evaluated_at=None if last is None else iso(last.at_us, query.timezone),
        note=NEVER if last is None else None,
    )
    return AlertPage(report, place)
