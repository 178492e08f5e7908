"""Run in an environment that has fastmcp: a server of it, instrumented, and a client that uses it.

Arguments: the folder of the store. Prints what the client got.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

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


async def _refused(server: FastMCP, transport: str) -> list[Any]:
    """Post what is no message to the server's application; return status and body."""
    app = server.http_app(path="/here", transport=transport)
    sent: list[Any] = []
    headers = [(b"accept", b"application/json, text/event-stream"), (b"host", b"127.0.0.1:80")]
    headers.append((b"content-type", b"application/json"))
    path = "/messages/" if transport == "sse" else "/here"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode()}
    scope |= {"headers": headers, "query_string": b"", "root_path": "", "scheme": "http"}
    given = iter([{"type": "http.request", "body": b"{", "more_body": False}])

    async def receive() -> Any:
        return next(given)

    async def send(message: Any) -> None:
        sent.append(message)

    async with app.lifespan(app):
        await app({**scope, "server": ("127.0.0.1", 80)}, receive, send)
    return [sent[0]["status"], b"".join(message.get("body", b"") for message in sent)]


def _whole(server: FastMCP) -> list[Any]:
    refused = [asyncio.run(_refused(server, transport)) for transport in ("http", "sse")]
    return [asyncio.run(_use(server)), *refused]


with recording(Path(sys.argv[1])) as monitor:
    plain = _whole(_server())
    server = _server()
    assert instrument(server, monitor) is server
    watched = _whole(server)
assert watched == plain, (watched, plain)
watched = watched[0]
print(json.dumps(watched))
