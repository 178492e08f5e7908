"""Every private or provisional name of the MCP SDK that we use, in one place.

Written for mcp 2.3; `tests/mcp/test_adapter.py` holds the contract and fails when the SDK moves.
The SDK calls its middleware provisional within 2.x, and says nothing about the names with a
leading underscore: what identifies a connection, which transport it came by, and whether the peer
gave up.
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from mcp.server import MCPServer, Server
from mcp.server import stdio as _sdk_stdio
from mcp.server._otel import OpenTelemetryMiddleware
from mcp.server.connection import _NO_CHANNEL, NotifyOnlyOutbound
from mcp.server.context import HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver.tools import Tool
from mcp.server.runner import _PRE_REQUEST_REPLAY_LIMIT
from mcp.server.subscriptions import ResourceUpdated
from mcp.shared import _otel as _sdk_otel
from mcp.shared._context_streams import ContextReceiveStream
from mcp.shared.direct_dispatcher import _DirectDispatchContext
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse
from opentelemetry import context, propagate, trace
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import Span

from contextframe_monitoring.core.errors import InvalidError

_TRACEPARENT = "traceparent"


def _w3c_only(textmap: TextMapPropagator) -> TextMapPropagator | None:
    known = type(textmap) is CompositePropagator
    return textmap if known and textmap.fields <= {_TRACEPARENT, "tracestate", "baggage"} else None


Context = ServerRequestContext[Any, Any]
CallNext = Callable[[Context], Awaitable[HandlerResult]]
Middleware = ServerMiddleware[Any]
Result = HandlerResult
ToolServer = MCPServer

RequestFrame, NotificationFrame = JSONRPCRequest, JSONRPCNotification
ResponseFrame, ErrorFrame = JSONRPCResponse, JSONRPCError
LEADS_MAX = _PRE_REQUEST_REPLAY_LIMIT
"""How many frames ahead of a connection's first request the SDK keeps; it drops the others."""

TRANSPORT_HTTP = "streamable-http"
TRANSPORT_MEMORY = "memory"
TRANSPORT_SSE = "sse"
TRANSPORT_STDIO = "stdio"

SSE_UNPARSABLE = b"Could not parse message"
"""What the SSE transport answers to a body that it hands on into the session's stream as an
error."""

_sdk_tracer = _sdk_otel._tracer  # noqa: SLF001 - the tracer that the SDK's middleware uses
_w3c_textmap = _w3c_only(propagate.get_global_textmap())
_read_per_call = (trace._TRACER_PROVIDER, propagate._HTTP_TEXT_FORMAT)  # noqa: SLF001
"""Named here so that an import fails when they are gone, and not somebody's call."""


# -- the server object


def lowlevel_server(server: object) -> Server[Any]:
    """Return the low-level server in or behind `server`.

    Takes an `MCPServer`, a low-level `Server`, or an object that holds one as `_mcp_server`
    (fastmcp). Raises `InvalidError` for anything else.
    """
    if isinstance(server, MCPServer):
        return server._lowlevel_server  # noqa: SLF001 - public only as `.middleware` and `.name`
    for candidate in (server, getattr(server, "_mcp_server", None)):
        if isinstance(candidate, Server):
            return candidate
    kind = f"{type(server).__module__}.{type(server).__qualname__}"
    raise InvalidError(
        "server",
        kind,
        "expected an MCPServer or a low-level Server of mcp 2.x (or a fastmcp server built on it); "
        "any other server, also one of mcp 1.x, can be watched from outside: "
        "contextframe-monitoring wrap -- COMMAND",
    )


def app_builder_of(server: object) -> tuple[str, str] | None:
    """Return the method that builds a server's own HTTP application, and the transport that it
    speaks unless it is told: `sse_app` of an `MCPServer`, `http_app` of fastmcp; None where there
    is none but the low-level server's.
    """
    if isinstance(server, MCPServer):
        return "sse_app", TRANSPORT_SSE
    return ("http_app", TRANSPORT_HTTP) if hasattr(server, "http_app") else None


def chain_of(server: Server[Any]) -> list[Middleware]:
    """Return the live list of a low-level server's middleware, the outermost first."""
    return server.middleware


def opentelemetry_index(chain: list[Middleware]) -> int | None:
    """Return where the SDK's OpenTelemetry middleware stands in a chain; None when it does not."""
    for index, middleware in enumerate(chain):
        if type(middleware) is OpenTelemetryMiddleware:
            return index
    return None


# -- the connection of a message


