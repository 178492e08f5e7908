"""Small servers that show every way in which an operation ends, and what was recorded of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp import types
from mcp.server import MCPServer, Server
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR
from pydantic import BaseModel

from contextframe_monitoring.core.records import OperationRecord

MODES = ("auto", "legacy")
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
CLIENT = types.Implementation(name="agent-7", version="1")


class Sum(BaseModel):
    """A structured result."""

    total: int


@dataclass
class Gate:
    """Lets a test see that a tool has begun, and decide when one in a thread ends."""

    begun: anyio.Event = field(default_factory=anyio.Event)
    end: threading.Event = field(default_factory=threading.Event)


def high_toy(gate: Gate | None = None, name: str = "toy") -> MCPServer:
    """Build an `MCPServer` whose tools succeed, fail and never end."""
    server = MCPServer(name, version="1", log_level="CRITICAL")
    gate = gate or Gate()

    @server.tool()
    async def add(a: int, b: int) -> Sum:
        return Sum(total=a + b)

    @server.tool()
    async def boom() -> str:
        raise RuntimeError("password=hunter2 is wrong")

    @server.tool()
    async def impatient() -> str:
        raise TimeoutError("upstream")

    @server.tool()
    async def refuses() -> str:
        raise ToolError("not today")

    @server.tool()
    async def protocol() -> str:
        raise MCPError(-32050, "no such thing")

    @server.tool()
    async def forwards() -> str:
        try:
            return str({}["upstream"])
        except KeyError:
            raise MCPError(INTERNAL_ERROR, "upstream failed")  # noqa: B904 - its context counts

    @server.tool()
    async def endless() -> str:
        gate.begun.set()
        await anyio.sleep_forever()
        return "never"

    @server.tool()
    def threaded() -> str:
        anyio.from_thread.run_sync(gate.begun.set)
        gate.end.wait(10)
        return "late"

    _add_resources(server)
    return server


def _add_resources(server: MCPServer) -> None:
    @server.resource("note://today")
    async def today() -> str:
        return "all is well"

    @server.resource("note://broken")
    async def broken() -> str:
        raise OSError("disk")

    @server.prompt()
    async def greet(who: str) -> str:
        return f"hello {who}"

    @server.prompt()
    async def stumble() -> str:
        raise LookupError("no words")


def low_toy(gate: Gate | None = None, name: str = "toy") -> Server[Any]:
    """Build a low-level `Server` with the same tools, as far as they make sense there."""
    gate = gate or Gate()

    async def list_tools(_ctx: Any, _params: Any) -> types.ListToolsResult:
        names = ("add", "boom", "impatient", "refuses", "protocol", "asks", "endless")
        schema = {"type": "object"}
        return types.ListToolsResult(tools=[types.Tool(name=n, input_schema=schema) for n in names])

    async def call_tool(_ctx: Any, params: Any) -> Any:
        given = params.arguments or {}
        match params.name:
            case "add":
                return _said(str(given["a"] + given["b"]))
            case "boom":
                raise RuntimeError("x")
            case "impatient":
                raise TimeoutError
            case "refuses":
                return types.CallToolResult(content=_said("no").content, is_error=True)
            case "protocol":
                raise MCPError(-32050, "no such thing")
            case "asks":
                return types.InputRequiredResult(request_state="s")
            case "endless":
                gate.begun.set()
                await anyio.sleep_forever()
        return _said("?")

    return Server(name, version="1", on_list_tools=list_tools, on_call_tool=call_tool)


def _said(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


def ends(found: list[OperationRecord]) -> list[tuple[str | None, str, str | None, int | None]]:
    """Return what was called and how it ended."""
    return [(o.target, o.status, o.error_type, o.status_code) for o in found]
