"""What a keeper does about alerts: it evaluates the rules, and tells the channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.store.store import Store

if TYPE_CHECKING:
    from contextframe_monitoring.alerts.dispatcher import Dispatcher
    from contextframe_monitoring.alerts.duty import AlertDuty


def alert_duties(
    uri: str, config: MonitoringConfig
) -> dict[str, Callable[[], AlertDuty | Dispatcher]]:
    """Return what a configuration wants done, each with a store of its own: they are threads."""

    def alerts() -> AlertDuty:
        from contextframe_monitoring.alerts.duty import AlertDuty

        return AlertDuty(Store(uri, spool_path=config.spool_path), config)

    def notifications() -> Dispatcher:
        from contextframe_monitoring.alerts.dispatcher import dispatcher_of

        return dispatcher_of(uri, config)

    made: dict[str, Callable[[], AlertDuty | Dispatcher]] = {}
    if config.alerts.evaluate and config.enabled:
        made["alerts"] = alerts
    if config.channels:
        made["notifications"] = notifications
    return made
