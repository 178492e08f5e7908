"""`HttpTap`: records what a server over HTTP answers before any handler is asked.

An ASGI layer around the whole application: it sees refusals of every kind (no token, another
origin, an unknown session, a wrong header, a body that is too large or can't be read), client
notifications that the modern era acknowledges and drops, and what is sent on a modern request's
event stream. The HTTP+SSE transport of 2024 is watched alike: there its refusals are all that
passes no stream. Bytes pass as they are; nothing is kept of them after the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter_ns, time_ns
from typing import Any

from mcp_types import PARSE_ERROR
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contextframe_monitoring.core.privacy import NAME_CHARS_MAX
from contextframe_monitoring.mcp.adapter import SSE_UNPARSABLE, TRANSPORT_HTTP, TRANSPORT_SSE
from contextframe_monitoring.mcp.ending import DECLINED, is_declined
from contextframe_monitoring.mcp.outcome import Outcome
from contextframe_monitoring.mcp.sightings import SCOPE_KEY, Sightings
from contextframe_monitoring.mcp.sizes import decode
from contextframe_monitoring.mcp.wire import Frame, Road, Sender, Wire

BODY_BYTES_MAX = 256 << 10
"""Of a body that is refused, its method is read up to this size; beyond it the header tells."""
ANSWER_BYTES_MAX = 16 << 10
"""Of the answer to a refused request, its error is read up to this size."""

_VERSION, _METHOD = b"mcp-protocol-version", b"mcp-method"
PATHS: Mapping[str, Mapping[str, str]] = {
    TRANSPORT_HTTP: {"streamable_http_path": "/mcp"},
    TRANSPORT_SSE: {"sse_path": "/sse", "message_path": "/messages/"},
}
"""Where the SDK serves MCP, by the parameters that change it."""
_ACCEPTED = 202
_REFUSED_MIN = 400
_CRASHED = 500


class HttpTap:
    """Watches one application; only requests for the MCP endpoints are looked at."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        paths: tuple[str, ...],
        wires: list[Wire],
        transport: str = TRANSPORT_HTTP,
    ) -> None:
        """`paths` is where the application serves MCP; `wires` may grow."""
        self._app, self._paths, self._wires = app, paths, wires
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, watched."""
        if scope["type"] != "http" or not scope["path"].endswith(self._paths):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, self._wires, self._transport)
        scope[SCOPE_KEY] = exchange.sightings

        async def received() -> Message:
            message = await receive()
            exchange.received(message)
            return message

        async def sent(message: Message) -> None:
            exchange.sent(message)
            await send(message)

        try:
            await self._app(scope, received, sent)
        except Exception as error:
            exchange.crashed(error)
            raise
        exchange.over()


class TappedApp:
    """Stands in for a server's method that builds its HTTP application: puts the layer around
    it.
    """

    def __init__(
        self, build: Callable[..., Starlette], wires: list[Wire], transport: str = TRANSPORT_HTTP
    ) -> None:
        """Take the server's own method, and the transport that its application speaks."""
        self._build, self._wires, self._transport = build, wires, transport

    def __call__(self, *args: Any, **more: Any) -> Starlette:
        """Return the application, watched."""
        app = self._build(*args, **more)
        transport = TRANSPORT_SSE if more.get("transport") == "sse" else self._transport
        first, *others = (more.get(name, path) for name, path in PATHS[transport].items())
        paths = (getattr(app.state, "path", first), *others)  # fastmcp writes it down
        app.add_middleware(HttpTap, paths=paths, wires=self._wires, transport=transport)
        return app


