"""`Wire`: records the messages of a server that never pass its middleware.

What the server sends on its own (notifications, progress, sampling and elicitation requests with
their answers), what it can't read, and what the SDK refuses before any handler is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from mcp_types import PARSE_ERROR, REQUEST_TIMEOUT

from contextframe_monitoring.core.privacy import bounded_name, masked_text
from contextframe_monitoring.core.records import OperationRecord, Origin
from contextframe_monitoring.core.traceparent import trace_id_of
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.adapter import Context
from contextframe_monitoring.mcp.connections import Connections
from contextframe_monitoring.mcp.ending import UNPARSABLE
from contextframe_monitoring.mcp.outcome import Outcome, outcome_of_result
from contextframe_monitoring.mcp.sizes import size_bytes_of
from contextframe_monitoring.mcp.targets import name_of

PARSE_FAILED = Outcome("error", "ParseError", PARSE_ERROR)
NEVER_ANSWERED = Outcome("error", "ConnectionClosed")
"""The end of a server's request whose connection closed, or which too many others followed."""


class Frame(NamedTuple):
    """A JSON-RPC message as far as it is known."""

    method: str
    params: Mapping[str, Any] | None = None


class Road(NamedTuple):
    """How an HTTP request came that no handler was asked about."""

    transport: str
    protocol_version: str | None


class Sender(NamedTuple):
    """As much as is known of who a frame belongs to."""

    ctx: Context | None
    """The message that is being handled, or was refused; None outside of any."""
    anchor: Any
    """What stands for the connection, once a message of it was dispatched."""
    transport: str | None


class Wire:
    """One monitored server's messages beside those that are dispatched; never raises."""

    def __init__(
        self, recorder: Recorder, connections: Connections, *, texts: bool, text_chars_max: int
    ) -> None:
        """Record as the connections say; `texts`: keep what errors say, masked and bounded."""
        self.recorder = recorder
        self._connections = connections
        self._texts, self._text_chars_max = texts, text_chars_max

    def unparsable(self, sender: Sender, time_us: int) -> None:
        """Record a frame that could not be read."""
        try:
            self._put(time_us, UNPARSABLE, None, PARSE_FAILED, self._origin(sender))
        except Exception:  # noqa: BLE001 - the server goes on
            self.lost()

    def notified(
        self,
        direction: Literal["in", "out"],
        message: Any,
        sender: Sender,
        time_us: int,
    ) -> None:
        """Record a notification that no middleware sees."""
        try:
            self._put(
                time_us, message.method, message.params, Outcome("success"),
                self._origin(sender),
                kind="notification", direction=direction,
                correlation_id=_traced(message, sender.ctx),
            )  # fmt: skip
        except Exception:  # noqa: BLE001 - the server goes on
            self.lost()

    def ended(
        self,
        direction: Literal["in", "out"],
        message: Any,
        outcome: Outcome,
        result: Any,
        sender: Sender,
        times: tuple[int, int],
    ) -> None:
        """Record a request that no middleware sees. `times`: start in us, nanoseconds taken."""
        try:
            time_us, took_ns = times
            self._put(
                time_us, message.method, message.params, outcome, self._origin(sender),
                direction=direction, duration_ms=took_ns / 1e6,
                result_size=None if result is None else size_bytes_of(result),
                correlation_id=_traced(message, sender.ctx),
            )  # fmt: skip
        except Exception:  # noqa: BLE001 - the server goes on
            self.lost()

    def turned_away(
        self, frame: Frame, outcome: Outcome, road: Road, times: tuple[int, int | None]
    ) -> None:
        """Record a request that HTTP refused. `times` as in `ended`; None for one that was declined
        as the protocol provides.
        """
        try:
            time_us, took_ns = times
            self._put(
                time_us, frame.method, frame.params, outcome,
                self._connections.unknown_origin(*road),
                duration_ms=None if took_ns is None else took_ns / 1e6,
                correlation_id=_traced(frame, None),
            )  # fmt: skip
        except Exception:  # noqa: BLE001 - the server goes on
            self.lost()

    def dropped(self, frame: Frame, road: Road, time_us: int) -> None:
        """Record a notification that streamable HTTP took and let fall."""
        try:
            self._put(
                time_us, frame.method, frame.params, Outcome("success"),
                self._connections.unknown_origin(*road), kind="notification",
                correlation_id=_traced(frame, None),
            )  # fmt: skip
        except Exception:  # noqa: BLE001 - the server goes on
            self.lost()

    def lost(self) -> None:
        """Count a record that could not be made."""
        spool = self.recorder.spool
        if spool is not None:
            spool.lose("invalid")

    def _origin(self, sender: Sender) -> Origin:
        if sender.ctx is not None:
            return self._connections.origin_of(sender.ctx)
        latest = self._connections.latest_origin(sender.anchor)
        return latest or self._connections.unknown_origin(sender.transport)

    def _put(
        self,
        time_us: int,
        method: str,
        params: Mapping[str, Any] | None,
        outcome: Outcome,
        origin: Origin,
        **facts: Any,
    ) -> None:
        text = outcome.text if self._texts else None
        self.recorder.record(
            OperationRecord(
                time_us=time_us,
                operation_type=bounded_name(method),
                status=outcome.status,
                duration_ms=facts.pop("duration_ms", None),
                origin=origin,
                target=name_of(method, params),
                operation_id=self.recorder.next_operation_id(),
                error_type=outcome.error_type,
                error=None if text is None else masked_text(text, self._text_chars_max),
                status_code=outcome.status_code,
                request_size=None if method == UNPARSABLE else size_bytes_of(params),
                **facts,
            )
        )


def outcome_of_answer(message: Any) -> Outcome:
    """Return how a request ended whose answer is this JSON-RPC message."""
    if not isinstance(message, adapter.ErrorFrame):
        return outcome_of_result(message.result)
    code = message.error.code
    status: Literal["timeout", "error"] = "timeout" if code == REQUEST_TIMEOUT else "error"
    return Outcome(status, str(code), code, message.error.message)


def _traced(message: Any, ctx: Context | None) -> str | None:
    """Return the trace id that a message carries, else that of the one it was sent for."""
    meta = (message.params or {}).get("_meta")
    carried = trace_id_of(meta.get("traceparent")) if isinstance(meta, Mapping) else None
    if carried is not None or ctx is None or not ctx.meta:
        return carried
    return trace_id_of(ctx.meta.get("traceparent"))
