"""What agents read of alerts: lists by page, one alert, what changed, and the line that rides on
other answers. Everything here blocks; what reads the state is imported when it is first asked.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from contextframe_monitoring.core.alert import SEVERITIES
from contextframe_monitoring.core.alert_sayings import banner
from contextframe_monitoring.monitor import Monitor

if TYPE_CHECKING:
    from contextframe_monitoring.alerts.listing import AlertQuery
    from contextframe_monitoring.alerts.page import AlertPage
    from contextframe_monitoring.store.alert_pages import AlertPages

ALERTS_SHOWN_MAX = 100
"""Alerts in the resource; the tool leads to the others."""
_FIRING_READ_MAX = 1_000


class AlertReading:
    """The alerts of a monitor's store. Raises a `MonitoringError` that says what is wrong."""

    def __init__(self, monitor: Monitor) -> None:
        """Nothing is opened yet."""
        self._monitor = monitor
        self._banner: tuple[int, str | None] = (0, None)
        self._lock = threading.Lock()

    @cached_property
    def _pages(self) -> AlertPages:
        from contextframe_monitoring.store.alert_pages import AlertPages

        return AlertPages(self._monitor.store)

    def page(self, query: AlertQuery, cursor: str | None = None) -> AlertPage:
        """Return the alerts that a query asks for, or those that a cursor leads to."""
        from contextframe_monitoring.alerts.page import first_page, next_page

        store = self._monitor.store
        if cursor is not None:
            return next_page(store, self._pages, cursor, query)
        return first_page(store, self._pages, query)

    def active_json(self) -> str:
        """Return the alerts that fire, as JSON."""
        from contextframe_monitoring.alerts.listing import AlertQuery

        query = AlertQuery(limit=ALERTS_SHOWN_MAX, timezone=self._monitor.config.timezone)
        return self.page(query).report.model_dump_json()

    def alert_json(self, alert_id: str) -> str:
        """Return one alert as JSON. Raises `NotFoundError`."""
        from contextframe_monitoring.core.reports.alerts import alert_row

        alert = self._monitor.alerts.desk.alert(alert_id)
        return alert_row(alert, self._monitor.config.timezone).model_dump_json()

    def revision(self) -> int:
        """Return the number of the last change, 0 when there was none."""
        return self._pages.revision()

    def changed(self, after: int, limit: int) -> list[str]:
        """Return the ids of alerts that changed after a revision, the last ones first."""
        return self._pages.changed(after, limit)

    def banner(self) -> str | None:
        """Return the line about what fires, None when nothing does; it is made once a change.

        An alert that is silent, or that a worse one says already, is not in it.
        """
        revision = self.revision()
        with self._lock:
            made_at, text = self._banner
        if revision == made_at:
            return text
        text = self._new_banner()
        with self._lock:
            self._banner = (revision, text)
        return text

    def _new_banner(self) -> str | None:
        from contextframe_monitoring.store.alert_pages import Filter

        alerts, more = self._pages.page(Filter(states=("firing",)), _FIRING_READ_MAX)
        told = [a for a in alerts if a.silenced_until_us is None and a.held_back_by is None]
        if not told:
            return None
        active: dict[str, int] = {
            name: sum(a.severity == name for a in told) for name in SEVERITIES
        }
        if more:  # too many to look at each
            active = {str(name): number for name, number in self._pages.firing().items()}
        worst = max(told, key=lambda a: (SEVERITIES.index(a.severity), a.revision))
        return banner(active, worst.message)
