"""`Conversation`: what passes between a client's socket and the server's, read on both ways.

Requests go on with another `Host`; answers go on as they are, whether they can be read or not.
Nothing that recording does can stop the bytes.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from contextframe_monitoring.mcp.ending import Ending, http_refusal
from contextframe_monitoring.mcp.http_exchange import Client, Exchange
from contextframe_monitoring.mcp.http_head import (
    Framing,
    HttpError,
    check_host,
    read_request,
    read_response,
    with_host,
)
from contextframe_monitoring.mcp.http_stream import HttpStream

_UNREADABLE = Ending("error", "UnreadableAnswer")
_UNREACHABLE_CODE, _REFUSED_CODE = -32000, -32600
EXCHANGES_MAX = 64
"""Requests that a client may send on one socket before it has read their answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The server behind the relay: where it listens, and the path at which it speaks MCP."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str

    def speaks_mcp_at(self, target: str) -> bool:
        """Return whether a request for this target may carry MCP messages."""
        path = target.partition("?")[0]
        return self.path == "/" or path.rstrip("/") == self.path.rstrip("/")


class Conversation:
    """Reads both ways of one client's socket."""

    def __init__(self, client: Client, upstream: Upstream) -> None:
        """Nothing was said yet."""
        self.observer_errors = 0
        self._client, self._upstream = client, upstream
        self._asked: deque[Exchange] = deque()
        self._requests = HttpStream(_Requests(self))
        self._answers = HttpStream(_Answers(self))
        self._answers_unread = False

    # -- what the sockets do

    def from_client(self, data: bytes) -> bytes:
        """Take bytes of the client and return what goes to the server. Raises `HttpError`."""
        return self._requests.feed(data)

    def from_server(self, data: bytes) -> None:
        """Take bytes of the server. They go on as they are, after this."""
        if self._answers_unread:
            return
        try:
            self._answers.feed(data)
        except HttpError:
            self._answers_unread = True
            self._fail(_UNREADABLE)

    def server_closed(self, ending: Ending) -> None:
        """Hear that the server's socket is closed."""
        if not self._answers_unread:
            self._answers.closed()
        self._fail(ending)

    def client_closed(self, ending: Ending) -> None:
        """Hear that the client's socket is closed; what still waits has ended like this."""
        self._fail(ending)
        self.watched(lambda: self._client.gone(ending))

    def waits_for(self, method: str | None = None) -> bool:
        """Return whether a request (of this method) has no whole answer yet."""
        if method is None:
            return bool(self._asked) or not self._requests.between
        return any(exchange.method == method for exchange in self._asked)

    # -- answers of our own

    def unreachable(self, ending: Ending, reason: str) -> bytes | None:
        """Return the answer to the oldest request when the server can't be reached; None as long
        as the request is not whole.
        """
        if not self._asked or not self._asked[0].request_over:
            return None
        exchange = self._asked[0]
        message = (
            f"contextframe-monitoring wrap: the MCP server at {self._upstream.scheme}://"
            f"{self._upstream.authority} can't be reached ({reason}); is it running?"
        )
        self._fail(ending)
        keys = exchange.keys
        return _answer("502 Bad Gateway", _UNREACHABLE_CODE, message, keys[0] if keys else None)

    def refused(self, error: HttpError) -> bytes:
        """Return the answer to a request that does not go on."""
        self.watched(lambda: self._client.refused(http_refusal(error.status_code)))
        message = f"contextframe-monitoring wrap: the request is refused: {error}"
        return _answer(error.status, _REFUSED_CODE, message, None)

    # -- what the streams show

    def request_head(self, raw: bytes) -> tuple[bytes, Framing]:
        """Take the head of a request."""
        head = read_request(raw)
        check_host(head)
        if len(self._asked) >= EXCHANGES_MAX:
            raise HttpError("too many requests before their answers")
        client = self._client if self._upstream.speaks_mcp_at(head.target) else None
        try:
            exchange = Exchange(client, head)
        except Exception:  # noqa: BLE001 - the request goes on, recorded or not
            self.observer_errors += 1
            exchange = Exchange(None, head)
        self._asked.append(exchange)
        return with_host(head, self._upstream.authority.encode("ascii")), head.framing

    def request_data(self, part: bytes) -> None:
        """Take a part of the newest request's body."""
        exchange = self._asked[-1] if self._asked else None
        if exchange is not None and not exchange.request_over:
            self.watched(lambda: exchange.request_data(part))

    def request_end(self) -> None:
        """Hear that the newest request is whole."""
        exchange = self._asked[-1] if self._asked else None
        if exchange is not None and not exchange.request_over:
            self.watched(exchange.request_end)

    def answer_head(self, raw: bytes) -> tuple[bytes, Framing]:
        """Take the head of an answer to the oldest request."""
        exchange = self._asked[0] if self._asked else None
        head = read_response(raw, "GET" if exchange is None else exchange.method)
        if head.framing == "tunnel":
            self._requests.tunnel = True
        if exchange is not None:
            exchange.interim = head.status < 200
            self.watched(lambda: exchange.answer_head(head))
        return b"", head.framing

    def answer_data(self, part: bytes) -> None:
        """Take a part of its body."""
        if self._asked:
            exchange = self._asked[0]
            self.watched(lambda: exchange.answer_data(part))

    def answer_end(self) -> None:
        """Hear that the answer is whole."""
        if self._asked and not self._asked[0].interim:
            self.watched(self._asked.popleft().answer_end)

    def watched(self, look: Callable[[], None]) -> None:
        """Let recording look, whatever becomes of that."""
        try:
            look()
        except Exception:  # noqa: BLE001 - the bytes go on
            self.observer_errors += 1

    def _fail(self, ending: Ending) -> None:
        while self._asked:
            exchange = self._asked.popleft()
            self.watched(lambda exchange=exchange: exchange.fail(ending))  # type: ignore[misc]


class _Requests:
    """Shows the client's way to a conversation."""

    def __init__(self, conversation: Conversation) -> None:
        self.head = conversation.request_head
        self.data = conversation.request_data
        self.end = conversation.request_end


class _Answers:
    """Shows the server's way to a conversation."""

    def __init__(self, conversation: Conversation) -> None:
        self.head = conversation.answer_head
        self.data = conversation.answer_data
        self.end = conversation.answer_end


def _answer(status: str, code: int, message: str, key: str | float | None) -> bytes:
    """Return a whole HTTP answer that holds one JSON-RPC error."""
    error = {"jsonrpc": "2.0", "id": key, "error": {"code": code, "message": message}}
    body = json.dumps(error).encode()
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
