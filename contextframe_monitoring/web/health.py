"""GET `/health/live` and `/health/ready`: whether the process runs, and whether it can work."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.monitor import Monitor


def health_routes(monitor: Monitor) -> list[Route]:
    """Return the routes; an answer says by its status what a probe needs to know."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> JSONResponse:
        problem = await monitor.in_thread(lambda: _problem(monitor))
        if problem is None:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "unavailable", "message": problem}, 503)

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _problem(monitor: Monitor) -> str | None:
    """Return why the store can't be worked with, None when it can."""
    if not monitor.config.enabled:
        return None
    try:
        ledger = monitor.store.ledger
        if ledger is None or not ledger.keepers():
            return "no keeper is known to this store yet"
    except MonitoringError as error:
        return str(error)
    return None