class _Exchange:
    """One HTTP request and its answer. Nothing below may reach the caller."""

    def __init__(self, scope: Scope, wires: list[Wire], transport: str) -> None:
        self.sightings = Sightings()
        self._time_us, self._started_ns = time_ns() // 1000, perf_counter_ns()
        self._wires, self._verb = wires, scope["method"]
        headers = dict(scope["headers"])
        self._transport = transport
        self._version = headers.get(_VERSION, b"").decode("latin-1")
        self._header_method = headers.get(_METHOD, b"")[:NAME_CHARS_MAX].decode("latin-1")
        is_handshake = transport == TRANSPORT_SSE or self._version in HANDSHAKE_PROTOCOL_VERSIONS
        self._is_modern = bool(self._version) and not is_handshake
        self._status = 0
        self._streams = False
        self._body: list[bytes] = []
        self._answer: list[bytes] = []
        self._size = 0

    def received(self, message: Message) -> None:
        """Keep the beginning of a body until it is known to be handled."""
        chunk = message.get("body", b"")
        if chunk and self._size <= BODY_BYTES_MAX and not self._status:
            self._size += len(chunk)
            self._body.append(chunk)

    def sent(self, message: Message) -> None:
        """Look at what goes out."""
        try:
            if message["type"] == "http.response.start":
                self._status = message["status"]
                kind = dict(message.get("headers", ())).get(b"content-type", b"")
                self._streams = self._is_modern and kind.startswith(b"text/event-stream")
                if self._status < _ACCEPTED:
                    self._body.clear()
            elif self._streams:
                self._event(message.get("body", b""))
            elif self._status >= _REFUSED_MIN and not self._answer:
                self._answer.append(message.get("body", b"")[: ANSWER_BYTES_MAX + 1])
        except Exception:  # noqa: BLE001 - the request goes on
            self._lost()

    def crashed(self, error: Exception) -> None:
        """Record a request whose handling raised before any handler was asked."""
        if self._status >= _REFUSED_MIN:
            self._over(None)
            return
        self._status = _CRASHED
        self._over(Outcome("error", type(error).__qualname__, _CRASHED, str(error)))

    def over(self) -> None:
        """Record what was refused, or dropped."""
        self._over(None)

    def _over(self, outcome: Outcome | None) -> None:
        try:
            frame = self._frame()
            if self.sightings.saw(frame.method) or self._is_told_elsewhere:
                return
            if self._status >= _REFUSED_MIN:
                self._refused(frame, outcome or self._outcome())
            elif self._status == _ACCEPTED and self._is_modern:
                for wire in self._wires:
                    wire.dropped(frame, self._road, self._time_us)
        except Exception:  # noqa: BLE001 - the request is over
            self._lost()

    def _refused(self, frame: Frame, outcome: Outcome) -> None:
        took_ns: int | None = perf_counter_ns() - self._started_ns
        if frame.method == f"http/{self._verb}" and is_declined(self._verb, self._status):
            took_ns, outcome = None, Outcome(*DECLINED)
        for wire in self._wires:
            wire.turned_away(frame, outcome, self._road, (self._time_us, took_ns))

    @property
    def _road(self) -> Road:
        known = self._version in KNOWN_PROTOCOL_VERSIONS
        return Road(self._transport, self._version if known else None)

    @property
    def _is_told_elsewhere(self) -> bool:
        """Whether the body went on into the session's stream, where the tap records it."""
        return self._transport == TRANSPORT_SSE and self._answer == [SSE_UNPARSABLE]

    def _frame(self) -> Frame:
        """Return what the body says, else the header, else the HTTP method alone."""
        found = _object(b"".join(self._body)) if self._size <= BODY_BYTES_MAX else {}
        method, params = found.get("method"), found.get("params")
        if isinstance(method, str) and method:
            return Frame(method, params if isinstance(params, dict) else None)
        verb = self._verb if self._verb in _VERBS else "other"
        return Frame(self._header_method or f"http/{verb}")

    def _outcome(self) -> Outcome:
        """Return how a refusal reads: the code of its JSON-RPC error, else the HTTP status."""
        error = _object(b"".join(self._answer)).get("error")
        code = error.get("code") if isinstance(error, dict) else None
        text = error.get("message") if isinstance(error, dict) else None
        said = text if isinstance(text, str) else None
        if code == PARSE_ERROR:
            return Outcome("error", "ParseError", self._status, said)
        if isinstance(code, int):
            return Outcome("error", str(code), self._status, said)
        return Outcome("error", f"http_{self._status}", self._status, said)

    def _event(self, chunk: bytes) -> None:
        """Record a notification that goes out on an event stream: the SDK sends one per chunk."""
        for line in chunk.splitlines():
            found = _object(line[6:]) if line.startswith(b"data: ") else {}
            method, params = found.get("method"), found.get("params")
            if isinstance(method, str):
                frame = Frame(method, params if isinstance(params, dict) else None)
                sender = Sender(self.sightings.latest, None, TRANSPORT_HTTP)
                for wire in self._wires:
                    wire.notified("out", frame, sender, time_ns() // 1000)

    def _lost(self) -> None:
        for wire in self._wires:
            wire.lost()


_VERBS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


def _object(text: bytes) -> dict[str, Any]:
    """Return the JSON object that `text` is; an empty one when it is none."""
    try:
        found = decode(text)
    except Exception:  # noqa: BLE001 - whatever a stranger sent is no object
        return {}
    return found if isinstance(found, dict) else {}
