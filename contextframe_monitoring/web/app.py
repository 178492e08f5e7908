"""One app on one port: telemetry, health and metrics, and whatever is mounted beside them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.logs.monitored_app import MonitoredApp
from contextframe_monitoring.monitor import Monitor
from contextframe_monitoring.web.health import health_routes
from contextframe_monitoring.web.loopback import LoopbackOnly
from contextframe_monitoring.web.otlp import otlp_routes
from contextframe_monitoring.web.scrape import scrape_routes

PROBES = ("/health/live", "/health/ready", "/metrics")
"""Paths that are asked every few seconds: their good answers are logged at level debug."""


def web_app(monitor: Monitor, mcp_app: Starlette) -> Starlette:
    """Return the app: our routes, and those of `mcp_app` with its middleware and its lifespan.

    They are taken over instead of mounted at `/`: a mount would answer for every path that another
    route has for another method.
    """
    routes = [*otlp_routes(monitor), *health_routes(monitor), *scrape_routes(monitor)]
    inner = mcp_app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[Any]:
        monitor.loop_lag.note()
        async with inner(app) as state:
            yield state

    middleware = [Middleware(LoopbackOnly), *mcp_app.user_middleware]
    if monitor.config.logging.request_lines:
        logged = Middleware(MonitoredApp, monitor=monitor, records=False, quiet=PROBES)
        middleware.insert(0, logged)
    return Starlette(
        routes=[*routes, *mcp_app.routes],
        middleware=middleware,
        lifespan=lifespan,
    )


def serve_app(app: Starlette, host: str, port: int) -> None:
    """Serve until interrupted. Raises `UnavailableError` when the port is taken."""
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
    except SystemExit as stopped:  # uvicorn's way to say that it could not bind
        if stopped.code:
            message = f"{host}:{port} can't be used: is another server listening there?"
            raise UnavailableError(message) from None
