"""`MonitoredApp`: ASGI middleware that gives each request an id, records it and logs it.

It binds the id of the request's trace context, else of its `X-Correlation-ID`, else one of its own,
and answers with it. It reads no body and holds nothing back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any

from contextframe_monitoring.core.correlation import (
    HEADER,
    TRACEPARENT,
    Correlation,
    bound_to,
    id_from,
)
from contextframe_monitoring.ingest.correlating import id_maker
from contextframe_monitoring.logs.routes import method_of, route_of
from contextframe_monitoring.logs.watched import Seen, Watched, ended, record, request_logs, say

_Message = MutableMapping[str, Any]
_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]

_HEADER = HEADER.lower().encode()
_TRACEPARENT = TRACEPARENT.encode()
_SERVER_ERROR = 500


class MonitoredApp:
    """Wraps an ASGI application: `app.add_middleware(MonitoredApp, monitor=monitor)`.

    The record's type is `http GET`, its target the route's template; a status code from 500 on, or
    an exception, is an error. Address and user agent are stored only when asked for, as attributes.
    `quiet` are paths whose good answers are not recorded and logged at level debug: probes.
    """

    def __init__(
        self,
        app: _App,
        monitor: Watched,
        *,
        records: bool = True,
        address: bool = False,
        user_agent: bool = False,
        quiet: Collection[str] = (),
    ) -> None:
        """`records` False only correlates and logs. Raises `InvalidError` when the log file is no
        regular file.
        """
        self._app, self._monitor = app, monitor
        self._logs = request_logs(monitor)
        self._records, self._address, self._user_agent = records, address, user_agent
        self._quiet = frozenset(quiet)
        self._make = id_maker(monitor.config.logging.correlation_ids)

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Handle one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        given = _headers(scope["headers"], (_TRACEPARENT, _HEADER))
        found = id_from(given.get(_TRACEPARENT), given.get(_HEADER)) or self._make()
        with bound_to(None if found is None else Correlation(correlation_id=found)):
            if scope["type"] == "http":
                await self._request(scope, receive, _Answer(send, found))
            else:
                await self._app(scope, receive, send)

    async def _request(self, scope: _Scope, receive: _Receive, answer: _Answer) -> None:
        root_path, path = str(scope.get("root_path") or ""), str(scope.get("path") or "/")
        started_ns = self._monitor.clock.monotonic_ns()
        error: BaseException | None = None
        try:
            await self._app(scope, receive, answer.send)
        except BaseException as raised:
            error = raised
            raise
        finally:
            took_ms = (self._monitor.clock.monotonic_ns() - started_ns) / 1e6
            code = answer.code
            if code is None and isinstance(error, Exception):
                code = _SERVER_ERROR  # what every server makes of it
            seen = _seen(scope, root_path, took_ms, code, error)
            self._ended(scope, seen, quiet=path in self._quiet)

    def _ended(self, scope: _Scope, seen: Seen, *, quiet: bool) -> None:
        monitor = self._monitor
        if self._records and not (quiet and seen.status == "success"):
            user = _state(scope).get("user_id")
            record(
                monitor,
                seen,
                "in",
                attributes=self._attributes(scope),
                user_id=None if user is None else str(user),
            )
        if self._logs is not None:
            say(self._logs, "http", seen, done="request.handled", failed="request.failed",
                quiet=quiet)  # fmt: skip

    def _attributes(self, scope: _Scope) -> dict[str, str]:
        found = {}
        client = scope.get("client")
        if self._address and client:
            found["client.address"] = str(client[0])
        agent = _headers(scope["headers"], (b"user-agent",)) if self._user_agent else {}
        for text in agent.values():
            found["user_agent.original"] = text
        return found


class _Answer:
    """Passes an answer on; notes its status, and names the id in its head."""

    def __init__(self, send: _Send, correlation_id: str | None) -> None:
        self._send, self._id = send, correlation_id
        self.code: int | None = None

    async def send(self, message: _Message) -> None:
        if message["type"] == "http.response.start":
            self.code = message["status"]
            headers = list(message.get("headers", ()))
            if self._id is not None and all(name.lower() != _HEADER for name, _ in headers):
                headers.append((_HEADER, self._id.encode()))
                message = {**message, "headers": headers}
        await self._send(message)


def _seen(
    scope: _Scope, root_path: str, took_ms: float, code: int | None, error: BaseException | None
) -> Seen:
    status, error_type = ended(error)
    if error is None and code is None:
        status = "cancelled"  # the client was gone, and nobody answered
    elif error is None and code is not None and code >= _SERVER_ERROR:
        status, error_type = "error", str(code)
    return Seen(
        operation_type=f"http {method_of(scope.get('method'))}",
        target=route_of(scope, root_path, code),
        duration_ms=took_ms,
        status=status,
        error_type=error_type,
        status_code=code,
        error=error,
    )


def _state(scope: _Scope) -> dict[str, Any]:
    found = scope.get("state")
    return found if isinstance(found, dict) else {}


def _headers(headers: Iterable[tuple[bytes, bytes]], names: tuple[bytes, ...]) -> dict[bytes, str]:
    """Return the first value of each of these headers."""
    found: dict[bytes, str] = {}
    for name, value in headers:
        lowered = name.lower()
        if lowered in names and lowered not in found:
            found[lowered] = value.decode("latin-1")
    return found
