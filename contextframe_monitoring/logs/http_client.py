"""`watch_http_client`: records every call that an httpx2 (or httpx) client makes.

Event hooks of such a client don't see a call that fails, so its `send` is stood in for.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from contextframe_monitoring.core.correlation import outgoing
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.ingest.correlating import new_span_id
from contextframe_monitoring.logs.routes import method_of, path_shape
from contextframe_monitoring.logs.watched import Seen, Watched, ended, record, request_logs, say

_FAILED = 400
_Client = TypeVar("_Client")
_MARK = "_contextframe_monitoring"


def watch_http_client(
    client: _Client,
    monitor: Watched,
    *,
    propagate: bool = True,
    endpoint: Callable[[Any], str] | None = None,
) -> _Client:
    """Record each call of a `Client` or `AsyncClient` as an outgoing operation; return the client.

    The type is `http GET`, the target the host and the path with `{id}` for what looks like one,
    or what `endpoint(request)` says; never the query. A status code from 400 on, or an exception,
    is an error. `propagate` sends the id that is bound: `traceparent` and `X-Correlation-ID`.
    Harmless when done twice. Raises `InvalidError` for another kind of object.
    """
    send = getattr(client, "send", None)
    if not callable(send) or not hasattr(client, "build_request"):
        kind = type(client).__qualname__
        raise InvalidError("client", kind, "expected an httpx2.Client or AsyncClient")
    if hasattr(send, _MARK):
        return client
    watch = _Watch(monitor, endpoint, propagate=propagate)

    @functools.wraps(send)
    def sent(request: Any, **options: Any) -> Any:
        call = watch.started(request)
        try:
            response = send(request, **options)
        except BaseException as error:
            call.ended(None, error)
            raise
        call.ended(response, None)
        return response

    @functools.wraps(send)
    async def sent_async(request: Any, **options: Any) -> Any:
        call = watch.started(request)
        try:
            response = await send(request, **options)
        except BaseException as error:
            call.ended(None, error)
            raise
        call.ended(response, None)
        return response

    watched = sent_async if inspect.iscoroutinefunction(send) else sent
    setattr(watched, _MARK, True)
    setattr(client, "send", watched)  # noqa: B010 - the client's class is not ours to name
    return client


class _Watch:
    """What is done about the calls of one client."""

    def __init__(
        self, monitor: Watched, endpoint: Callable[[Any], str] | None, *, propagate: bool
    ) -> None:
        self.monitor, self._endpoint, self._propagate = monitor, endpoint, propagate
        self.logs = request_logs(monitor)

    def started(self, request: Any) -> _Call:
        if self._propagate:
            for name, value in outgoing(new_span_id()).items():
                request.headers.setdefault(name, value)
        return _Call(self, request)

    def target_of(self, request: Any) -> str:
        try:
            if self._endpoint is not None:
                return str(self._endpoint(request))
            return f"{request.url.netloc.decode('ascii')}{path_shape(request.url.path)}"
        except Exception:  # noqa: BLE001 - the application's function; its call goes on
            return "(unknown)"


class _Call:
    """One call in flight."""

    def __init__(self, watch: _Watch, request: Any) -> None:
        self._watch, self._request = watch, request
        self._started_ns = watch.monitor.clock.monotonic_ns()

    def ended(self, response: Any, error: BaseException | None) -> None:
        monitor = self._watch.monitor
        took_ms = (monitor.clock.monotonic_ns() - self._started_ns) / 1e6
        status, error_type = ended(error)
        code = None if response is None else response.status_code
        if code is not None and code >= _FAILED:
            status, error_type = "error", str(code)
        seen = Seen(
            operation_type=f"http {method_of(self._request.method)}",
            target=self._watch.target_of(self._request),
            duration_ms=took_ms,
            status=status,
            error_type=error_type,
            status_code=code,
            error=error,
        )
        record(monitor, seen, "out")
        logs = self._watch.logs
        if logs is not None:
            say(logs, "http.client", seen, done="call.made", failed="call.failed",
                quiet=True)  # fmt: skip
