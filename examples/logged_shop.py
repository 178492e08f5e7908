"""A web application whose requests, calls, queries, events and log lines carry one id each."""

import os
import tempfile
from pathlib import Path

import anyio
import httpx2
from sqlalchemy import create_engine, text
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from contextframe_monitoring import (
    Monitor,
    MonitoredApp,
    get_logger,
    watch_http_client,
    watch_sql_engine,
)

LOG = Path(tempfile.mkdtemp()) / "shop.log"
os.environ["CONTEXTFRAME_MONITORING_LOGGING__FILE"] = str(LOG)


def shop(monitor: Monitor) -> Starlette:
    """Build the application: one route that asks a database and another service."""
    log = get_logger("shop", monitor=monitor)
    engine = watch_sql_engine(create_engine("sqlite://"), monitor)
    prices = httpx2.MockTransport(lambda _: httpx2.Response(200, json={"price": 40}))
    client = watch_http_client(httpx2.AsyncClient(transport=prices), monitor)

    async def order(request: Request) -> PlainTextResponse:
        log.info("order.seen", order=request.path_params["order_id"])
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        with monitor.business_event("order.placed", category="web") as event:
            found = await client.get("https://prices.example/v1/items/7")
            event.numbers["price"] = found.json()["price"]
        return PlainTextResponse("placed")

    return Starlette(
        routes=[Route("/orders/{order_id}", order)],
        middleware=[Middleware(MonitoredApp, monitor=monitor)],
    )


async def main() -> None:
    """Send one request that brings an id, and show what stands under it."""
    with Monitor.open(name="shop") as monitor:
        transport = httpx2.ASGITransport(app=shop(monitor))
        async with httpx2.AsyncClient(transport=transport, base_url="http://shop") as browser:
            answer = await browser.get("/orders/7", headers={"X-Correlation-ID": "visit-1"})
        print(answer.status_code, answer.headers["x-correlation-id"])
        await monitor.flush()
        print(f"contextframe-monitoring logs --correlation-id visit-1 --file {LOG}")


if __name__ == "__main__":
    anyio.run(main)
