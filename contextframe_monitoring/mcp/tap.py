"""`Tap`: sees every frame of one connection, and leaves those that are dispatched to the
middleware.

Each arriving message goes its way in a context of its own. There the tap leaves an `Arrival`, the
middleware marks it, and what is sent from there is known to belong to it: an error answer to an
unmarked arrival is a refusal that no middleware saw.
"""

from __future__ import annotations

import weakref
from collections.abc import Awaitable
from contextvars import Context as VariableContext
from contextvars import ContextVar
from time import perf_counter_ns, time_ns
from typing import Any, NamedTuple, Self

import msgspec
from anyio import EndOfStream

from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.adapter import Context
from contextframe_monitoring.mcp.direct_tap import DirectTap
from contextframe_monitoring.mcp.outcome import CANCELLED, CLIENT_TIMEOUT, Outcome
from contextframe_monitoring.mcp.sightings import seen
from contextframe_monitoring.mcp.wire import NEVER_ANSWERED, Sender, Wire, outcome_of_answer

ASKED_MAX = 1024
"""Requests of the server that wait for their answer; beyond it the oldest counts as unanswered."""
_RequestFrame, _ResponseFrame = adapter.RequestFrame, adapter.ResponseFrame
_GAVE_UP = Outcome("timeout", CLIENT_TIMEOUT)
_CANCELLED = "notifications/cancelled"


class Arrival(msgspec.Struct):
    """A message that came in, made in C: there is one for each message.

    `ctx` is what the middleware was given; None while it saw nothing.
    """

    tap: Tap
    message: Any
    started_ns: int
    ctx: Context | None = None


_ARRIVED: ContextVar[Arrival | None] = ContextVar("contextframe_monitoring_arrival", default=None)
_arrived, _set_arrived = _ARRIVED.get, _ARRIVED.set


def handled(ctx: Context, wires: list[Wire]) -> None:
    """Mark the arrival that a middleware now sees.

    Over streamable HTTP nothing arrives by a tap: there the first message taps its connection. What
    is handed over inside the process has no stream at all: its own way back is tapped.
    """
    arrival = _arrived()
    if arrival is not None and arrival.ctx is None and _is_same(arrival.message, ctx):
        arrival.ctx = ctx
        if arrival.tap.anchor is None:
            arrival.tap.belongs_to(ctx)
        return
    if ctx.request is None:
        adapter.tap_direct(ctx, DirectTap, wires)
    elif arrival is None:
        seen(ctx)
        _tap_connection(ctx, wires)


def _is_same(message: Any, ctx: Context) -> bool:
    """Return whether a middleware was given this message, and not one that its handler sent on."""
    params = ctx.params
    return message.params is params and (params is not None or message.method == ctx.method)


class _Asked(NamedTuple):
    message: Any
    ctx: Context | None
    time_us: int
    started_ns: int


