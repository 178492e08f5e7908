"""Calls that an application makes: timed, with their ends, their id sent along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from contextframe_monitoring import correlation, watch_http_client
from contextframe_monitoring.core.errors import InvalidError
from tests.logs.lines import lines_of, logging_monitor
from tests.support import operations

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def answer(request: httpx2.Request) -> httpx2.Response:
    if request.url.path == "/slow":
        raise httpx2.ReadTimeout("too slow", request=request)
    if request.url.path == "/gone":
        raise httpx2.ConnectError("refused", request=request)
    return httpx2.Response(int(request.url.params.get("code", 200)), json=dict(request.headers))


URLS = [
    "https://api.example.org/v1/orders/7?code=200&key=secret",
    "https://api.example.org:8443/v1/orders?code=404",
    "https://api.example.org/slow",
    "https://api.example.org/gone",
]
EXPECTED = [
    ("http GET", "api.example.org/v1/orders/{id}", "success", None, 200, "out"),
    ("http GET", "api.example.org:8443/v1/orders", "error", "404", 404, "out"),
    ("http GET", "api.example.org/slow", "timeout", "ReadTimeout", None, "out"),
    ("http GET", "api.example.org/gone", "error", "ConnectError", None, "out"),
]


def seen(folder: Path) -> list[tuple[Any, ...]]:
    return [
        (o.operation_type, o.target, o.status, o.error_type, o.status_code, o.direction)
        for o in operations(folder / "store")
    ]


@pytest.mark.requirement("004:log:trace-services", "004:perf:external-calls")
@pytest.mark.requirement("export:logs:http-client")
def test_calls_are_outgoing_operations_and_carry_the_id_on(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor:
        transport = httpx2.MockTransport(answer)
        with watch_http_client(httpx2.Client(transport=transport), monitor) as client:
            with correlation(TRACE_ID):
                headers = client.get(URLS[0]).json()
                assert client.get(URLS[1]).status_code == 404
                for url, error in ((URLS[2], httpx2.ReadTimeout), (URLS[3], httpx2.ConnectError)):
                    with pytest.raises(error):
                        client.get(url)
            alone = client.get(URLS[0]).json()
    assert headers["x-correlation-id"] == TRACE_ID
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (version, trace_id, len(span_id), flags) == ("00", TRACE_ID, 16, "01")
    assert not {"x-correlation-id", "traceparent"} & set(alone)
    assert seen(tmp_path) == [*EXPECTED, EXPECTED[0]]
    assert [o.correlation_id for o in operations(tmp_path / "store")] == [*4 * [TRACE_ID], None]
    assert [(line["level"], line["message"]) for line in lines_of(tmp_path)] == 3 * [
        ("error", "call.failed")
    ]
    assert "secret" not in (tmp_path / "app.log").read_text()


async def test_an_async_client_too_and_the_id_stays_here_when_that_is_wanted(
    tmp_path: Path,
) -> None:
    with logging_monitor(tmp_path) as monitor:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        watch_http_client(client, monitor, propagate=False, endpoint=lambda r: "orders")
        watch_http_client(client, monitor)
        async with client:
            with correlation(TRACE_ID):
                headers = (await client.get(URLS[0])).json()
                with pytest.raises(httpx2.ReadTimeout):
                    await client.get(URLS[2])
                async with client.stream("GET", URLS[1]) as response:
                    assert response.status_code == 404
    assert not {"x-correlation-id", "traceparent"} & set(headers)
    assert [row[1:3] for row in seen(tmp_path)] == [
        ("orders", "success"), ("orders", "timeout"), ("orders", "error"),
    ]  # fmt: skip


def test_a_call_that_brings_its_own_trace_context_keeps_it(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor, correlation(TRACE_ID):
        client = httpx2.Client(transport=httpx2.MockTransport(answer))
        with watch_http_client(client, monitor, endpoint=lambda r: str(1 / 0)) as watched:
            headers = watched.get(URLS[0], headers={"traceparent": "own"}).json()
    assert headers["traceparent"] == "own"
    assert seen(tmp_path)[0][1] == "(unknown)"


def test_what_is_no_client_is_refused(tmp_path: Path) -> None:
    with logging_monitor(tmp_path) as monitor, pytest.raises(InvalidError, match="client = 'dict'"):
        watch_http_client({}, monitor)
