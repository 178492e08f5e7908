"""Run in an environment that has fastmcp: a server of it, instrumented, and a client that uses it.

Arguments: the folder of the store. Prints what the client got.
"""

import asyncio
import json
import sys
from pathlib import Path

from fastmcp import Client, FastMCP
from fastmcp.exceptions import ToolError

from contextframe_monitoring import instrument
from tests.support import recording


def _server() -> FastMCP:
    server = FastMCP("library")
    inner = FastMCP("shelf")

    @server.tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool
    def fail(reason: str) -> str:
        """Fail."""
        raise RuntimeError(reason)

    @inner.tool
    async def find(title: str) -> str:
        """Find a book."""
        return f"{title} is here"

    server.mount(inner, namespace="shelf")
    return server


async def _use(server: FastMCP) -> list[str]:
    async with Client(server) as client:
        tools = sorted(tool.name for tool in await client.list_tools())
        total = await client.call_tool("add", {"a": 1, "b": 2}, meta={"agent_id": "planner"})
        found = await client.call_tool("shelf_find", {"title": "Emma"})
        try:
            await client.call_tool("fail", {"reason": "x"})
            failure = "none"
        except ToolError as error:
            failure = type(error).__name__
    return [*tools, str(total.data), str(found.data), failure]


with recording(Path(sys.argv[1])) as monitor:
    plain = asyncio.run(_use(_server()))
    server = _server()
    assert instrument(server, monitor) is server
    watched = asyncio.run(_use(server))
assert watched == plain, (watched, plain)
print(json.dumps(watched))
