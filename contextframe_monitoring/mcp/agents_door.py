"""Everything that agents find in a server: tools, resources, the feed of alerts and its banner."""

from __future__ import annotations

from collections.abc import Collection

from mcp.server import MCPServer

from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.alert_banner import AlertBanner
from contextframe_monitoring.mcp.alert_feed import attach_feed
from contextframe_monitoring.mcp.alert_reading import AlertReading
from contextframe_monitoring.mcp.resources import add_resources
from contextframe_monitoring.mcp.toolsets import DEFAULT, add_toolsets
from contextframe_monitoring.monitor import Monitor


def open_door(server: MCPServer, monitor: Monitor, toolsets: Collection[str] = (DEFAULT,)) -> None:
    """Register all of it with a server, whose own handlers and lifespan go on as they are."""
    reading = AlertReading(monitor)
    names = add_toolsets(server, monitor, toolsets)
    add_resources(server, monitor)
    attach_feed(server, reading)
    banner = AlertBanner(names, reading.banner)
    adapter.chain_of(adapter.lowlevel_server(server)).append(banner)
