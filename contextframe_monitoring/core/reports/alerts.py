"""The shapes of what is said about alerts, in the words of the statistics seed."""

from __future__ import annotations

from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.reports.report import Part, sometimes
from contextframe_monitoring.core.windows import iso

STATUSES = {"pending": "pending", "firing": "active", "resolved": "resolved"}
"""State of an alert -> the seed's word for it."""


class AlertRow(Part):
    """One alert. `type` is the signal that its rule watches; `held_back_by` the worse alert that
    says it already; alerts that belong together share `incident_id`.
    """

    id: str
    type: str
    rule: str
    severity: str
    status: str
    message: str
    details: dict[str, str] = sometimes({})
    group: dict[str, str] = sometimes({})
    labels: dict[str, str] = sometimes({})
    threshold_value: float | None
    actual_value: float | None
    unit: str
    created_at: str
    fired_at: str | None = sometimes()
    acknowledged_at: str | None = sometimes()
    acknowledged_by: str | None = sometimes()
    resolved_at: str | None = sometimes()
    resolved_by: str | None = sometimes()
    silenced_until: str | None = sometimes()
    held_back_by: str | None = sometimes()
    incident_id: str | None = sometimes()
    revision: int


class IncidentRow(Part):
    """Alerts that belong together; severity and message are those of the worst one."""

    incident_id: str
    count: int
    severity: str
    message: str
    rules: tuple[str, ...]
    since: str


class AlertsReport(Part):
    """Alerts, those that changed last in front, and how many are active by severity.

    Ask with `since` = `revision` for what changes from here on.
    """

    alerts: tuple[AlertRow, ...]
    more: int = 0
    active: dict[str, int]
    incidents: tuple[IncidentRow, ...] = sometimes(())
    revision: int
    evaluated_at: str | None
    note: str | None = sometimes()


class AlertEventRow(Part):
    """One entry in the history of an alert."""

    at: str
    alert_id: str
    action: str
    rule: str
    severity: str
    status: str
    message: str
    actor: str | None = sometimes()
    note: str | None = sometimes()
    incident_id: str | None = sometimes()
    revision: int


class AlertHistory(Part):
    """Entries of the history, the newest in front."""

    events: tuple[AlertEventRow, ...]
    total: int
    more: int


class RuleCount(Part):
    """How one rule has been. `flaps` counts how often it fired again within the hour of its end."""

    rule: str
    fired: int
    flaps: int
    minutes_to_acknowledge: float | None
    minutes_to_resolve: float | None


class AlertStatistics(Part):
    """The history of a window in figures: means in minutes, the noisiest rules first."""

    fired: int
    resolved: int
    acknowledged: int
    by_severity: dict[str, int]
    by_rule: tuple[RuleCount, ...]
    minutes_to_acknowledge: float | None
    minutes_to_resolve: float | None
    flapping: tuple[str, ...]


class Firing(Part):
    """One time that a rule would have fired; `resolved_at` is missing where it still would."""

    group: dict[str, str] = sometimes({})
    fired_at: str
    resolved_at: str | None = sometimes()
    worst_value: float | None
    threshold_value: float | None


class BackTest(Part):
    """A rule held against the past."""

    rule: str
    start: str
    end: str
    evaluations: int
    step_seconds: float
    fired: int
    firings: tuple[Firing, ...]
    more: int = 0
    note: str | None = sometimes()


def alert_row(alert: Alert, timezone: str) -> AlertRow:
    """Return an alert as it is shown."""

    def at(time_us: int | None) -> str | None:
        return None if time_us is None else iso(time_us, timezone)

    return AlertRow(
        id=alert.alert_id,
        type=alert.signal,
        rule=alert.rule,
        severity=alert.severity,
        status=STATUSES[alert.state],
        message=alert.message,
        details=dict(alert.details),
        group=dict(alert.group),
        labels=dict(alert.labels),
        threshold_value=alert.threshold,
        actual_value=alert.actual,
        unit=alert.unit,
        created_at=iso(alert.created_us, timezone),
        fired_at=at(alert.fired_us),
        acknowledged_at=at(alert.acknowledged_us),
        acknowledged_by=alert.acknowledged_by,
        resolved_at=at(alert.resolved_us),
        resolved_by=alert.resolved_by,
        silenced_until=at(alert.silenced_until_us),
        held_back_by=alert.held_back_by,
        incident_id=alert.incident_id,
        revision=alert.revision,
    )
