"""HTTP requests of an application: one id, one operation, one line each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from contextframe_monitoring import Monitor, MonitoredApp, correlation_id, get_logger
from contextframe_monitoring.core.records import OperationRecord
from tests.logs.lines import lines_of, logging_monitor
from tests.support import operations, recorded

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def shop(monitor: Monitor, **options: Any) -> Starlette:
    """An application that tracks, logs, waits and fails."""
    log = get_logger("shop", monitor=monitor)

    async def order(request: Request) -> PlainTextResponse:
        request.state.user_id = "u-1"
        log.info("order.seen")
        monitor.usage.track_event("order.placed")
        await anyio.to_thread.run_sync(monitor.usage.track_event, "order.checked")
        async with anyio.create_task_group() as group:
            group.start_soon(note)
        return PlainTextResponse(correlation_id() or "")

    async def note() -> None:
        monitor.performance.record_metric("orders", 1, kind="counter")

    async def boom(_: Request) -> PlainTextResponse:
        raise RuntimeError("password=hunter2")

    async def busy(_: Request) -> PlainTextResponse:
        return PlainTextResponse("later", 503)

    async def drip(_: Request) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"x"

        return StreamingResponse(parts())

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(correlation_id() or "")
        await websocket.close()

    routes = [
        Route("/orders/{order_id}", order),
        Mount("/inner", routes=[Route("/boom/{n}", boom)]),
        Route("/busy", busy),
        Route("/drip", drip),
        Route("/probe", busy),
        WebSocketRoute("/socket", socket),
    ]
    middleware = Middleware(MonitoredApp, monitor=monitor, **options)  # type: ignore[arg-type]
    return Starlette(routes=routes, middleware=[middleware])


def client_of(app: Starlette) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://shop.example")


def facts(record: OperationRecord) -> tuple[Any, ...]:
    return (
        record.operation_type, record.target, record.status, record.error_type,
        record.status_code, record.direction, record.attributes,
    )  # fmt: skip


@pytest.mark.requirement(
    "004:log:correlation-middleware", "004:log:trace-services", "004:test:correlation",
    "004:ac:correlation",
)  # fmt: skip
async def test_everything_of_a_request_carries_the_id_that_it_brought(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor:
        async with client_of(shop(monitor)) as client:
            answers = [
                await client.get("/orders/7?card=1", headers=headers)
                for headers in (
                    {"traceparent": TRACEPARENT, "X-Correlation-ID": "mine"},
                    {"X-Correlation-ID": "mine"},
                    {"X-Correlation-ID": "not allowed"},
                )
            ]
    made = answers[2].text
    assert [answer.text for answer in answers] == [TRACE_ID, "mine", made]
    assert [answer.headers["x-correlation-id"] for answer in answers] == [TRACE_ID, "mine", made]
    assert len(made) == 32
    assert [record.correlation_id for record in recorded(tmp_path / "store")] == [
        *4 * [TRACE_ID], *4 * ["mine"], *4 * [made],
    ]  # fmt: skip
    assert [(line["message"], line["correlation_id"]) for line in lines_of(tmp_path)] == [
        (message, found)
        for found in (TRACE_ID, "mine", made)
        for message in ("order.seen", "request.handled")
    ]


@pytest.mark.requirement("004:log:id-strategy")
@pytest.mark.parametrize(("strategy", "length"), [("trace", 32), ("uuid", 36), ("none", 0)])
@pytest.mark.requirement("export:logs:origin")
async def test_how_an_id_is_made_is_a_setting(tmp_path: Path, strategy: str, length: int) -> None:
    with logging_monitor(tmp_path, logging={"correlation_ids": strategy}) as monitor:
        async with client_of(shop(monitor)) as client:
            answer = await client.get("/orders/7")
    assert len(answer.text) == len(answer.headers.get("x-correlation-id", "")) == length


@pytest.mark.requirement("export:logs:asgi")
async def test_a_request_is_an_operation_with_its_route_and_how_it_ended(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor:
        async with client_of(shop(monitor, quiet=("/drip",))) as client:
            for path in ("/orders/7?a=b", "/inner/boom/9", "/busy", "/nowhere/8", "/drip"):
                await client.get(path)
            await client.request("BREW", "/busy")
    assert [facts(o) for o in operations(tmp_path / "store")] == [
        ("http GET", "/orders/{order_id}", "success", None, 200, "in", ()),
        ("http GET", "/inner/boom/{n}", "error", "RuntimeError", 500, "in", ()),
        ("http GET", "/busy", "error", "503", 503, "in", ()),
        ("http GET", "(no route)", "success", None, 404, "in", ()),
        ("http _OTHER", "/busy", "success", None, 405, "in", ()),
    ]
    assert operations(tmp_path / "store")[0].origin.user_id == "u-1"
    assert all((o.duration_ms or 0) > 0 for o in operations(tmp_path / "store"))


@pytest.mark.requirement("004:log:timings")
async def test_a_request_has_a_line_with_its_duration_and_an_error_its_stack(
    tmp_path: Path,
) -> None:
    with logging_monitor(tmp_path, logging={"sample_rates": {"request.": 0.0}}) as monitor:
        async with client_of(shop(monitor)) as client:
            await client.get("/busy")
            await client.get("/inner/boom/9")
            await client.get("/drip")
    busy, boom = lines_of(tmp_path)  # what went well is sampled away
    assert busy["context"].pop("duration_ms") > 0
    assert busy["context"] == {
        "operation": "http GET", "target": "/busy", "status": "error", "status_code": 503,
        "error_type": "503",
    }  # fmt: skip
    assert (boom["level"], boom["message"], boom["error"]["type"]) == (
        "error", "request.failed", "RuntimeError",
    )  # fmt: skip
    assert boom["error"]["stack"][-1].endswith("shop.<locals>.boom")
    assert "hunter2" not in (tmp_path / "app.log").read_text()


@pytest.mark.requirement("export:logs:private", "003:ptab:ip-address", "003:ptab:user-agent")
async def test_address_and_user_agent_are_stored_only_when_asked_for(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor:
        for options in ({}, {"address": True, "user_agent": True}):
            async with client_of(shop(monitor, **options)) as client:
                await client.get("/drip", headers={"user-agent": "token=abc curl"})
    plain, told = operations(tmp_path / "store")
    assert plain.attributes == ()
    assert told.attributes == (
        "client.address=127.0.0.1", "user_agent.original=[masked] curl",
    )  # fmt: skip


async def test_without_a_log_file_requests_are_recorded_and_not_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_monitor(tmp_path, logging={"file": None, "level": "warning"}) as monitor:
        async with client_of(shop(monitor)) as client:
            await client.get("/busy")
    assert len(operations(tmp_path / "store")) == 1
    assert capsys.readouterr() == ("", "")


async def test_a_request_that_is_given_up_is_cancelled(tmp_path: Path) -> None:
    async def never(*_: Any) -> None:
        await anyio.sleep_forever()

    async def nothing(*_: Any) -> None:
        return

    scope = {"type": "http", "method": "GET", "path": "/a/1234", "headers": [], "root_path": ""}
    with logging_monitor(tmp_path) as monitor:
        with anyio.move_on_after(0.01):
            await MonitoredApp(never, monitor)(scope, nothing, nothing)  # type: ignore[arg-type]
        await MonitoredApp(nothing, monitor)(scope, nothing, nothing)  # type: ignore[arg-type]
    assert [facts(o) for o in operations(tmp_path / "store")] == [
        ("http GET", "/a/{id}", "cancelled", None, None, "in", ()),
        ("http GET", "/a/{id}", "cancelled", None, None, "in", ()),
    ]


async def test_a_websocket_has_an_id_and_no_record(tmp_path: Path) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-correlation-id", b"mine")]
    scope = {"type": "websocket", "path": "/socket", "headers": headers, "root_path": ""}
    with logging_monitor(tmp_path) as monitor:
        await shop(monitor)(scope, receive, send)
    assert [m.get("text") for m in sent if m["type"] == "websocket.send"] == ["mine"]
    assert recorded(tmp_path / "store") == []
