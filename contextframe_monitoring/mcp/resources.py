"""The resources that agents read: status, performance by window, and alerts."""

from __future__ import annotations

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError

from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.mcp.alert_reading import AlertReading
from contextframe_monitoring.monitor import Monitor

STATUS_URI = "monitoring://status"
PERFORMANCE_URI = "monitoring://performance/{window}"
ALERTS_URI = "monitoring://alerts"
ALERT_URI = "monitoring://alerts/{alert_id}"
RESOURCE_URIS = (STATUS_URI, PERFORMANCE_URI, ALERTS_URI, ALERT_URI)
_JSON = "application/json"


def add_resources(server: MCPServer, monitor: Monitor) -> None:
    """Register the resources with a server. Each is read from the store when it is asked for."""

    @server.resource(STATUS_URI, name="monitoring_status", mime_type=_JSON)
    async def status() -> str:
        """How the monitor itself is doing: writers, keeper, undrained and lost records."""
        try:
            return (await monitor.status()).model_dump_json()
        except MonitoringError as error:
            raise ResourceError(str(error)) from error

    @server.resource(PERFORMANCE_URI, name="monitoring_performance", mime_type=_JSON)
    async def performance(window: str) -> str:
        """Performance of all operations in a window: 1h, 24h, 7d, today ..."""
        try:
            return await monitor.in_thread(lambda: _performance(monitor, window))
        except MonitoringError as error:
            raise ResourceError(str(error)) from error

    _add_alerts(server, monitor)


def _add_alerts(server: MCPServer, monitor: Monitor) -> None:
    reading = AlertReading(monitor)

    @server.resource(ALERTS_URI, name="monitoring_alerts", mime_type=_JSON)
    async def alerts() -> str:
        """The alerts that fire; subscribe to hear when one fires, changes or is over."""
        try:
            return await monitor.in_thread(reading.active_json)
        except MonitoringError as error:
            raise ResourceError(str(error)) from error

    @server.resource(ALERT_URI, name="monitoring_alert", mime_type=_JSON)
    async def alert(alert_id: str) -> str:
        """One alert; subscribe to hear what becomes of it."""
        try:
            return await monitor.in_thread(lambda: reading.alert_json(alert_id))
        except MonitoringError as error:
            raise ResourceError(str(error)) from error


def _performance(monitor: Monitor, window: str) -> str:
    reports = monitor.reports
    query = reports.question("performance", since=window, group_by=("target",))
    return reports.performance(query).json_text()