class Tap:
    """One connection; its frames go to every wire of the server."""

    def __init__(self, wires: list[Wire], transport: str | None) -> None:
        """`wires` may grow; `transport` stands on what comes before anything is dispatched."""
        self._wires, self._transport = wires, transport
        self.anchor: weakref.ref[Any] | None = None
        """What stands for the connection, once a message of it was dispatched."""
        self._asked: dict[str, _Asked] = {}
        self._leads: int | None = 0

    def belongs_to(self, ctx: Context) -> None:
        """Learn which connection this is."""
        anchor = adapter.anchor_of(ctx)
        self.anchor = None if anchor is None else weakref.ref(anchor)

    def received(self, item: Any) -> Arrival | None:
        """Look at what came in; return an arrival for what will be dispatched, or refused."""
        message = None if isinstance(item, Exception) else item.message
        if type(message) is _RequestFrame:
            self._leads = None
            return Arrival(self, message, perf_counter_ns())
        dropped = self._leads is not None and self._is_dropped()
        if isinstance(message, adapter.NotificationFrame):
            if not dropped:
                return Arrival(self, message, perf_counter_ns())
            for wire in self._wires:
                wire.notified("in", message, self._sender(None), time_ns() // 1000)
        elif message is None:
            for wire in self._wires:
                wire.unparsable(self._sender(None), time_ns() // 1000)
        else:
            self.answered(message)
        return None

    def sent(self, message: Any) -> None:
        """Look at what goes out and is no result: those are the middleware's."""
        arrival = _arrived()
        if arrival is not None and arrival.tap is not self:
            arrival = None
        if isinstance(message, adapter.ErrorFrame):
            if arrival is not None and arrival.ctx is None:
                self._refused(arrival, message)
            return
        ctx = None if arrival is None else arrival.ctx
        if isinstance(message, adapter.RequestFrame):
            self._ask(_Asked(message, ctx, time_ns() // 1000, perf_counter_ns()))
            return
        if message.method == _CANCELLED:
            self._given_up(message.params or {})
        for wire in self._wires:
            wire.notified("out", message, self._sender(ctx), time_ns() // 1000)

    def answered(self, message: Any) -> None:
        """Record the request of the server that `message` answers."""
        asked = self._asked.pop(str(message.id), None)
        if asked is not None:
            self._ended(asked, outcome_of_answer(message), getattr(message, "result", None))

    def resolved(self, request_id: Any, outcome: Any) -> None:
        """Record an answer as a dispatcher takes it: a result, or what an error says."""
        try:
            if isinstance(outcome, dict):
                message: Any = adapter.ResponseFrame(jsonrpc="2.0", id=request_id, result=outcome)
            else:
                message = adapter.ErrorFrame(jsonrpc="2.0", id=request_id, error=outcome)
            self.answered(message)
        except Exception:  # noqa: BLE001 - the server goes on
            self.lost()

    def closed(self) -> None:
        """Record what nobody will answer any more."""
        while self._asked:
            self._ended(self._asked.pop(next(iter(self._asked))), NEVER_ANSWERED, None)

    def lost(self) -> None:
        """Count a fault of ours."""
        for wire in self._wires:
            wire.lost()

    def _sender(self, ctx: Context | None) -> Sender:
        anchor = None if self.anchor is None else self.anchor()
        return Sender(ctx, anchor, self._transport)

    def _is_dropped(self) -> bool:
        """Return whether the SDK drops a frame ahead of the first request, having kept enough."""
        if self._leads is None or self._leads >= adapter.LEADS_MAX:
            return True
        self._leads += 1
        return False

    def _ask(self, asked: _Asked) -> None:
        if len(self._asked) >= ASKED_MAX:
            self._ended(self._asked.pop(next(iter(self._asked))), NEVER_ANSWERED, None)
        self._asked[str(asked.message.id)] = asked

    def _given_up(self, params: Any) -> None:
        asked = self._asked.pop(str(params.get("requestId")), None)
        if asked is not None:
            timed_out = str(params.get("reason")).startswith("timed out")
            self._ended(asked, _GAVE_UP if timed_out else CANCELLED, None)

    def _ended(self, asked: _Asked, outcome: Outcome, result: Any) -> None:
        times = asked.time_us, perf_counter_ns() - asked.started_ns
        for wire in self._wires:
            wire.ended("out", asked.message, outcome, result, self._sender(asked.ctx), times)

    def _refused(self, arrival: Arrival, message: Any) -> None:
        refused = arrival.message
        if not isinstance(refused, adapter.RequestFrame) or refused.id != message.id:
            return
        took_ns = perf_counter_ns() - arrival.started_ns
        times = (time_ns() - took_ns) // 1000, took_ns
        outcome = outcome_of_answer(message)
        for wire in self._wires:
            wire.ended("in", refused, outcome, None, self._sender(None), times)


class TapRead:
    """A receive stream that shows a tap what it hands on, and sends it on its way marked.

    It has what the SDK asks of a stream and no `__getattr__`: that would slow down every look-up.
    """

    def __init__(self, inner: Any, tap: Tap) -> None:
        """Stand in for `inner`."""
        self._tapped, self._tap = inner, tap
        self._receive = adapter.receive_of(inner)
        self.last_context: VariableContext | None = None
        """The context of the last message's sender: the SDK handles the message in it."""

    async def receive(self) -> Any:
        """Receive the next item."""
        self.last_context, item = await self._receive()
        self._see(item, self.last_context)
        return item

    async def __anext__(self) -> Any:
        """Receive the next item, as long as there is one."""
        try:
            context, item = await self._receive()
        except EndOfStream:
            raise StopAsyncIteration from None
        self.last_context = context
        self._see(item, context)
        return item

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def aclose(self) -> None:
        """Close the stream."""
        await self._tapped.aclose()

    async def __aenter__(self) -> Self:
        """Enter the stream."""
        await self._tapped.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        """Leave the stream, which closes it."""
        return await self._tapped.__aexit__(*error)

    def _see(self, item: Any, context: VariableContext) -> None:
        try:
            arrival = self._tap.received(item)
            if arrival is not None:
                context.run(_set_arrived, arrival)
        except Exception:  # noqa: BLE001 - the server goes on
            self._tap.lost()


class TapWrite:
    """A send stream that shows a tap what it is given; as a stream it is like `TapRead`."""

    def __init__(self, inner: Any, tap: Tap) -> None:
        """Stand in for `inner`."""
        self._tapped, self._tap = inner, tap
        self._inner = getattr(inner, "_inner", None)
        """What the adapter tells the transport by."""

    def send(self, item: Any) -> Awaitable[None]:
        """Send an item: what the stream's own `send` returns is there to be awaited."""
        try:
            message = item.message
            if type(message) is not _ResponseFrame:
                self._tap.sent(message)
        except Exception:  # noqa: BLE001 - the server goes on
            self._tap.lost()
        sending: Awaitable[None] = self._tapped.send(item)
        return sending

    async def aclose(self) -> None:
        """Close the stream."""
        await self._tapped.aclose()

    async def __aenter__(self) -> Self:
        """Enter the stream."""
        await self._tapped.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        """Leave the stream, which closes it."""
        return await self._tapped.__aexit__(*error)


class TappedRun:
    """Stands in for `run` of a low-level server: taps every connection that it serves."""

    def __init__(self, run: Any) -> None:
        """Take the server's own `run`."""
        self._run = run
        self.wires: list[Wire] = []
        """Where the frames go: one for each monitor."""

    async def __call__(self, read_stream: Any, write_stream: Any, *args: Any, **more: Any) -> Any:
        """Serve one connection over these streams."""
        tap = Tap(self.wires, adapter.transport_of_stream(write_stream))
        try:
            return await self._run(
                TapRead(read_stream, tap), TapWrite(write_stream, tap), *args, **more
            )
        finally:
            tap.closed()


def _tap_connection(ctx: Context, wires: list[Wire]) -> None:
    """Tap the connection of a message that came by streamable HTTP, from this message on.

    There the SDK runs a dispatcher without `run`; what arrives is seen by the HTTP layer.
    """
    dispatcher = adapter.dispatcher_of(ctx)
    if dispatcher is None:
        return
    tap = adapter.tap_of(dispatcher)
    if not isinstance(tap, Tap):
        tap = Tap(wires, adapter.TRANSPORT_HTTP)
        adapter.tap_dispatcher(dispatcher, TapWrite, tap)
        teardown = adapter.teardown_of(ctx)
        if teardown is not None:
            teardown.callback(tap.closed)
        tap.belongs_to(ctx)
    _set_arrived(Arrival(tap, None, perf_counter_ns(), ctx))
