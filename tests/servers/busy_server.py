"""An MCP server whose tools do what a relay must cope with: ask back, report progress, be slow.

Over stdio; or over streamable HTTP with arguments: PORT, then any of `json` and `stateless`.
"""

import os
import signal
import sys
import warnings

import anyio
from mcp import MCPDeprecationWarning, types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

warnings.simplefilter("ignore", MCPDeprecationWarning)
server = MCPServer("busy")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def fail(reason: str) -> str:
    """Fail."""
    raise ValueError(reason)


@server.tool()
async def ask(question: str, ctx: Context) -> str:
    """Ask the client's model."""
    message = types.SamplingMessage(
        role="user", content=types.TextContent(type="text", text=question)
    )
    answer = await ctx.session.create_message([message], max_tokens=10)
    return answer.content.text


@server.tool()
async def climb(steps: int, ctx: Context) -> int:
    """Report progress at each step."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps)
    return steps


@server.tool()
async def wait_for_ever() -> str:
    """Never answer."""
    await anyio.sleep_forever()
    return "never"


@server.tool()
def die() -> str:
    """End the process in the middle of a call."""
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


if sys.argv[1:]:
    server.run(
        "streamable-http",
        host="127.0.0.1",
        port=int(sys.argv[1]),
        json_response="json" in sys.argv,
        stateless_http="stateless" in sys.argv,
    )
else:
    server.run("stdio")
