"""`Observer`: turns the messages that pass a relay into operation records.

Both eras of the protocol, both directions. Ids are paired with answers per direction. Nothing is
kept of contents: names, sizes, codes and times only. Sizes are the bytes of a message's line; a
message inside a JSON batch has none of its own.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Literal, NamedTuple

from msgspec import UNSET

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.privacy import bounded_name, uri_without_query
from contextframe_monitoring.core.records import OperationRecord, Status
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.mcp.call import Call, Direction
from contextframe_monitoring.mcp.lines import LongLine, long_line
from contextframe_monitoring.mcp.message import (
    ODD_BYTES_MAX,
    UNREADABLE,
    Failure,
    Message,
    MessageId,
    Params,
    Result,
    read_long,
    read_message,
    read_odd,
)
from contextframe_monitoring.mcp.peers import Peers
from contextframe_monitoring.mcp.pending import PENDING_MAX, PendingCalls

_TIMEOUT_CODE = -32001
_CODE_MAX = 2**31
_NS_PER_MS = 1_000_000
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_NO_TRACE = "0" * 32
_LISTEN = "subscriptions/listen"


class _Outcome(NamedTuple):
    status: Status
    error_type: str | None = None
    status_code: int | None = None


_SUCCESS = _Outcome("success")
_TOOL_ERROR = _Outcome("error", "tool_error")
_INPUT_REQUIRED = _Outcome("input_required")
_CANCELLED = _Outcome("cancelled")
_CLIENT_TIMEOUT = _Outcome("timeout", "client_timeout")


class Observer:
    """Watches one connection. `see` is called from two threads, one per direction."""

    def __init__(
        self,
        recorder: Recorder,
        clock: Clock,
        peers: Peers,
        *,
        lost: Callable[[], None] | None = None,
        pending_max: int = PENDING_MAX,
    ) -> None:
        """Record what passes between `peers`. `lost` is called after each record that gets lost."""
        self.unread = 0
        """Lines, or parts of a batch, that are no JSON-RPC message."""
        self.unpaired = 0
        """Answers to no call that waits: late ones, and those to id null."""
        self.dropped = 0
        """Calls forgotten because more than `pending_max` waited."""
        self.long_lines = 0
        """Lines that were judged by their beginning and end."""
        self._recorder, self._clock, self._lost = recorder, clock, lost
        self._peers = peers
        self._lock = threading.Lock()
        self._calls: dict[Direction, PendingCalls] = {
            "in": PendingCalls(pending_max),
            "out": PendingCalls(pending_max),
        }
        self._over = False

    def see(self, direction: Direction, line: bytes | LongLine, at_ns: int) -> None:
        """Look at one line that came by at `at_ns` (monotonic). Nothing from outside makes it
        raise.
        """
        with self._lock:
            if self._over:
                return
            if isinstance(line, LongLine):
                self._see_long(direction, line, at_ns)
                return
            try:
                message = read_message(line)
            except UNREADABLE:
                self._see_odd(direction, line, at_ns)
            else:
                self._message(direction, message, len(line), at_ns)

    def server_exited(self, code: int, at_ns: int) -> None:
        """Record every call that still waits as an error: nobody will answer. Then see no more."""
        with self._lock:
            self._over = True
            outcome = _Outcome("error", "ServerExited", code)
            for direction, calls in self._calls.items():
                for call in calls.pop_all():
                    self._finished(direction, call, outcome, at_ns)

    # -- one line

    def _see_long(self, direction: Direction, line: LongLine, at_ns: int) -> None:
        self.long_lines += 1
        try:
            message = read_long(line)
        except UNREADABLE:
            self.unread += 1
        else:
            self._message(direction, message, line.size, at_ns)

    def _see_odd(self, direction: Direction, line: bytes, at_ns: int) -> None:
        if len(line) > ODD_BYTES_MAX:
            self._see_long(direction, long_line(line), at_ns)
            return
        try:
            messages, unread = read_odd(line)
        except UNREADABLE:
            self.unread += bool(line.strip())
            return
        self.unread += unread
        size = len(line) if len(messages) + unread == 1 else None
        for message in messages:
            self._message(direction, message, size, at_ns)

    def _message(self, direction: Direction, message: Message, size: int | None, at: int) -> None:
        if message.method is None:
            if message.id is UNSET:
                self.unread += 1
            else:
                self._answer("out" if direction == "in" else "in", message, size, at)
        elif message.id is UNSET or message.id is None:
            self._notification(direction, message, size, at)
        else:
            call = self._call(message, size, at)
            if direction == "in":
                self._recorder.operation_started()
            if self._calls[direction].add(message.id, call):
                self.dropped += 1
                self._ended(direction)

    # -- what a message is

    def _call(self, message: Message, size: int | None, at_ns: int) -> Call:
        params = message.params
        meta = params.meta if params is not None else None
        if params is not None and params.client is not None and message.method == "initialize":
            self._peers.client_is(params.client.name)
        return Call(
            method=bounded_name(message.method or ""),
            target=_target(params),
            time_us=self._clock.now_us(),
            started_ns=at_ns,
            size=size,
            caller=self._peers.caller_of(meta),
            operation_id=self._recorder.next_operation_id(),
            correlation_id=None if meta is None else _trace_id(meta.traceparent),
        )

    def _notification(
        self, direction: Direction, message: Message, size: int | None, at_ns: int
    ) -> None:
        """Record a message that no answer ends, and what it says about a call that waits."""
        call = self._call(message, size, at_ns)
        params = message.params
        if params is not None:
            if message.method == "notifications/cancelled":
                self._cancelled(direction, params, at_ns)
            elif params.meta is not None and direction == "out":
                self._opened(params.meta.subscription_id, at_ns)
        self._record(direction, call, _SUCCESS, kind="notification")

    def _cancelled(self, direction: Direction, params: Params, at_ns: int) -> None:
        call = self._calls[direction].pop(params.request_id)
        if call is not None:
            timed_out = "timed out" in (params.reason or "").lower()
            outcome = _CLIENT_TIMEOUT if timed_out else _CANCELLED
            self._finished(direction, call, outcome, at_ns)

    def _opened(self, key: MessageId, at_ns: int) -> None:
        """Record a subscription at its first frame: it lasts for hours, and ends as cancelled."""
        call = self._calls["in"].get(key)
        if call is not None and call.method == _LISTEN:
            self._calls["in"].pop(key)
            self._finished("in", call, _SUCCESS, at_ns)

    def _answer(self, direction: Direction, message: Message, size: int | None, at: int) -> None:
        key: MessageId = None if message.id is UNSET else message.id
        call = self._calls[direction].pop(key)
        if call is None:
            self.unpaired += 1
            return
        if direction == "in" and message.result is not None:
            self._peers.answered(call.method, message.result)
        self._finished(direction, call, _outcome(message.result, message.error), at, size)

    # -- records

    def _finished(
        self,
        direction: Direction,
        call: Call,
        outcome: _Outcome,
        at_ns: int,
        result_size: int | None = None,
    ) -> None:
        self._ended(direction)
        duration_ms: float | None = (at_ns - call.started_ns) / _NS_PER_MS
        if call.method == _LISTEN:
            duration_ms = None  # it is not over when it is open
        self._record(direction, call, outcome, duration_ms=duration_ms, result_size=result_size)

    def _ended(self, direction: Direction) -> None:
        if direction == "in":
            self._recorder.operation_ended()

    def _record(
        self,
        direction: Direction,
        call: Call,
        outcome: _Outcome,
        *,
        kind: Literal["request", "notification"] = "request",
        duration_ms: float | None = None,
        result_size: int | None = None,
    ) -> None:
        stored = self._recorder.record(
            OperationRecord(
                time_us=call.time_us,
                operation_type=call.method,
                status=outcome.status,
                duration_ms=duration_ms,
                origin=self._peers.origin(call.caller),
                target=call.target,
                operation_id=call.operation_id,
                direction=direction,
                kind=kind,
                error_type=outcome.error_type,
                status_code=outcome.status_code,
                request_size=call.size,
                result_size=result_size,
                correlation_id=call.correlation_id,
            )
        )
        if not stored and self._lost is not None:
            self._lost()


def _target(params: Params | None) -> str | None:
    if params is None:
        return None
    name, uri = params.name, params.uri
    if params.reference is not None and name is None and uri is None:
        name, uri = params.reference.name, params.reference.uri
    if name is not None:
        return bounded_name(name)
    return None if uri is None else uri_without_query(uri)


def _trace_id(traceparent: str | None) -> str | None:
    """Return the trace id of a W3C traceparent, None when it is not a valid one."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return found.group(1) if found and found.group(1) != _NO_TRACE else None


def _outcome(result: Result | None, error: Failure | None) -> _Outcome:
    if error is not None:
        code = error.code
        if code is None or not -_CODE_MAX <= code < _CODE_MAX:
            return _Outcome("error", "unknown")
        return _Outcome("timeout" if code == _TIMEOUT_CODE else "error", str(code), code)
    if result is None:
        return _SUCCESS
    if result.is_error:
        return _TOOL_ERROR
    return _INPUT_REQUIRED if result.result_type == "input_required" else _SUCCESS
