"""The middleware of a monitored server: one record for each message that is dispatched.

By default it stands where the SDK's OpenTelemetry middleware stood. That one costs 10 to 28 us a
call even when nobody listens; so it is only called while a tracer provider is configured, and
otherwise the trace context of a message is carried on here, as far as the SDK carries it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import inf
from time import perf_counter_ns, time_ns
from typing import Any, Protocol

from anyio import current_effective_deadline

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.correlation import bound_to, correlation_id, joined
from contextframe_monitoring.core.privacy import bounded_name, masked_text
from contextframe_monitoring.core.records import OperationRecord, Origin
from contextframe_monitoring.core.traceparent import parent_of, trace_id_of
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.adapter import (
    CallNext,
    Context,
    Middleware,
    Result,
    is_untraced,
)
from contextframe_monitoring.mcp.causes import ToolCauses
from contextframe_monitoring.mcp.connections import Connection, Connections
from contextframe_monitoring.mcp.definitions import TOOLS_LIST, Definitions
from contextframe_monitoring.mcp.opening import announced
from contextframe_monitoring.mcp.outcome import (
    CANCELLED,
    SUCCESS,
    TIMED_OUT,
    TOOL_FAILED,
    Outcome,
    outcome_of_error,
    outcome_of_result,
)
from contextframe_monitoring.mcp.routine import Routines
from contextframe_monitoring.mcp.sizes import size_bytes_of
from contextframe_monitoring.mcp.tap import handled
from contextframe_monitoring.mcp.targets import Target, Targets
from contextframe_monitoring.mcp.texts import content_texts
from contextframe_monitoring.mcp.wire import Wire
from contextframe_monitoring.store.vocabulary import vocabulary_of

_LISTEN = "subscriptions/listen"
_CANCELLED = "notifications/cancelled"
_CALL = "tools/call"
_SPECIAL_METHODS = frozenset({"initialize", _LISTEN})
_LATE_NS = 1_000_000
"""A shorter call was not given up on: to ask costs 4 to 5 us, so it is not asked then."""


Observe = Callable[[Context, CallNext], Awaitable[Result]]


class Monitored(Protocol):
    """What is needed of a monitor."""

    @property
    def recorder(self) -> Recorder:
        """Where records go."""
        ...

    @property
    def config(self) -> MonitoringConfig:
        """What they hold."""
        ...


class MonitorMiddleware:
    """Records every message that passes, and never changes or breaks one."""

    def __init__(
        self,
        monitor: Monitored,
        server: str,
        *,
        causes: ToolCauses | None = None,
        opentelemetry: Middleware | None = None,
    ) -> None:
        """Record as `server`; `opentelemetry` is the SDK's middleware in whose place we stand."""
        config = monitor.config
        self.recorder = monitor.recorder
        self._connections = Connections(
            monitor.recorder, config.server or bounded_name(server), config.environment
        )
        vocabulary = vocabulary_of(config)
        self._estimates = vocabulary is None
        self._targets = Targets(vocabulary)
        self._routines = Routines(monitor.recorder, self._connections)
        self._causes = causes
        self._opentelemetry = opentelemetry
        self._definitions = Definitions(vocabulary)
        self._texts = config.store_error_texts
        self._text_chars_max = config.text_chars_max
        self.wire = Wire(
            monitor.recorder,
            self._connections,
            texts=config.store_error_texts,
            text_chars_max=config.text_chars_max,
        )
        """What records the messages that do not come by here."""
        self.wires = [self.wire]
        """The wires of all monitors of the server."""

    async def __call__(self, ctx: Context, call_next: CallNext) -> Result:
        """Handle one message: `await call_next(ctx)`, watched."""
        if ctx.request_id is None or ctx.method in _SPECIAL_METHODS or not is_untraced(ctx.meta):
            return await self._handle_special(ctx, call_next)
        time_us, number = time_ns() // 1000, 0
        try:
            number = self.recorder.begin()
            handled(ctx, self.wires)
        except Exception:  # noqa: BLE001 - the monitored call goes on
            self._lost()
        started_ns = perf_counter_ns()
        try:
            result = await call_next(ctx)
        except BaseException as error:
            self._ended(ctx, number, time_us, perf_counter_ns() - started_ns, error)
            raise
        took_ns = perf_counter_ns() - started_ns
        if (
            took_ns > _LATE_NS
            or ctx.method != _CALL
            or not number
            or type(result) is not dict
            or result.get("isError")
            or result.get("resultType") == "input_required"
            or not self._routines.record(ctx, number, time_us, took_ns, result)
        ):
            self._ended(ctx, number, time_us, took_ns, result)
        return result

    async def _handle_special(self, ctx: Context, call_next: CallNext) -> Result:
        """Handle a message that is no plain request: traced, a notification, a subscription."""
        traced = trace_id_of(ctx.meta.get("traceparent")) if ctx.meta else None
        if traced is None or correlation_id() == traced:
            return await self._handle_traced(ctx, call_next)
        with bound_to(joined({"correlation_id": traced}, _nothing)):
            return await self._handle_traced(ctx, call_next)

    async def _handle_traced(self, ctx: Context, call_next: CallNext) -> Result:
        """Handle it as the SDK's OpenTelemetry middleware would, where that has anything to do."""
        observe = self._observe if ctx.method != _LISTEN else self._observe_listen
        opentelemetry = self._opentelemetry
        if not adapter.tracing_is_idle():
            in_span = partial(self._in_span, observe=observe, call_next=call_next)
            return await (in_span(ctx) if opentelemetry is None else opentelemetry(ctx, in_span))
        if opentelemetry is None:
            return await observe(ctx, call_next)
        try:
            span = adapter.carried_span(ctx.meta)
        except Exception:  # noqa: BLE001 - a propagator's fault: the SDK's middleware meets it too
            return await opentelemetry(ctx, partial(observe, call_next=call_next))
        if span is None:
            return await observe(ctx, call_next)
        return await adapter.with_span(span, observe(ctx, call_next))

    async def _in_span(self, ctx: Context, *, observe: Observe, call_next: CallNext) -> Result:
        """Handle it within the span that the SDK started: its trace id is the bound one."""
        with bound_to(joined({"correlation_id": adapter.current_trace_id()}, _nothing)):
            return await observe(ctx, call_next)

    async def _observe(self, ctx: Context, call_next: CallNext) -> Result:
        time_us = time_ns() // 1000
        number = self._started(ctx)
        started_ns = perf_counter_ns()
        try:
            result = await call_next(ctx)
        except BaseException as error:
            self._ended(ctx, number, time_us, perf_counter_ns() - started_ns, error)
            raise
        self._ended(ctx, number, time_us, perf_counter_ns() - started_ns, result)
        return result

    async def _observe_listen(self, ctx: Context, call_next: CallNext) -> Result:
        """Record a subscription when it stands: it lasts for hours, and ends as cancelled.

        It stands as soon as its handler waits; one that is refused has raised by then.
        """
        time_us, standing = time_ns() // 1000, False
        number = self._started(ctx)

        def stands() -> None:
            nonlocal standing
            standing = True
            self._ended(ctx, number, time_us, None, None)

        try:
            result = await announced(call_next(ctx), stands)
        except BaseException as error:
            if not standing:
                self._ended(ctx, number, time_us, None, error)
            raise
        if not standing:
            self._ended(ctx, number, time_us, None, result)
        return result

    # -- ours: nothing below may reach the caller

    def _started(self, ctx: Context) -> int:
        """Return the number of the operation; 0 when it has none."""
        try:
            handled(ctx, self.wires)
            if ctx.request_id is not None:
                return self.recorder.begin()
            if ctx.method == _CANCELLED:
                self._explain(ctx)
            return self.recorder.next_number()
        except Exception:  # noqa: BLE001 - the monitored call goes on
            self._lost()
            return 0

    def _learn(self, ctx: Context, target: Target, result: Any, record: OperationRecord) -> None:
        """Take from a success what is of use later: a tool that answers, the tools that exist."""
        if ctx.method == _CALL and self._estimates:
            self._routines.learn(ctx, target, record.origin)
        elif ctx.method == TOOLS_LIST:
            for sample in self._definitions.records(result, record.origin, record.time_us):
                self.recorder.record(sample)

    def _ended(
        self,
        ctx: Context,
        number: int,
        time_us: int,
        took_ns: int | None,
        end: Result | BaseException,
    ) -> None:
        """Record an operation and how it ended; `took_ns` is None for one that goes on."""
        try:
            is_request = ctx.request_id is not None
            if is_request:
                self.recorder.operation_ended()
            connection = self._connections.connection_of(ctx)
            outcome = self._outcome(ctx, connection, took_ns, end)
            result = None if isinstance(end, BaseException) else end
            target = self._targets.target_of(ctx.method, ctx.params, succeeded=outcome is SUCCESS)
            request_size = size_bytes_of(ctx.params)
            result_size = size_bytes_of(result) if is_request and result is not None else None
            written = read = None
            if target.ratios is not None:
                written, read = target.ratios.tokens(ctx.params, request_size, result, result_size)
            record = OperationRecord(
                time_us=time_us,
                operation_type=target.method,
                status=outcome.status,
                duration_ms=None if took_ns is None else took_ns / 1e6,
                origin=self._origin(ctx, connection, result),
                target=target.name,
                operation_id=self.recorder.operation_id(number) if number else None,
                kind="request" if is_request else "notification",
                error_type=outcome.error_type,
                error=self._error_text(outcome, result) if self._texts else None,
                status_code=outcome.status_code,
                request_size=request_size,
                result_size=result_size,
                request_tokens=written,
                result_tokens=read,
                tokens_estimated=self._estimates and (written is not None or read is not None),
                correlation_id=_correlation_id(ctx),
                attributes=parent_of(ctx.meta.get("traceparent")) if ctx.meta else (),
            )
            self._put(ctx, connection, outcome, record)
            if outcome is SUCCESS:
                self._learn(ctx, target, result, record)
        except Exception:  # noqa: BLE001 - the monitored call goes on
            self._lost()

    def _origin(self, ctx: Context, connection: Connection, result: Any) -> Origin:
        if ctx.method == "initialize":
            return self._connections.introduced(ctx, result)
        return self._connections.origin_in(connection, ctx)

    def _put(
        self, ctx: Context, connection: Connection, outcome: Outcome, record: OperationRecord
    ) -> None:
        """Record, or wait for the reason when the client says that it gave up."""
        completed: OperationRecord | None = record
        if outcome is CANCELLED and adapter.peer_cancelled(ctx):
            completed = connection.gave_up(ctx.request_id, record)
        if completed is not None:
            self.recorder.record(completed)

    def _explain(self, ctx: Context) -> None:
        """Read why a client gave up, off its notification."""
        params = ctx.params or {}
        completed = self._connections.connection_of(ctx).explained(
            params.get("requestId"), params.get("reason")
        )
        if completed is not None:
            self.recorder.record(completed)

    def _outcome(
        self,
        ctx: Context,
        connection: Connection,
        took_ns: int | None,
        end: Result | BaseException,
    ) -> Outcome:
        if isinstance(end, BaseException):
            outcome = outcome_of_error(end, ctx.method, texts=self._texts)
            torn_off = outcome is CANCELLED and connection.is_direct
            return TIMED_OUT if torn_off and adapter.deadline_passed(end) else outcome
        outcome = outcome_of_result(end)
        if outcome is TOOL_FAILED and self._causes is not None:
            return self._causes.outcome_of(ctx) or outcome
        if outcome is SUCCESS and took_ns is not None and took_ns > _LATE_NS:
            return CANCELLED if _came_too_late(ctx, connection) else SUCCESS
        return outcome

    def _error_text(self, outcome: Outcome, result: Any) -> str | None:
        text = outcome.text
        if text is None and outcome is TOOL_FAILED:
            text = next(iter(content_texts(result)), None)
        return None if text is None else masked_text(text, self._text_chars_max)

    def _lost(self) -> None:
        spool = self.recorder.spool
        if spool is not None:
            with suppress(Exception):  # a fault of ours within a fault of ours
                spool.lose("invalid")


def _came_too_late(ctx: Context, connection: Connection) -> bool:
    """Return whether a result came after the client gave up: a tool in a thread can't be torn off.

    Not asked of messages handed over inside the process, where the client gets even that result.
    """
    if ctx.request_id is None or connection.is_direct:
        return False
    return current_effective_deadline() == -inf


def _nothing() -> None:
    """Make no id."""


def _correlation_id(ctx: Context) -> str | None:
    meta = ctx.meta
    given = meta.get("traceparent") if meta else None
    if given is not None:
        return trace_id_of(given)
    return None if adapter.tracing_is_idle() else adapter.current_trace_id()
