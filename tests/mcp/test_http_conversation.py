"""What a conversation over HTTP leaves in the records, message by message."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.mcp.ending import CANCELLED, SERVER_DISCONNECTED, UNREACHABLE
from contextframe_monitoring.mcp.http_conversation import EXCHANGES_MAX, Conversation
from contextframe_monitoring.mcp.http_exchange import Client
from contextframe_monitoring.mcp.http_head import HttpError
from contextframe_monitoring.mcp.http_sessions import Sessions
from contextframe_monitoring.mcp.recording import Recording
from contextframe_monitoring.mcp.wrap_http import upstream_of
from tests.mcp.http_support import answer, post
from tests.mcp.relay_support import recorded

JSON, EVENTS = b"Content-Type: application/json", b"Content-Type: text/event-stream"
CHUNKED = b"Transfer-Encoding: chunked"


class Wire:
    """A relay without sockets."""

    def __init__(self, store: Path, **options: Any) -> None:
        config = MonitoringConfig(store=str(store), start_keeper=False)
        self._store = store
        self.recording = Recording(config, name=None, known_as="up:1")
        self.sessions = Sessions(self.recording, **options)

    def socket(self) -> Conversation:
        return Conversation(Client(self.sessions), upstream_of("http://up:1/mcp"))

    def records(self) -> list[OperationRecord]:
        return recorded(self._store)

    def told(self) -> list[tuple[str, str, str | None]]:
        return [(r.operation_type, r.status, r.error_type) for r in self.records()]


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    made = Wire(tmp_path)
    yield made
    made.recording.close()


def request(number: int, method: str = "tools/call", **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode()


def result(number: int, **members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "result": members}).encode()


def event(data: bytes, more: bytes = b"") -> bytes:
    framed = more + b"data: " + data + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(framed), framed)


def stream(*headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", EVENTS, CHUNKED, *headers]) + b"\r\n\r\n"


def test_an_answer_may_come_on_another_stream_of_its_session(wire: Wire) -> None:
    one, two = wire.socket(), wire.socket()
    one.from_client(post(request(0, "initialize", clientInfo={"name": "desk"})))
    hello = result(0, protocolVersion="2025-11-25", serverInfo={"name": "own"})
    one.from_server(answer(hello, JSON, b"Mcp-Session-Id: s"))
    one.from_client(post(request(1, name="slow"), b"mcp-session-id: s"))
    one.from_server(stream() + event(b"{}", b"id: 7\n") + b"0\r\n\r\n")
    two.from_client(b"GET /mcp HTTP/1.1\r\nMcp-Session-Id: s\r\nLast-Event-ID: 7\r\n\r\n")
    two.from_server(stream() + event(result(1)))

    assert wire.told() == [("initialize", "success", None), ("tools/call", "success", None)]
    origins = {(r.origin.session_id, r.origin.agent_id, r.origin.server) for r in wire.records()}
    assert origins == {("s", "desk", "own")}
    assert {r.origin.protocol_version for r in wire.records()} == {"2025-11-25"}


def test_a_stream_that_ends_without_an_answer_is_an_error(wire: Wire) -> None:
    conversation = wire.socket()
    conversation.from_client(post(request(1)))
    conversation.from_server(stream() + event(b"{}", b"id: 7\n") + b"0\r\n\r\n")

    assert wire.told() == [("tools/call", "error", "NoAnswer")]


def test_an_answer_in_a_form_that_nobody_reads_here_is_an_answer(wire: Wire) -> None:
    conversation = wire.socket()
    conversation.from_client(post(request(1)))
    conversation.from_server(answer(b"\x1b\x00", JSON, b"Content-Encoding: br"))
    conversation.from_client(post(request(2)))
    conversation.from_server(answer(b"no gzip", JSON, b"Content-Encoding: gzip"))

    assert wire.told() == [("tools/call", "success", None)] * 2
    assert {r.result_size for r in wire.records()} == {None}


def test_an_answer_that_ends_with_the_connection_is_whole(wire: Wire) -> None:
    conversation = wire.socket()
    conversation.from_client(post(request(1)))
    conversation.from_server(b"HTTP/1.0 200 OK\r\n" + JSON + b"\r\n\r\n" + result(1))
    conversation.server_closed(SERVER_DISCONNECTED)

    assert wire.told() == [("tools/call", "success", None)]


def test_pipelined_requests_get_their_own_answers(wire: Wire) -> None:
    conversation = wire.socket()
    out = conversation.from_client(post(request(1, name="a")) + post(request(1, name="b")))
    conversation.from_server(answer(result(1), JSON) + answer(result(1, isError=True), JSON))

    assert out.count(b"Host: up:1\r\n") == 2
    assert [(r.target, r.status) for r in wire.records()] == [("a", "success"), ("b", "error")]
    assert {r.origin.session_id for r in wire.records()} == {None}


def test_a_subscription_is_recorded_when_it_stands(wire: Wire) -> None:
    conversation = wire.socket()
    conversation.from_client(post(request(5, "subscriptions/listen")))
    meta = {"io.modelcontextprotocol/subscriptionId": 5}
    notice = {"method": "notifications/subscriptions/acknowledged", "params": {"_meta": meta}}
    conversation.from_server(stream() + event(json.dumps(notice).encode()))
    (opened, _) = wire.records()
    conversation.client_closed(CANCELLED)

    assert (opened.operation_type, opened.status, opened.duration_ms) == (
        "subscriptions/listen",
        "success",
        None,
    )
    assert len(wire.records()) == 2


def test_a_session_that_is_over_leaves_its_calls_as_errors(wire: Wire) -> None:
    asking, ending = wire.socket(), wire.socket()
    asking.from_client(post(request(1), b"Mcp-Session-Id: s"))
    ending.from_client(b"DELETE /mcp HTTP/1.1\r\nMcp-Session-Id: s\r\n\r\n")
    ending.from_server(answer(b""))
    asking.from_server(answer(result(1), JSON))

    assert wire.told() == [("tools/call", "error", "SessionEnded")]


def test_sessions_have_a_bound_and_the_silent_one_goes(tmp_path: Path) -> None:
    wire = Wire(tmp_path, sessions_max=2)
    conversation = wire.socket()
    for name in ("a", "b", "a", "c"):
        conversation.from_client(post(request(1, name=name), b"Mcp-Session-Id: %c" % ord(name)))
    wire.recording.close()

    assert [(r.target, r.error_type) for r in wire.records()] == [("b", "SessionEnded")]
    assert wire.sessions.knows("a")


def test_other_paths_pass_and_are_not_looked_at(wire: Wire) -> None:
    conversation = wire.socket()
    asked = post(request(1), path=b"/.well-known/oauth-protected-resource/mcp")
    assert conversation.from_client(asked) == asked.replace(b"Host: localhost:9", b"Host: up:1")
    conversation.from_server(answer(b"", status=b"404 Not Found"))

    assert wire.told() == []
    conversation.from_client(post(request(1), path=b"/mcp/?x=1"))
    conversation.from_server(answer(b"", status=b"404 Not Found"))
    assert wire.told() == [("tools/call", "error", "http_404")]


def test_after_an_upgrade_bytes_only_pass(wire: Wire) -> None:
    conversation = wire.socket()
    conversation.from_client(b"GET /mcp HTTP/1.1\r\nUpgrade: x\r\n\r\n")
    conversation.from_server(b"HTTP/1.1 101 Switching\r\n\r\n\x00anything")
    assert conversation.from_client(b"\x00\x01 whatever\r\n\r\n") == b"\x00\x01 whatever\r\n\r\n"


def test_an_unreadable_answer_ends_the_looking_not_the_bytes(wire: Wire) -> None:
    conversation = wire.socket()
    conversation.from_client(post(request(1)))
    conversation.from_server(b"ICY 200 OK\r\n\r\n")
    conversation.from_server(b"more")
    assert wire.told() == [("tools/call", "error", "UnreadableAnswer")]


def test_interim_answers_end_nothing(wire: Wire) -> None:
    conversation = wire.socket()
    conversation.from_client(post(request(1), b"Expect: 100-continue"))
    conversation.from_server(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(result(1), JSON))
    assert wire.told() == [("tools/call", "success", None)]


def test_an_unreachable_server_is_only_told_when_the_request_is_whole(wire: Wire) -> None:
    conversation = wire.socket()
    whole = post(request(1))
    conversation.from_client(whole[:-1])
    assert conversation.unreachable(UNREACHABLE, "gone") is None
    conversation.from_client(whole[-1:])
    told = conversation.unreachable(UNREACHABLE, "gone")
    assert told is not None
    assert json.loads(told.partition(b"\r\n\r\n")[2])["id"] == 1


def test_a_client_that_never_reads_is_stopped(wire: Wire) -> None:
    conversation = wire.socket()
    many = b"GET /mcp HTTP/1.1\r\n\r\n" * (EXCHANGES_MAX + 1)
    with pytest.raises(HttpError, match="too many requests"):
        conversation.from_client(many)


def test_a_recorder_that_breaks_never_disturbs(wire: Wire, monkeypatch: Any) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("contextframe_monitoring.mcp.observer.Observer.see_posted", broken)
    monkeypatch.setattr("contextframe_monitoring.mcp.observer.Observer.see_answer", broken)
    conversation = wire.socket()
    asked = post(request(1))
    assert conversation.from_client(asked) == asked.replace(b"Host: localhost:9", b"Host: up:1")
    conversation.from_server(answer(result(1), JSON))
    assert conversation.observer_errors == 2