def anchor_of(ctx: Context) -> Any:
    """Return the object that lives as long as the message's connection and belongs to it alone.

    None on streamable HTTP without a session: there each request is its own connection.
    """
    session = ctx.session
    outbound = session._connection.outbound  # noqa: SLF001
    if outbound is not _NO_CHANNEL:  # `has_standalone_channel`, without a call
        return outbound
    if ctx.request is not None:
        return None
    return session._request_outbound._inner.transport  # type: ignore[attr-defined]  # noqa: SLF001


def teardown_of(ctx: Context) -> AsyncExitStack | None:
    """Return what the SDK unwinds when the message's connection closes.

    None where it has nothing that lives so long: in the modern era each request has its own.
    """
    connection = ctx.session._connection  # noqa: SLF001
    per_request = isinstance(connection.outbound, NotifyOnlyOutbound)
    lasting = connection.has_standalone_channel and not per_request
    return connection.exit_stack if lasting else None


def peer_of(ctx: Context) -> Any:
    """Return the connection of a message, by which notifications reach the other end in the
    handshake era; one that is gone takes them silently.
    """
    return ctx.session._connection  # noqa: SLF001


def http_session_id(ctx: Context) -> str | None:
    """Return the `Mcp-Session-Id` of the message's connection, where there is one."""
    return ctx.session._connection.session_id  # noqa: SLF001


def is_direct(ctx: Context) -> bool:
    """Return whether the message was handed over inside the process, without streams."""
    connection = ctx.session._connection  # noqa: SLF001 - see the head of this module
    return ctx.request is None and not connection.has_standalone_channel


def transport_of(ctx: Context) -> str | None:
    """Return the transport that the message's connection came by; None when nothing tells.

    Streams without an HTTP request are stdio or a memory pair. Memory pairs are buffered; stdio is
    not, and claims the standard descriptors. Asked once per connection.
    """
    connection = ctx.session._connection  # noqa: SLF001
    if ctx.request is not None:
        session_less_stream = connection.has_standalone_channel and connection.session_id is None
        return TRANSPORT_SSE if session_less_stream else TRANSPORT_HTTP
    if not connection.has_standalone_channel:
        return TRANSPORT_MEMORY
    dispatcher: Any = getattr(connection.outbound, "_outbound", connection.outbound)
    return transport_of_stream(dispatcher._write_stream)  # noqa: SLF001


def transport_of_stream(write_stream: Any) -> str | None:
    """Return the transport behind a stream that a server writes to; None when nothing tells."""
    stream = getattr(write_stream, "_inner", None)
    if stream is not None and stream.statistics().max_buffer_size:
        return TRANSPORT_MEMORY
    return TRANSPORT_STDIO if _sdk_stdio._claims else None  # noqa: SLF001


def peer_cancelled(ctx: Context) -> bool:
    """Return whether the client sent `notifications/cancelled` for this request."""
    return ctx.session._request_outbound.cancel_requested.is_set()  # noqa: SLF001


def deadline_passed(error: BaseException) -> bool:
    """Return whether a cancellation came from a deadline of anyio rather than from a person.

    Only its text tells (anyio 4.11 and later, asyncio).
    """
    return str(error).endswith("; reason: deadline exceeded")


# -- the streams and the dispatcher of a connection


def receive_of(stream: Any) -> Callable[[], Awaitable[tuple[contextvars.Context, Any]]]:
    """Return what receives a stream's next item together with the context of its sender.

    The SDK's own streams are read below their surface, which saves a coroutine for each message;
    any other is asked for the `last_context` that it may keep.
    """
    if type(stream) is ContextReceiveStream:
        below: Any = stream._inner  # noqa: SLF001
        received: Callable[[], Awaitable[tuple[contextvars.Context, Any]]] = below.receive
        return received

    async def receive() -> tuple[contextvars.Context, Any]:
        item = await stream.receive()
        return getattr(stream, "last_context", None) or contextvars.copy_context(), item

    return receive


def dispatcher_of(ctx: Context) -> JSONRPCDispatcher[Any] | None:
    """Return what carries a message that came by streamable HTTP in the handshake era, else None.

    In the modern era each request is an exchange of its own, and nothing else is sent on it.
    """
    inner = getattr(ctx.session._request_outbound, "_dispatcher", None)  # noqa: SLF001
    return inner if isinstance(inner, JSONRPCDispatcher) else None


def tap_of(dispatcher: JSONRPCDispatcher[Any]) -> object:
    """Return the tap of a dispatcher, None while it has none."""
    return getattr(dispatcher._write_stream, "_tap", None)  # noqa: SLF001


