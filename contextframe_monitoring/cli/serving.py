"""`serve` and `keep`: the processes that stay."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from contextframe_monitoring.cli.options import ConfigOption, StoreOption, edge, errors, settings
from contextframe_monitoring.core.config import MonitoringConfig

IDLE_SECONDS = 10.0


@edge
def serve(
    http: Annotated[
        str | None,
        typer.Option(
            "--http",
            metavar="HOST:PORT",
            help="Serve HTTP instead of stdio: /mcp, OTLP at /v1, /metrics, /health.",
        ),
    ] = None,
    toolsets: Annotated[
        str | None,
        typer.Option(
            "--toolsets",
            metavar="NAMES",
            help="More tools than the default ones, by comma: admin (alert rules), or all.",
        ),
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve the monitoring tools to MCP clients, over stdio or streamable HTTP.

    Over HTTP one port serves /mcp, takes OpenTelemetry at /v1/traces, /v1/metrics and /v1/logs
    (protobuf or JSON), and answers /metrics, /health/live and /health/ready.

    Examples:
      contextframe-monitoring serve
      contextframe-monitoring serve --http 127.0.0.1:8765 --toolsets admin
    """
    from contextframe_monitoring.mcp.toolsets import toolsets_of

    found, wanted = settings(store, config), toolsets_of(toolsets)
    if http is None:
        from contextframe_monitoring.mcp.serve import serve_stdio

        serve_stdio(found, wanted)
    else:
        _serve_http(found, http, wanted)


def _serve_http(config: MonitoringConfig, address: str, toolsets: tuple[str, ...]) -> None:
    """Put the MCP endpoint and everything else that speaks HTTP on one port."""
    from contextframe_monitoring.core.address import loopback_address
    from contextframe_monitoring.mcp.serve import http_app, monitored
    from contextframe_monitoring.web.app import serve_app, web_app

    host, port = loopback_address(address)
    with monitored(config) as monitor:
        serve_app(web_app(monitor, http_app(monitor, host, toolsets)), host, port)


@edge
def keep(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Leave when nothing was recorded for a while.")
    ] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Drain the spools of a store into its tables, and look after them: the keeper as a service.

    Waits in line when another process keeps the store already.

    Examples:
      contextframe-monitoring keep
      contextframe-monitoring keep --until-idle --store ~/metrics
    """
    from contextframe_monitoring.core.records import OWN_SERVER
    from contextframe_monitoring.keeper import keeper_of
    from contextframe_monitoring.monitor import Monitor
    from contextframe_monitoring.store.store import store_of

    found = settings(store, config)
    keeper = keeper_of(store_of(found), found)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if not keeper.take() and not until_idle:
        errors.print("another process keeps this store; waiting to take over", highlight=False)
    if until_idle:
        keeper.run(stop, idle_seconds=IDLE_SECONDS)
        return
    with Monitor.open(found, name=OWN_SERVER, start_keeper=False) as monitor:
        keeper.run(stop, beside=monitor.sample_when_due)
