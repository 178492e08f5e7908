"""An instrumented toy on stdio, or plain when no store is given: a process of its own."""

import sys
from pathlib import Path
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server

sys.path.insert(0, str(Path(__file__).parents[2]))

from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.toys import high_toy, low_toy
from tests.support import recording


def main(kind: str, store: str | None = None) -> None:
    toy: Any = high_toy() if kind == "high" else low_toy()
    if store is None:
        serve(toy)
        return
    with recording(Path(store)) as monitor:
        serve(instrument(toy, monitor))


def serve(toy: Any) -> None:
    if isinstance(toy, MCPServer):
        toy.run("stdio")
    else:
        anyio.run(_serve_low, toy)


async def _serve_low(server: Any) -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    main(*sys.argv[1:])