def tap_dispatcher(
    dispatcher: JSONRPCDispatcher[Any], stand_in: Callable[[Any, Any], Any], tap: Any
) -> None:
    """Show a tap what a running dispatcher sends from now on, and the answers to it."""
    resolve = dispatcher._resolve_pending  # noqa: SLF001

    def resolve_seen(request_id: Any, outcome: Any) -> None:
        tap.resolved(request_id, outcome)
        resolve(request_id, outcome)

    stream = stand_in(dispatcher._write_stream, tap)  # noqa: SLF001
    setattr(dispatcher, "_write_stream", stream)  # noqa: B010 - a method and a narrower type
    setattr(dispatcher, "_resolve_pending", resolve_seen)  # noqa: B010 - as above


def tap_direct(ctx: Context, stand_in: Callable[..., Any], wires: list[Any]) -> None:
    """Let `stand_in(ctx, notify, progress, wires)` stand in for the way back of a message, once,
    where that was handed over inside the process.

    It is called with what the handler sends while it works, and its `progress` with its progress,
    where the client wants to hear of that.
    """
    inner = getattr(ctx.session._request_outbound, "_inner", None)  # noqa: SLF001
    if type(inner) is not _DirectDispatchContext:
        return
    notify, progress = inner._back_notify, inner._on_progress  # noqa: SLF001
    if type(notify) is stand_in:
        return
    tap = stand_in(ctx, notify, progress, wires)
    inner._back_notify = tap  # noqa: SLF001
    if progress is not None:
        inner._on_progress = tap.progress  # noqa: SLF001


# -- trace context


def is_untraced(meta: Mapping[str, Any] | None) -> bool:
    """Return whether tracing has nothing to do with a message: no tracer provider is configured,
    and no trace context came in its `_meta`.
    """
    if trace._TRACER_PROVIDER is not None:  # noqa: SLF001 - the public getter reads the environment
        return False
    if _sdk_otel._tracer is not _sdk_tracer:  # noqa: SLF001 - somebody put another in its place
        return False
    if not meta:
        return True
    return _TRACEPARENT not in meta and propagate._HTTP_TEXT_FORMAT is _w3c_textmap  # noqa: SLF001


def tracing_is_idle() -> bool:
    """Return whether a span that the SDK starts now would go nowhere: no provider is configured."""
    provider = trace._TRACER_PROVIDER  # noqa: SLF001
    no_provider = provider is None or type(provider) is trace.NoOpTracerProvider
    return no_provider and _sdk_otel._tracer is _sdk_tracer  # noqa: SLF001


def carried_span(meta: Mapping[str, Any] | None) -> Span | None:
    """Return the remote span that the SDK would make current for a message; None when none came."""
    extracted = _sdk_otel.extract_trace_context(meta)
    return None if extracted is None else trace.get_current_span(extracted)


def current_trace_id() -> str | None:
    """Return the trace id of the span that the SDK started around this message."""
    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else None


async def with_span(span: Span, handled: Awaitable[HandlerResult]) -> HandlerResult:
    """Await `handled` with `span` current, as the SDK does: what is sent from there names it."""
    token = context.attach(trace.set_span_in_context(span))
    try:
        return await handled
    finally:
        context.detach(token)


# -- registered tools


def publisher_of(server: MCPServer) -> Callable[[str], Awaitable[None]]:
    """Return what tells the open `subscriptions/listen` streams of a server that a resource has
    changed.
    """
    bus = server._subscriptions  # noqa: SLF001 - `Context.notify_resource_updated` needs a request

    async def publish(uri: str) -> None:
        await bus.publish(ResourceUpdated(uri=uri))

    return publish


def tool_schemas(server: MCPServer, name: str) -> list[dict[str, Any]]:
    """Return the live input and output schema of a registered tool: changing them changes what is
    listed, and what clients validate with.
    """
    tool = server._tool_manager.get_tool(name)  # noqa: SLF001 - no public way to a registered tool
    if tool is None:
        return []
    return [schema for schema in (tool.parameters, tool.output_schema) if schema is not None]


def replace_tool(server: MCPServer, name: str, change: Callable[[Tool], Tool]) -> None:
    """Put another tool in the place of one that is registered."""
    tools = server._tool_manager._tools  # noqa: SLF001 - no public way to a registered tool
    tools[name] = change(tools[name])


def registered_names(server: MCPServer) -> set[str]:
    """Return the names of a server's tools and the URIs of its resources and templates."""
    tools = server._tool_manager.list_tools()  # noqa: SLF001 - the public list is a coroutine
    resources = server._resource_manager  # noqa: SLF001 - as above
    return {
        *(tool.name for tool in tools),
        *(str(resource.uri) for resource in resources.list_resources()),
        *(template.uri_template for template in resources.list_templates()),
    }
