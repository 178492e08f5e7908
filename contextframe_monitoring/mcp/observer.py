"""`Observer`: turns the messages that pass a relay into operation records.

Both eras of the protocol, both directions. Ids are paired with answers per direction. Nothing is
kept of contents: names, sizes, codes and times only. Sizes are the bytes of a message's line; a
message inside a JSON batch has none of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from msgspec import UNSET

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.core.traceparent import parent_of, trace_id_of
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.mcp.call import Call, Direction
from contextframe_monitoring.mcp.definitions import TOOLS_LIST, Definitions
from contextframe_monitoring.mcp.ending import (
    CANCELLED,
    CLIENT_TIMEOUT,
    DECLINED,
    NO_ANSWER,
    PARSE_FAILED,
    SUCCESS,
    UNPARSABLE,
    Ending,
    ending_of,
    server_exited,
)
from contextframe_monitoring.mcp.line_tokens import LineTokens
from contextframe_monitoring.mcp.lines import LongLine, long_line
from contextframe_monitoring.mcp.message import (
    ODD_BYTES_MAX,
    UNREADABLE,
    Message,
    MessageId,
    Params,
    read_long,
    read_message,
    read_odd,
    target_of,
)
from contextframe_monitoring.mcp.peers import Peers
from contextframe_monitoring.mcp.pending import PENDING_MAX, PendingCalls

_NS_PER_MS = 1_000_000
_LISTEN = "subscriptions/listen"
Line = bytes | LongLine


class Posted:
    """What one POST carried: its requests that wait; notifications, and parts that are no message,
    not recorded yet.
    """

    __slots__ = ("keys", "notices", "unread")

    def __init__(self) -> None:
        """Nothing was read yet."""
        self.keys: list[MessageId] = []
        self.notices: list[Call] = []
        self.unread: list[Call] = []

    def __bool__(self) -> bool:
        """Return whether there was any request or notification."""
        return bool(self.keys or self.notices)


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
        tokens: LineTokens | None = None,
    ) -> None:
        """Record what passes between `peers`. `lost` is called after each record that gets lost;
        connections of one server may share `tokens`.
        """
        self.unread = 0
        """Lines, or parts of a batch, that are no JSON-RPC message; each is recorded as such."""
        self.unpaired = 0
        """Answers to no call that waits: late ones, and those to id null."""
        self.dropped = 0
        """Calls that count as unanswered because more than `pending_max` waited."""
        self.long_lines = 0
        """Lines that were judged by their beginning and end."""
        self._recorder, self._clock, self._lost = recorder, clock, lost
        self._peers = peers
        self._tokens = tokens or LineTokens()
        self._posted: Posted | None = None
        self._answers = False
        self._lock = threading.Lock()
        self._calls: dict[Direction, PendingCalls] = {
            "in": PendingCalls(pending_max),
            "out": PendingCalls(pending_max),
        }
        self._over = False
        self._definitions = Definitions(self._tokens.vocabulary)

    def see(self, direction: Direction, line: Line, at_ns: int) -> None:
        """Look at one line that came by at `at_ns` (monotonic). Nothing from outside makes it
        raise.
        """
        with self._lock:
            if not self._over:
                self._see(direction, line, at_ns)

    def server_exited(self, code: int, at_ns: int) -> None:
        """Record every call that still waits as an error: nobody will answer. Then see no more."""
        self.close(server_exited(code), at_ns)

    def close(self, ending: Ending, at_ns: int) -> None:
        """Record every call that still waits as ended like this, then see no more."""
        with self._lock:
            self._over = True
            for direction, calls in self._calls.items():
                for call in calls.pop_all():
                    self._finished(direction, call, ending, at_ns)

    # -- one POST of streamable HTTP

    def see_posted(self, body: Line, at_ns: int) -> Posted:
        """Look at what a client posted. Its notifications are recorded by `settle`: HTTP may still
        refuse them.
        """
        with self._lock:
            self._posted = posted = Posted()
            try:
                if not self._over:
                    self._see("in", body, at_ns)
            finally:
                self._posted = None
            return posted

    def see_answer(self, body: Line, at_ns: int) -> None:
        """Look at a message in an HTTP answer. What is none leaves its request without an answer,
        and is recorded as that.
        """
        with self._lock:
            self._answers = True
            try:
                if not self._over:
                    self._see("out", body, at_ns)
            finally:
                self._answers = False

    def waits(self, posted: Posted) -> bool:
        """Return whether a request of this POST has no answer yet."""
        return any(self._calls["in"].get(key) is not None for key in posted.keys)

    def accept(self, posted: Posted) -> None:
        """Record the notifications of a POST that HTTP took."""
        with self._lock:
            self._notices_end(posted, SUCCESS, PARSE_FAILED)

    def end(self, posted: Posted, ending: Ending, at_ns: int) -> None:
        """Record what still waits of a POST as ended like this."""
        with self._lock:
            self._notices_end(posted, ending, ending)
            for key in posted.keys:
                call = self._calls["in"].pop(key)
                if call is not None:
                    self._finished("in", call, ending, at_ns)

    def refused(
        self, method: str, size: int | None, started_ns: int, ending: Ending, at_ns: int
    ) -> None:
        """Record an HTTP request that was refused and carried no message that could be read."""
        with self._lock:
            call = self._call(Message(method=f"http/{method}"), None, size, started_ns)
            took = (at_ns - started_ns) / _NS_PER_MS if ending is not DECLINED else None
            self._record("in", call, ending, duration_ms=took)

    def _notices_end(self, posted: Posted, ending: Ending, unread_ending: Ending) -> None:
        for call in posted.notices:
            self._record("in", call, ending, kind="notification")
        for call in posted.unread:
            self._record("in", call, unread_ending)
        posted.notices.clear()
        posted.unread.clear()

    # -- one line

    def _see(self, direction: Direction, line: Line, at_ns: int) -> None:
        if isinstance(line, LongLine):
            self._see_long(direction, line, at_ns)
            return
        try:
            message = read_message(line)
        except UNREADABLE:
            self._see_odd(direction, line, at_ns)
        else:
            self._message(direction, message, line, len(line), at_ns)

    def _see_long(self, direction: Direction, line: LongLine, at_ns: int) -> None:
        self.long_lines += 1
        try:
            message = read_long(line)
        except UNREADABLE:
            self._unread(direction, line.size, at_ns)
        else:
            self._message(direction, message, line, line.size, at_ns)

    def _see_odd(self, direction: Direction, line: bytes, at_ns: int) -> None:
        if len(line) > ODD_BYTES_MAX:
            self._see_long(direction, long_line(line), at_ns)
            return
        try:
            messages, unread = read_odd(line)
        except UNREADABLE:
            if line.strip():
                self._unread(direction, len(line), at_ns)
            return
        whole = line if len(messages) + unread == 1 else None
        size = None if whole is None else len(whole)
        for _ in range(unread):
            self._unread(direction, size, at_ns)
        for message in messages:
            self._message(direction, message, whole, size, at_ns)

    def _message(
        self, direction: Direction, message: Message, line: Line | None, size: int | None, at: int
    ) -> None:
        if message.method is None:
            if message.id is UNSET:
                self._unread(direction, size, at)
            else:
                self._answer("out" if direction == "in" else "in", message, line, size, at)
        elif message.id is UNSET or message.id is None:
            self._notification(direction, message, size, at)
        else:
            call = self._call(message, line, size, at)
            if direction == "in":
                self._recorder.operation_started()
                if self._posted is not None:
                    self._posted.keys.append(message.id)
            dropped = self._calls[direction].add(message.id, call)
            if dropped is not None:
                self.dropped += 1
                self._finished(direction, dropped, NO_ANSWER, at)

    # -- what a message is

    def _call(self, message: Message, line: Line | None, size: int | None, at_ns: int) -> Call:
        params = message.params
        meta = params.meta if params is not None else None
        if params is not None and params.client is not None and message.method == "initialize":
            self._peers.client_is(params.client.name)
        method, target = bounded_name(message.method or ""), target_of(params)
        return Call(
            method=method,
            target=target,
            time_us=self._clock.now_us(),
            started_ns=at_ns,
            size=size,
            caller=self._peers.caller_of(meta),
            operation_id=self._recorder.next_operation_id(),
            correlation_id=None if meta is None else trace_id_of(meta.traceparent),
            attributes=() if meta is None else parent_of(meta.traceparent),
            tokens=self._tokens.written(method, target, line),
        )

    def _notification(
        self, direction: Direction, message: Message, size: int | None, at_ns: int
    ) -> None:
        """Record a message that no answer ends, and what it says about a call that waits."""
        call = self._call(message, None, size, at_ns)
        params = message.params
        if params is not None:
            if message.method == "notifications/cancelled":
                self._cancelled(direction, params, at_ns)
            elif params.meta is not None and direction == "out":
                self._opened(params.meta.subscription_id, at_ns)
        if self._posted is None:
            self._record(direction, call, SUCCESS, kind="notification")
        else:
            self._posted.notices.append(call)

    def _unread(self, direction: Direction, size: int | None, at_ns: int) -> None:
        """Record what is no message, unless HTTP says more of it."""
        self.unread += 1
        if self._answers:
            return
        call = self._call(Message(method=UNPARSABLE), None, size, at_ns)
        if self._posted is None:
            self._record(direction, call, PARSE_FAILED)
        else:
            self._posted.unread.append(call)

    def _cancelled(self, direction: Direction, params: Params, at_ns: int) -> None:
        call = self._calls[direction].pop(params.request_id)
        if call is not None:
            timed_out = "timed out" in (params.reason or "").lower()
            ending = CLIENT_TIMEOUT if timed_out else CANCELLED
            self._finished(direction, call, ending, at_ns)

    def _opened(self, key: MessageId, at_ns: int) -> None:
        """Record a subscription at its first frame: it lasts for hours, and ends as cancelled."""
        call = self._calls["in"].get(key)
        if call is not None and call.method == _LISTEN:
            self._calls["in"].pop(key)
            self._finished("in", call, SUCCESS, at_ns)

    def _answer(
        self, direction: Direction, message: Message, line: Line | None, size: int | None, at: int
    ) -> None:
        key: MessageId = None if message.id is UNSET else message.id
        call = self._calls[direction].pop(key)
        if call is None:
            self.unpaired += 1
            return
        ending = ending_of(message.result, message.error)
        tokens: int | None = None
        if direction == "in" and message.result is not None:
            self._peers.answered(call.method, message.result)
            tokens = self._tokens.read(call.method, call.target, line, succeeded=ending is SUCCESS)
        self._finished(direction, call, ending, at, size, tokens)
        if call.method == TOOLS_LIST and type(line) is bytes and ending is SUCCESS:
            origin = self._peers.origin(call.caller)
            for sample in self._definitions.in_line(line, origin, call.time_us):
                self._recorder.record(sample)

    # -- records

    def _finished(
        self,
        direction: Direction,
        call: Call,
        ending: Ending,
        at_ns: int,
        size: int | None = None,
        tokens: int | None = None,
    ) -> None:
        self._ended(direction)
        duration_ms: float | None = (at_ns - call.started_ns) / _NS_PER_MS
        if call.method == _LISTEN:
            duration_ms = None  # it is not over when it is open
        self._record(
            direction, call, ending, duration_ms=duration_ms, result_size=size, tokens=tokens
        )

    def _ended(self, direction: Direction) -> None:
        if direction == "in":
            self._recorder.operation_ended()

    def _record(
        self,
        direction: Direction,
        call: Call,
        ending: Ending,
        *,
        kind: Literal["request", "notification"] = "request",
        duration_ms: float | None = None,
        result_size: int | None = None,
        tokens: int | None = None,
    ) -> None:
        stored = self._recorder.record(
            OperationRecord(
                time_us=call.time_us,
                operation_type=call.method,
                status=ending.status,
                duration_ms=duration_ms,
                origin=self._peers.origin(call.caller),
                target=call.target,
                operation_id=call.operation_id,
                direction=direction,
                kind=kind,
                error_type=ending.error_type,
                status_code=ending.status_code,
                request_size=call.size,
                result_size=result_size,
                request_tokens=call.tokens,
                result_tokens=tokens,
                tokens_estimated=self._tokens.vocabulary is None
                and (call.tokens is not None or tokens is not None),
                correlation_id=call.correlation_id,
                attributes=call.attributes,
            )
        )
        if not stored and self._lost is not None:
            self._lost()
