"""An instrumented toy on stdio, or plain when no store is given: a process of its own."""

import sys
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[2]))

from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.toys import high_toy, low_toy
from tests.support import recording


def main(kind: str, store: str) -> None:
    with recording(Path(store)) as monitor:
        if kind == "high":
            instrument(high_toy(), monitor).run("stdio")
            return
        anyio.run(_serve_low, monitor)


async def _serve_low(monitor: object) -> None:
    from mcp.server.stdio import stdio_server

    server = instrument(low_toy(), monitor)  # type: ignore[arg-type]
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    main(*sys.argv[1:])
