"""A child of `bench overhead`: a server over stdio or HTTP, plain, or monitored into a store.

Arguments: `stdio` or `http`, and the folder of the store when it is to be monitored. Over HTTP the
port stands alone on the first line of the output.
"""

from __future__ import annotations

import socket
import sys

from contextframe_monitoring.bench.toys import high


def main(transport: str, store: str = "") -> None:
    """Serve until the input ends (stdio) or the process is ended (HTTP)."""
    server = high()
    if store:
        from contextframe_monitoring.mcp.instrument import instrument
        from contextframe_monitoring.monitor import Monitor

        instrument(server, Monitor.open(store=store, start_keeper=False))
    if transport == "stdio":
        server.run("stdio")
        return
    import uvicorn

    # asyncio switches Nagle's algorithm off only where the protocol is named: else 40 ms a call
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - for the parent
    config = uvicorn.Config(server.streamable_http_app(), log_level="critical")
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
