"""`Routines`: the quick way to record a tool call that is like one before it; nearly all are.

What such calls have in common is on a form, and what is left to do stands in one place: between two
calls little of ours stays in the processor's caches, so what counts is the number of steps, and of
objects that are touched. `MonitorMiddleware._ended` knows the long way, and every case.
"""

from __future__ import annotations

from typing import Any

from mcp_types import CLIENT_INFO_META_KEY

from contextframe_monitoring.core.correlation import current
from contextframe_monitoring.core.operation_form import OperationForm
from contextframe_monitoring.core.records import Origin
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.mcp.adapter import Context, anchor_of
from contextframe_monitoring.mcp.agent import agent_of, says_nothing
from contextframe_monitoring.mcp.connections import Connections
from contextframe_monitoring.mcp.sizes import encode
from contextframe_monitoring.mcp.targets import Target

ROUTINES_MAX = 512
"""Pairs of an agent and a tool that are remembered of a connection; then it begins anew."""


class Routines:
    """The tool calls that a server has answered before, by connection, tool and agent."""

    def __init__(self, recorder: Recorder, connections: Connections) -> None:
        """Record there, for the senders that these know."""
        self._recorder, self._connections, self._open = recorder, connections, connections.open

    def record(
        self, ctx: Context, number: int, time_us: int, took_ns: int, result: dict[str, Any]
    ) -> bool:
        """Record a tool call that succeeded; False when it was not: it is like none before."""
        if current() is not None:  # an id that is bound stands on no form
            return False
        recorder: Any = self._recorder
        params: Any = ctx.params
        written: int | None
        read: int | None
        try:
            connection = self._open[id(anchor_of(ctx))]
            agent, source = connection.client
            meta: Any = ctx.meta
            if ctx.request is not None or (meta is not None and not says_nothing(meta)):
                agent, source = agent_of(ctx, connection.client)
            elif meta is not None:  # what `agent_of` says then, in a third of the steps
                info = meta.get(CLIENT_INFO_META_KEY)
                if info is not None:
                    agent, source = info["name"], "client"
            form, ratios, connection.latest = connection.routines[
                params["name"], agent, source, ctx.protocol_version, recorder.spool.writer
            ]
            request_size, result_size = len(encode(params)), len(encode(result))
            try:  # what `tokens` does when nothing is to be sampled
                ratios.due = due = ratios.due - 1
                written = int(ratios.written_means[request_size.bit_length()] * request_size + 0.5)
                read = int(ratios.read_means[result_size.bit_length()] * result_size + 0.5)
            except KeyError:
                due = 0
            if due <= 0:
                ratios.due += 1
                written, read = ratios.tokens(params, request_size, result, result_size)
            encoded = form.filled(
                number, time_us, took_ns / 1e6, request_size, result_size, written, read
            )
        except Exception:  # noqa: BLE001 - whatever is odd about it: the long way knows
            return False
        recorder.end(encoded)
        return True

    def learn(self, ctx: Context, target: Target, origin: Origin) -> None:
        """Remember a tool call that succeeded: the next one like it is a matter of routine."""
        connection, recorder = self._connections.connection_of(ctx), self._recorder
        name = (ctx.params or {}).get("name")
        if type(name) is not str or name != target.name or target.ratios is None:
            return
        # the writer: in a forked child it is another one, and its name is on the form
        key = name, *agent_of(ctx, connection.client), ctx.protocol_version, recorder.writer
        if key in connection.routines:
            return
        if len(connection.routines) >= ROUTINES_MAX:
            connection.routines.clear()
        form = OperationForm(target.method, name, origin, recorder.operation_id(""))
        connection.routines[key] = form, target.ratios, origin
