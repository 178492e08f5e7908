"""The monitoring server as a process over stdio, or as an app for HTTP, with the keeper in a thread
beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Collection, Iterator

import anyio
from starlette.applications import Starlette

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.core.records import OWN_SERVER
from contextframe_monitoring.mcp.server import build_server
from contextframe_monitoring.mcp.toolsets import DEFAULT, toolsets_of
from contextframe_monitoring.monitor import Monitor
from contextframe_monitoring.store.settings import load_config

EXIT_FINDING, EXIT_USAGE = 1, 2
_USAGE = ("invalid", "not_found", "limited")

KEEPER_DELAY_SECONDS = 2.0
"""The keeper's imports take a second of the interpreter: they wait until the first answers are
out.
"""


def main(arguments: list[str]) -> int:
    """Run `serve` over stdio with its arguments and return the exit status.

    The same as the command that `--help` shows, without the command line's imports: a client waits
    for the first answer.
    """
    name = "contextframe-monitoring serve"
    parser = argparse.ArgumentParser(prog=name, add_help=False, allow_abbrev=False)
    for option in ("--store", "--config", "--toolsets"):
        parser.add_argument(option)
    given = parser.parse_args(arguments)
    try:
        config = load_config(given.config, os.environ, store=given.store)
        serve_stdio(config, toolsets_of(given.toolsets))
    except MonitoringError as error:
        print(f"contextframe-monitoring: {error}", file=sys.stderr)  # noqa: T201 - the edge
        return EXIT_USAGE if error.code in _USAGE else EXIT_FINDING
    return 0


def serve_stdio(config: MonitoringConfig, toolsets: Collection[str] = (DEFAULT,)) -> None:
    """Serve over stdin and stdout until the client leaves."""
    with monitored(config) as monitor:
        server = build_server(monitor, toolsets)

        async def run() -> None:
            monitor.loop_lag.note()
            await server.run_stdio_async()

        anyio.run(run)


def http_app(monitor: Monitor, host: str, toolsets: Collection[str] = (DEFAULT,)) -> Starlette:
    """Return the app that serves streamable HTTP at `/mcp`; its lifespan must run."""
    return build_server(monitor, toolsets).streamable_http_app(host=host)


@contextlib.contextmanager
def monitored(config: MonitoringConfig) -> Iterator[Monitor]:
    """Open the monitor of our own server, and keep the store meanwhile."""
    _quiet()
    stop = threading.Event()
    with Monitor.open(config, name=OWN_SERVER) as monitor, _bridged(monitor):
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

    try:
        keeper = keeper_of(monitor.store, monitor.config)
    except MonitoringError as error:  # the tools say it too; what comes later the keeper notes
        print(f"contextframe-monitoring: {error}", file=sys.stderr)  # noqa: T201 - the edge
        return
    said: str | None = None

    def beside() -> None:
        nonlocal said
        monitor.sample_when_due()
        if keeper.last_error != said:
            said = keeper.last_error
            if monitor.config.logging.file is not None:
                _log_keeper(monitor, said)

    keeper.run(stop, beside=beside)


def _log_keeper(monitor: Monitor, problem: str | None) -> None:
    log = monitor.logs.logger("keeper")
    if problem is None:
        log.info("keeper.recovered")
    else:
        log.error("keeper.failed", problem=problem)


@contextlib.contextmanager
def _bridged(monitor: Monitor) -> Iterator[None]:
    """Write what libraries warn of into the log file, where there is one."""
    if monitor.config.logging.file is None:
        yield
        return
    from contextframe_monitoring.logs.bridge import LogBridge

    bridge, root = LogBridge(monitor.logs, logging.WARNING), logging.getLogger()
    root.addHandler(bridge)
    try:
        yield
    finally:
        root.removeHandler(bridge)


def _quiet() -> None:
    """Keep the SDK's chatter off stderr: warnings and worse pass."""
    logging.getLogger("mcp").setLevel(logging.WARNING)
