"""The resources that agents read: status, and performance by window."""

from __future__ import annotations

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError

from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.monitor import Monitor

STATUS_URI = "monitoring://status"
PERFORMANCE_URI = "monitoring://performance/{window}"
RESOURCE_URIS = (STATUS_URI, PERFORMANCE_URI)
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


def _performance(monitor: Monitor, window: str) -> str:
    reports = monitor.reports
    query = reports.question("performance", since=window, group_by=("target",))
    return reports.performance(query).json_text()
