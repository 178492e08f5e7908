"""The smallest servers with one tool that does nothing: the worst case for a relative overhead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp import types
from mcp.server import MCPServer, Server
from pydantic import BaseModel

TOOL, ARGUMENTS = "add", {"a": 1, "b": 2}


class Total(BaseModel):
    """A structured result, as tools return them."""

    total: int


def high() -> MCPServer:
    """Build an `MCPServer` with one tool."""
    server = MCPServer("bench", version="1", log_level="CRITICAL")

    @server.tool()
    async def add(a: int, b: int) -> Total:
        """Add two numbers."""
        return Total(total=a + b)

    return server


def low() -> Server[Any]:
    """Build a low-level `Server` with one tool."""

    async def list_tools(_ctx: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name=TOOL, input_schema={"type": "object"})])

    async def call_tool(_ctx: Any, params: Any) -> types.CallToolResult:
        given = params.arguments or {}
        text = str(given.get("a", 0) + given.get("b", 0))
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)])

    return Server("bench", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


SERVERS: dict[str, Callable[[], Any]] = {"MCPServer": high, "lowlevel Server": low}
