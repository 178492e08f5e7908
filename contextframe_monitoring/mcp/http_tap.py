"""`HttpTap`: records what a streamable HTTP server answers before any handler is asked.

An ASGI layer around the whole application: it sees refusals of every kind (no token, another
origin, an unknown session, a wrong header, a body that is too large or can't be read), client
notifications that the modern era acknowledges and drops, and what is sent on a modern request's
event stream. Bytes pass as they are; nothing is kept of them after the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns, time_ns
from typing import Any, NamedTuple

from mcp_types import PARSE_ERROR
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contextframe_monitoring.core.privacy import NAME_CHARS_MAX
from contextframe_monitoring.mcp.adapter import TRANSPORT_HTTP
from contextframe_monitoring.mcp.outcome import Outcome
from contextframe_monitoring.mcp.sightings import SCOPE_KEY, Sightings
from contextframe_monitoring.mcp.sizes import decode
from contextframe_monitoring.mcp.wire import Sender, Wire

BODY_BYTES_MAX = 256 << 10
"""Of a body that is refused, its method is read up to this size; beyond it the header tells."""
ANSWER_BYTES_MAX = 16 << 10
"""Of the answer to a refused request, its error is read up to this size."""

_VERSION, _METHOD = b"mcp-protocol-version", b"mcp-method"
_PATH = "/mcp"
"""Where the SDK serves MCP when it isn't told."""
_ACCEPTED = 202
_REFUSED_MIN = 400
_CRASHED = 500


class _Frame(NamedTuple):
    """A JSON-RPC message as far as it could be read."""

    method: str
    params: dict[str, Any] | None = None


class HttpTap:
    """Watches one application; only requests for the MCP endpoint are looked at."""

    def __init__(self, app: ASGIApp, *, path: str, wires: list[Wire]) -> None:
        """`path` is where the application serves MCP; `wires` may grow."""
        self._app, self._path, self._wires = app, path, wires

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, watched."""
        if scope["type"] != "http" or not scope["path"].endswith(self._path):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, self._wires)
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
    """Stands in for `streamable_http_app` of a low-level server: puts the layer around it."""

    def __init__(self, build: Callable[..., Starlette], wires: list[Wire]) -> None:
        """Take the server's own method."""
        self._build, self._wires = build, wires

    def __call__(self, *args: Any, **more: Any) -> Starlette:
        """Return the application, watched."""
        app = self._build(*args, **more)
        path = more.get("streamable_http_path", _PATH)
        app.add_middleware(HttpTap, path=path, wires=self._wires)
        return app


class _Exchange:
    """One HTTP request and its answer. Nothing below may reach the caller."""

    def __init__(self, scope: Scope, wires: list[Wire]) -> None:
        self.sightings = Sightings()
        self._time_us, self._started_ns = time_ns() // 1000, perf_counter_ns()
        self._wires, self._verb = wires, scope["method"]
        headers = dict(scope["headers"])
        self._version = headers.get(_VERSION, b"").decode("latin-1")
        self._header_method = headers.get(_METHOD, b"")[:NAME_CHARS_MAX].decode("latin-1")
        self._is_modern = self._version not in ("", *HANDSHAKE_PROTOCOL_VERSIONS)
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
        self._status = self._status or _CRASHED
        self._over(Outcome("error", type(error).__qualname__, self._status, str(error)))

    def over(self) -> None:
        """Record what was refused, or dropped."""
        self._over(None)

    def _over(self, outcome: Outcome | None) -> None:
        try:
            frame = self._frame()
            if self.sightings.saw(frame.method):
                return
            if self._status >= _REFUSED_MIN:
                self._refused(frame, outcome or self._outcome())
            elif self._status == _ACCEPTED and self._is_modern:
                for wire in self._wires:
                    wire.dropped(frame, self._known_version, self._time_us)
        except Exception:  # noqa: BLE001 - the request is over
            self._lost()

    def _refused(self, frame: _Frame, outcome: Outcome) -> None:
        times = self._time_us, perf_counter_ns() - self._started_ns
        for wire in self._wires:
            wire.turned_away(frame, outcome, self._known_version, times)

    @property
    def _known_version(self) -> str | None:
        return self._version if self._version in KNOWN_PROTOCOL_VERSIONS else None

    def _frame(self) -> _Frame:
        """Return what the body says, else the header, else the HTTP method alone."""
        found = _object(b"".join(self._body)) if self._size <= BODY_BYTES_MAX else {}
        method, params = found.get("method"), found.get("params")
        if isinstance(method, str) and method:
            return _Frame(method, params if isinstance(params, dict) else None)
        verb = self._verb if self._verb in _VERBS else "other"
        return _Frame(self._header_method or f"http {verb}")

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
                frame = _Frame(method, params if isinstance(params, dict) else None)
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
