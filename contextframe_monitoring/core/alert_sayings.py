"""Alerts in words, for an agent: how many fire, then a line for each. Foreign names are quoted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from contextframe_monitoring.core.alert import SEVERITIES
from contextframe_monitoring.core.errors import shown
from contextframe_monitoring.core.privacy import bounded_text
from contextframe_monitoring.core.sayings import Said, cell, count

if TYPE_CHECKING:
    from contextframe_monitoring.core.reports.alerts import AlertRow, AlertsReport

BANNER_CHARS_MAX = 240
_MESSAGE_CHARS_MAX = 160


def say_alerts(report: AlertsReport) -> Said:
    """Return the number that fires, by severity, then the alerts that were asked for."""
    lines = [] if report.note is None else [report.note]
    lines += [
        f"incident {incident.incident_id}: {count(incident.count, 'alert')}, "
        f"{plain(incident.message)}"
        for incident in report.incidents
        if incident.count > 1
    ]
    lines += [alert_line(row) for row in report.alerts]
    if report.more:
        lines.append(f"{report.more:,} more: ask again with next_cursor")
    lines.append(f"what changes from here on: since={report.revision}")
    return Said(firing_words(report.active), lines)


def firing_words(active: Mapping[str, int]) -> str:
    """Return how many alerts fire, the worst named first."""
    total = sum(active.values())
    if not total:
        return "no alert is firing"
    parts = [f"{active[name]:,} {name}" for name in reversed(SEVERITIES) if active.get(name)]
    return f"{count(total, 'alert')} firing: {', '.join(parts)}"


def alert_line(row: AlertRow) -> str:
    """Return one alert on one line."""
    marks = [row.status]
    if row.acknowledged_by:
        marks.append(f"taken on by {cell(row.acknowledged_by)}")
    if row.resolved_by:
        marks.append(f"resolved by {cell(row.resolved_by)}")
    if row.silenced_until:
        marks.append(f"silent until {row.silenced_until}")
    if row.held_back_by:
        marks.append(f"said by {row.held_back_by}")
    since = row.fired_at or row.created_at
    return f"{row.id} {row.severity}, {', '.join(marks)}, since {since}: {plain(row.message)}"


def banner(active: Mapping[str, int], worst: str) -> str:
    """Return the one line that rides on the answers of our tools while something fires."""
    message = plain(bounded_text(worst, _MESSAGE_CHARS_MAX))
    return bounded_text(f"{firing_words(active)}; {message}; see get_alerts", BANNER_CHARS_MAX)


def plain(message: str) -> str:
    """Return the message of an alert, in which names are quoted already, on one line."""
    return message if message.isprintable() else shown(message)
