"""GET `/metrics`: the exposition for Prometheus."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.monitor import Monitor


def scrape_routes(monitor: Monitor) -> list[Route]:
    """Return the route, which answers in the format that the scraper accepts."""

    async def metrics(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        try:
            kind, body = await monitor.in_thread(lambda: monitor.exporter.exposition(accept))
        except MonitoringError as error:
            return PlainTextResponse(str(error), 503)
        return Response(body, headers={"Content-Type": kind})

    return [Route("/metrics", metrics)]
