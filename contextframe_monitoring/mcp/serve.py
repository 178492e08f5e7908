"""The monitoring server as a process: stdio or streamable HTTP, with the keeper in a thread
beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import MonitoringError, UnavailableError
from contextframe_monitoring.core.records import OWN_SERVER
from contextframe_monitoring.mcp.address import loopback_address
from contextframe_monitoring.mcp.server import build_server
from contextframe_monitoring.monitor import Monitor
from contextframe_monitoring.store.settings import load_config

EXIT_FINDING, EXIT_USAGE = 1, 2
_USAGE = ("invalid", "not_found", "limited")

KEEPER_DELAY_SECONDS = 2.0
"""The keeper's imports take a second of the interpreter: they wait until the first answers are
out.
"""


def main(arguments: list[str]) -> int:
    """Run `serve` with its arguments and return the exit status.

    The same as the command that `--help` shows, without the command line's imports: a client waits
    for the first answer.
    """
    parser = argparse.ArgumentParser(prog="contextframe-monitoring serve", add_help=False)
    for option in ("--http", "--store", "--config"):
        parser.add_argument(option)
    given = parser.parse_args(arguments)
    try:
        config = load_config(given.config, os.environ, store=given.store)
        if given.http is None:
            serve_stdio(config)
        else:
            serve_http(config, given.http)
    except MonitoringError as error:
        print(f"contextframe-monitoring: {error}", file=sys.stderr)  # noqa: T201 - the edge
        return EXIT_USAGE if error.code in _USAGE else EXIT_FINDING
    return 0


def serve_stdio(config: MonitoringConfig) -> None:
    """Serve over stdin and stdout until the client leaves."""
    _quiet()
    with _monitored(config) as monitor:
        build_server(monitor).run("stdio")


def serve_http(config: MonitoringConfig, address: str) -> None:
    """Serve streamable HTTP at `http://ADDRESS/mcp` until interrupted.

    Raises `InvalidError` for an address that is none, or that is not loopback: other addresses
    need keys.
    """
    host, port = loopback_address(address)
    _quiet()
    with _monitored(config) as monitor:
        server = build_server(monitor)
        try:
            server.run("streamable-http", host=host, port=port)
        except SystemExit as stopped:  # uvicorn's way to say that it could not bind
            if stopped.code:
                message = f"{address} can't be used: is another server listening there?"
                raise UnavailableError(message) from None


@contextlib.contextmanager
def _monitored(config: MonitoringConfig) -> Iterator[Monitor]:
    """Open the monitor of our own server, and keep the store meanwhile."""
    stop = threading.Event()
    with Monitor.open(config, name=OWN_SERVER) as monitor:
        keeper = threading.Thread(target=_keep, args=(monitor, stop), name="keeper", daemon=True)
        keeper.start()
        try:
            yield monitor
        finally:
            stop.set()
            keeper.join(timeout=10)


def _keep(monitor: Monitor, stop: threading.Event) -> None:
    if stop.wait(KEEPER_DELAY_SECONDS) or not monitor.config.enabled:
        return
    from contextframe_monitoring.keeper import keeper_of

    keeper_of(monitor.store, monitor.config).run(stop)


def _quiet() -> None:
    """Keep the SDK's chatter off stderr: warnings and worse pass."""
    logging.getLogger("mcp").setLevel(logging.WARNING)
