"""What HTTP refuses under `wrap --http`, and what is no message: each recorded once."""

import socket
from pathlib import Path

import pytest

from tests.mcp.http_support import JSON, answer, call, post, read_until, relayed, scripted
from tests.mcp.relay_support import ENVIRONMENT


@pytest.fixture(autouse=True)
def _no_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_START_KEEPER", "false")
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (b"401 Unauthorized", b"", ("error", "http_401", 401)),
        (b"404 Not Found", b"<html>", ("error", "http_404", 404)),
        (b"413 Too Large", b"{}", ("error", "http_413", 413)),
        (b"504 Gateway Timeout", b"", ("timeout", "http_504", 504)),
        (
            b"400 Bad Request",
            b'{"jsonrpc":"2.0","id":3,"error":{"code":-32020}}',
            ("error", "-32020", -32020),
        ),
        (
            b"400 Bad Request",
            b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600}}',
            ("error", "http_400", 400),
        ),
    ],
)
@pytest.mark.requirement("doors:wire:http-refusals")
def test_what_http_refuses_is_an_error_with_its_code(
    tmp_path: Path, status: bytes, body: bytes, expected: tuple[str, str, int]
) -> None:
    notice = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'

    def speak(connection: socket.socket) -> None:
        for end in (call(3), notice, b"{not json", b"\r\n\r\n"):
            read_until(connection, end)
            connection.sendall(answer(body, JSON, status=status))

    get = b"GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with scripted(speak) as server, relayed(tmp_path, server.url) as relay:
        with relay.connect() as client:
            for request in (post(call(3)), post(notice), post(b"{not json"), get):
                client.sendall(request)
                refusal = answer(body, JSON, status=status)
                assert read_until(client, refusal) == refusal
        records = relay.records_when(4)

    found = [(r.operation_type, r.kind, r.status, r.error_type, r.status_code) for r in records]
    code = int(status[:3])
    refused = ("timeout" if code == 504 else "error", f"http_{code}", code)
    assert found == [
        ("tools/call", "request", *expected),
        ("notifications/initialized", "notification", *refused),
        ("http/POST", "request", *refused),
        ("http/GET", "request", *refused),
    ]


def test_what_the_protocol_lets_a_server_decline_is_no_failure(tmp_path: Path) -> None:
    refusal = answer(b"", b"Allow: POST", status=b"405 Method Not Allowed")
    verbs = (b"GET", b"DELETE", b"PUT")

    def speak(connection: socket.socket) -> None:
        for end in (*[b"\r\n\r\n"] * len(verbs), call(1)):
            read_until(connection, end)
            connection.sendall(refusal)

    with scripted(speak) as server, relayed(tmp_path, server.url) as relay:
        with relay.connect() as client:
            for verb in verbs:
                client.sendall(verb + b" /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert read_until(client, refusal) == refusal
            client.sendall(post(call(1)).replace(b"POST", b"DELETE"))
            assert read_until(client, refusal) == refusal
        records = relay.records_when(4)

    assert [
        (r.operation_type, r.kind, r.status, r.error_type, r.status_code, r.duration_ms is None)
        for r in records
    ] == [
        ("http/GET", "request", "success", None, 405, True),
        ("http/DELETE", "request", "success", None, 405, True),
        ("http/PUT", "request", "error", "http_405", 405, False),
        ("tools/call", "request", "error", "http_405", 405, False),
    ]


@pytest.mark.requirement("doors:wire:once", "doors:wire:http-parse")
def test_a_post_that_is_no_message_is_recorded_once_whatever_the_server_makes_of_it(
    tmp_path: Path,
) -> None:
    accepted = answer(b"", status=b"202 Accepted")

    def speak(connection: socket.socket) -> None:
        for end in (b"{not json", b"[5, null]"):
            read_until(connection, end)
            connection.sendall(accepted)
        read_until(connection, call(1))
        connection.sendall(answer(b"{not json", JSON))

    with scripted(speak) as server, relayed(tmp_path, server.url) as relay:
        with relay.connect() as client:
            for body in (b"{not json", b"[5, null]"):
                client.sendall(post(body))
                assert read_until(client, accepted) == accepted
            client.sendall(post(call(1)))
            read_until(client, b"{not json")
        records = relay.records_when(4)

    assert [(r.operation_type, r.status, r.error_type, r.status_code) for r in records] == [
        *[("unparsable", "error", "ParseError", -32700)] * 3,
        ("tools/call", "error", "NoAnswer", None),
    ]
