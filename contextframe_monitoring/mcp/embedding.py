"""Our tools, resources and alerts inside a server that is not ours."""

from __future__ import annotations

from mcp.server import MCPServer

from contextframe_monitoring.core.errors import ConflictError, InvalidError
from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.agents_door import open_door
from contextframe_monitoring.mcp.resources import RESOURCE_URIS
from contextframe_monitoring.mcp.tools import TOOL_NAMES
from contextframe_monitoring.monitor import Monitor


def embed(server: object, monitor: object) -> None:
    """Register our tools and resources with an `MCPServer`; its clients can subscribe to alerts,
    unless it was made with `subscriptions=False`, which closes the modern era's way.

    Raises `InvalidError` for another kind of server, `ConflictError` when the server has a tool
    or resource of a name that we need: both are named, and nothing is registered.
    """
    if not isinstance(server, MCPServer):
        raise InvalidError("server", server, "tools=True needs an MCPServer")
    if not isinstance(monitor, Monitor):
        raise InvalidError("monitor", monitor, "tools=True needs a Monitor")
    ours = {*TOOL_NAMES, *RESOURCE_URIS}
    taken = sorted(ours & adapter.registered_names(server))
    if taken:
        raise ConflictError(
            f"server {server.name!r} already has {', '.join(taken)}, which contextframe-monitoring "
            "would register too: rename the server's own, or leave tools=True out"
        )
    open_door(server, monitor)
