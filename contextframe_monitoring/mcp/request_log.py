"""`RequestLog`: gives every MCP message an id and logs how it was handled.

It stands outside of the other middleware, so that the record of the message, what the application
records and logs while it handles it, and what the server sends meanwhile, carry the same id: that
of the message's trace context, else `correlationId` of its `_meta`, else the one that is bound
already (an HTTP request's), else one that is made. While a tracer provider is configured, it is
the trace id of the SDK's span. Only installed where requests are logged.
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter_ns
from typing import Any

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.correlation import (
    META_KEY,
    TRACEPARENT,
    bound_to,
    id_from,
    joined,
)
from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.ingest.correlating import id_maker
from contextframe_monitoring.logs.log import Logs
from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.adapter import CallNext, Context, Result
from contextframe_monitoring.mcp.outcome import SUCCESS, outcome_of_error, outcome_of_result
from contextframe_monitoring.mcp.targets import name_of

_LOGGER = "mcp"


class RequestLog:
    """Middleware of an MCP server; it never changes or breaks a message."""

    def __init__(self, logs: Logs, config: MonitoringConfig, *, in_span: bool = False) -> None:
        """Log as `logs` does. `in_span` is the one that stands within the SDK's span, and is at
        work while a tracer provider is configured; else the outermost is.
        """
        self._in_span = in_span
        self._log = logs.logger(_LOGGER)
        self._make = id_maker(config.logging.correlation_ids)

    def tool_failed(self, name: str, error: BaseException) -> None:
        """Log where a tool failed: all that its answer says is that it did."""
        with suppress(Exception):  # as below
            self._log.error("tool.failed", exc_info=error, target=bounded_name(name))

    async def __call__(self, ctx: Context, call_next: CallNext) -> Result:
        """Handle one message."""
        if adapter.tracing_is_idle() is self._in_span:
            return await call_next(ctx)
        meta, given = ctx.meta or {}, None
        if not self._in_span:  # there the span's trace id is bound already
            given = id_from(meta.get(TRACEPARENT), meta.get(META_KEY))
        with bound_to(joined({"correlation_id": given}, self._make)):
            started_ns = perf_counter_ns()
            try:
                result = await call_next(ctx)
            except BaseException as error:
                self._ended(ctx, perf_counter_ns() - started_ns, None, error)
                raise
            self._ended(ctx, perf_counter_ns() - started_ns, result, None)
            return result

    def _ended(self, ctx: Context, took_ns: int, result: Any, error: BaseException | None) -> None:
        with suppress(Exception):  # the message was handled; its line is not worth more
            if error is None:
                outcome = outcome_of_result(result)
            else:
                outcome = outcome_of_error(error, ctx.method, texts=False)
            fields: dict[str, Any] = {"method": bounded_name(ctx.method)}
            target = name_of(ctx.method, ctx.params)
            if target is not None:
                fields["target"] = target
            fields |= {"duration_ms": took_ns / 1e6, "status": outcome.status}
            if outcome.error_type is not None:
                fields["error_type"] = outcome.error_type
            if outcome.status in {"error", "timeout"}:
                self._log.error("request.failed", exc_info=error, **fields)
            elif ctx.request_id is None and outcome is SUCCESS:
                self._log.debug("notification.handled", **fields)
            else:
                self._log.info("request.handled", **fields)
