"""`instrument`: one line that makes an MCP server monitored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.causes import causes_of
from contextframe_monitoring.mcp.http_tap import TappedApp
from contextframe_monitoring.mcp.middleware import Monitored, MonitorMiddleware
from contextframe_monitoring.mcp.tap import TappedRun

if TYPE_CHECKING:
    from contextframe_monitoring.mcp.request_log import RequestLog

_Server = TypeVar("_Server")


def instrument(
    server: _Server,
    monitor: Monitored,
    *,
    tools: bool = False,
    keep_opentelemetry: bool = False,
) -> _Server:
    """Record every message of `server` from now on, each once, and return the server.

    That is what it dispatches; what it sends on its own, with the answers; what it can't read; and
    what it refuses, also over HTTP (`run`, `streamable_http_app`, `sse_app`; fastmcp's `http_app`).

    `server` is an `MCPServer` or a low-level `Server` of mcp 2.x, or an object that holds one as
    `_mcp_server`. By default the SDK's OpenTelemetry middleware is stood in for: it is called only
    while a tracer provider is configured, also when that happens later. `keep_opentelemetry` leaves
    it where it is. Where the configuration names a log file, each message gets a correlation id and
    a line. Nothing is added when monitoring is switched off, or when the server already
    records into the same spool. `tools` also registers our tools and resources in an `MCPServer`,
    and lets its clients subscribe to alerts.

    Raises `InvalidError` for a server of another kind, `ConflictError` when it has a tool or
    resource of a name that ours have.
    """
    lowlevel = adapter.lowlevel_server(server)
    if tools:
        from contextframe_monitoring.mcp.embedding import embed

        embed(server, monitor)
    recorder, chain = monitor.recorder, adapter.chain_of(lowlevel)
    if not recorder.enabled or any(_records_into(m, monitor) for m in chain):
        return server
    causes = causes_of(server, texts=monitor.config.store_error_texts)
    index = adapter.opentelemetry_index(chain)
    if index is None or keep_opentelemetry:
        ours = MonitorMiddleware(monitor, lowlevel.name, causes=causes)
        chain.insert(0 if index is None else index + 1, ours)
    else:
        ours = MonitorMiddleware(monitor, lowlevel.name, causes=causes, opentelemetry=chain[index])
        chain[index] = ours
    _tap(lowlevel, server, ours)
    if monitor.config.logging.request_lines:
        inner, outer = _request_logs(monitor, lowlevel.name)
        chain.insert(chain.index(ours) + 1, inner)
        chain.insert(0, outer)
        if causes is not None:
            causes.watchers.append(outer.tool_failed)
    return server


def _request_logs(monitor: Monitored, name: str) -> tuple[RequestLog, RequestLog]:
    """Return what logs each message, within the SDK's span and around everything; log lines are no
    part of what a server always loads.
    """
    from contextframe_monitoring.logs.log import Logs
    from contextframe_monitoring.mcp.request_log import RequestLog

    given = getattr(monitor, "logs", None)
    logs = given if isinstance(given, Logs) else Logs(monitor.config)
    logs.lines.name_service(name)
    config = monitor.config
    return RequestLog(logs, config, in_span=True), RequestLog(logs, config)


def _tap(lowlevel: Any, server: Any, middleware: MonitorMiddleware) -> None:
    """Record what passes beside the middleware, too; one tap serves every monitor."""
    if not isinstance(lowlevel.run, TappedRun):
        lowlevel.run = TappedRun(lowlevel.run)
        lowlevel.streamable_http_app = TappedApp(lowlevel.streamable_http_app, lowlevel.run.wires)
    found = adapter.app_builder_of(server)
    if found is not None and not isinstance(getattr(server, found[0]), TappedApp):
        name, transport = found
        setattr(server, name, TappedApp(getattr(server, name), lowlevel.run.wires, transport))
    middleware.wires = lowlevel.run.wires
    middleware.wires.append(middleware.wire)


def _records_into(middleware: object, monitor: Monitored) -> bool:
    """Return whether a middleware of a chain already records into the spool of `monitor`."""
    if not isinstance(middleware, MonitorMiddleware):
        return False
    ours, theirs = middleware.recorder.spool, monitor.recorder.spool
    return ours is theirs or (ours is not None and theirs is not None and ours.root == theirs.root)
