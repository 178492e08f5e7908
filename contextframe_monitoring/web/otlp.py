"""POST `/v1/traces`, `/v1/metrics` and `/v1/logs`: OTLP/HTTP."""

from __future__ import annotations

import functools
from typing import Final

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from contextframe_monitoring.core.correlation import bound_to
from contextframe_monitoring.ingest.otlp.bodies import BODY_BYTES_MAX, SIGNALS, Signal
from contextframe_monitoring.ingest.otlp.door import Door
from contextframe_monitoring.ingest.transcripts.books import open_books
from contextframe_monitoring.monitor import Monitor
from contextframe_monitoring.store.facts import IMPORT_LOCK
from contextframe_monitoring.store.machine import FileLock

REQUESTS_AT_ONCE_MAX: Final = 2
"""Bodies that are parsed at one time; others wait for their turn."""
_RETRY_SECONDS = "5"


def otlp_routes(monitor: Monitor) -> list[Route]:
    """Return the routes of the three signals, all through one door."""
    takes = _Intake(monitor)
    return [
        Route(f"/v1/{signal}", functools.partial(takes.answer, signal), methods=["POST"])
        for signal in SIGNALS
    ]


class _Intake:
    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._door: Door | None = None
        self._limiter: anyio.CapacityLimiter | None = None

    async def answer(self, signal: Signal, request: Request) -> Response:
        """Take one request."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(REQUESTS_AT_ONCE_MAX)
        async with self._limiter:
            try:
                body = await _body(request)
            except ClientDisconnect:
                return Response(status_code=400)
            with bound_to(None):  # what is told has ids of its own, not those of its bringer
                found = await anyio.to_thread.run_sync(
                    lambda: self._opened().receive(
                        signal,
                        body,
                        request.headers.get("content-type"),
                        request.headers.get("content-encoding"),
                    )
                )
        headers = {"Retry-After": _RETRY_SECONDS} if found.status == 503 else None
        return Response(found.body, found.status, headers, found.content_type)

    def _opened(self) -> Door:
        if self._door is None:
            self._door = door_of(self._monitor)
        return self._door


def door_of(monitor: Monitor) -> Door:
    """Return the door into the store of a monitor."""
    record = monitor.recorder.record
    refusal = None
    if not monitor.config.enabled:
        refusal = "monitoring is switched off (enabled = false): nothing is recorded"
    elif not monitor.config.track_costs:
        refusal = "costs are not recorded (track_costs = false)"
    else:
        monitor.store.make_folders()
    return Door(
        lambda: open_books(monitor.store, monitor.cost.open_catalogue(), record),
        record,
        FileLock(monitor.store.spool_root / IMPORT_LOCK),
        refusal=refusal,
    )


async def _body(request: Request) -> bytes:
    """Read a body, no further than what shows that it is too large."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > BODY_BYTES_MAX:
            break
    return bytes(found)
