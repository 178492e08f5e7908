"""The connections of a server: what is the same for all their messages, kept once for each."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from contextframe_monitoring.core.operation_form import OperationForm
from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.records import AgentSource, OperationRecord, Origin
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.agent import NOBODY, agent_of, client_of
from contextframe_monitoring.mcp.outcome import CLIENT_TIMEOUT
from contextframe_monitoring.mcp.targets import TokenRatios

ORIGINS_MAX = 256
"""Agents that one connection remembers; beyond that it forgets and builds them anew."""
ABANDONED_MAX = 256
"""Requests per connection whose client gave up, remembered until both halves of that are known."""

_TIMED_OUT = "timed out"
"""Words in the reason of `notifications/cancelled` of a client that lost patience; both SDKs."""
_REASON_CHARS_MAX = 256


class Connection:
    """One connection, or all the requests that came without one.

    A client that gives up tells it in a notification of its own, before or after the handler is
    torn off. `gave_up` and `explained` bring the two together, in either order.
    """

    __slots__ = (
        "_explained", "_waiting", "client", "is_direct", "latest", "origins", "routines",
        "session_id", "transport",
    )  # fmt: skip

    def __init__(self, transport: str | None, session_id: str | None, *, is_direct: bool) -> None:
        """`is_direct`: messages are handed over inside the process, so a late result arrives."""
        self.transport, self.session_id, self.is_direct = transport, session_id, is_direct
        self.client = NOBODY
        self.latest: Origin | None = None
        self.origins: dict[tuple[str | None, str | None, str], Origin] = {}
        self.routines: dict[tuple[str | None, ...], tuple[OperationForm, TokenRatios, Origin]] = {}
        """Kept by `Routines`: what calls of one tool by one agent have in common."""
        self._explained: dict[str, bool] = {}
        self._waiting: dict[str, OperationRecord] = {}

    def explained(self, request_id: object, reason: object) -> OperationRecord | None:
        """Take the reason why a client gave up; return the record that waited for it, completed."""
        given = reason[:_REASON_CHARS_MAX].lower() if isinstance(reason, str) else ""
        timed_out = _TIMED_OUT in given
        key = str(request_id)
        record = self._waiting.pop(key, None)
        if record is not None:
            return _timed_out(record) if timed_out else record
        if len(self._explained) >= ABANDONED_MAX:
            del self._explained[next(iter(self._explained))]
        self._explained[key] = timed_out
        return None

    def gave_up(self, request_id: object, record: OperationRecord) -> OperationRecord | None:
        """Take the record of a request whose client gave up; return it completed when the reason
        is known, None when it has to wait for it.
        """
        key = str(request_id)
        timed_out = self._explained.pop(key, None)
        if timed_out is None and len(self._waiting) < ABANDONED_MAX:
            self._waiting[key] = record
            return None
        return _timed_out(record) if timed_out else record

    def left_over(self) -> list[OperationRecord]:
        """Return the records whose reason never came, as they are."""
        records = list(self._waiting.values())
        self._waiting.clear()
        return records


def _timed_out(record: OperationRecord) -> OperationRecord:
    return msgspec.structs.replace(record, status="timeout", error_type=CLIENT_TIMEOUT)


class Connections:
    """The open connections of one monitored server.

    An entry lives exactly as long as the SDK's own object of that connection, so there are never
    more entries than connections.
    """

    def __init__(self, recorder: Recorder, server: str | None, environment: str | None) -> None:
        """`server` and `environment` stand on every record."""
        self._recorder, self._server, self._environment = recorder, server, environment
        self._numbers = itertools.count(1)
        without = Connection(adapter.TRANSPORT_HTTP, None, is_direct=False)
        self.open: dict[int, Connection] = {id(None): without}
        """By the identity of their anchor; there to be read."""

    def connection_of(self, ctx: adapter.Context) -> Connection:
        """Return the connection that a message came by."""
        anchor = adapter.anchor_of(ctx)
        return self.open.get(id(anchor)) or self._opened(anchor, ctx)

    def origin_of(self, ctx: adapter.Context) -> Origin:
        """Return who sent a message and how it came; one object for all that are alike."""
        return self.origin_in(self.connection_of(ctx), ctx)

    def origin_in(self, connection: Connection, ctx: adapter.Context) -> Origin:
        """Return the same of a message whose connection is known already."""
        if ctx.meta is None and ctx.request is None:  # what `agent_of` says then
            agent, source = connection.client
        else:
            agent, source = agent_of(ctx, connection.client)
        version = ctx.protocol_version
        origin = connection.origins.get((agent, source, version))
        connection.latest = origin = origin or self._new_origin(connection, agent, source, version)
        return origin

    def introduced(self, ctx: adapter.Context, result: object) -> Origin:
        """Return the origin of `initialize`, whose facts the SDK only commits after it."""
        connection = self.connection_of(ctx)
        client = client_of((ctx.params or {}).get("clientInfo"))
        if connection.session_id is not None:
            connection.client = client
        version = result.get("protocolVersion") if isinstance(result, dict) else None
        agent = agent_of(ctx, client)
        return self._new_origin(
            connection, *agent, version if isinstance(version, str) else ctx.protocol_version
        )

    def latest_origin(self, anchor: Any) -> Origin | None:
        """Return the origin of the last message of a connection; None when there was none."""
        connection = None if anchor is None else self.open.get(id(anchor))
        return None if connection is None else connection.latest

    def unknown_origin(self, transport: str | None, version: str | None = None) -> Origin:
        """Return the origin of what came before anybody was known at the other end."""
        return Origin(
            server=self._server,
            environment=self._environment,
            transport=transport,
            protocol_version=version,
        )

    def _new_origin(
        self, connection: Connection, agent: str | None, source: AgentSource | None, version: str
    ) -> Origin:
        if len(connection.origins) >= ORIGINS_MAX:
            connection.origins.clear()
        origin = connection.latest = connection.origins[agent, source, version] = Origin(
            server=self._server,
            agent_id=agent and bounded_name(agent),
            agent_source=source,
            session_id=connection.session_id,
            environment=self._environment,
            transport=connection.transport,
            protocol_version=version,
        )
        return origin

    def _opened(self, anchor: Any, ctx: adapter.Context) -> Connection:
        recorder = self._recorder
        session_id = adapter.http_session_id(ctx)
        if session_id is None:
            session_id = f"{recorder.writer}-c{next(self._numbers)}"
        connection = Connection(
            adapter.transport_of(ctx), session_id, is_direct=adapter.is_direct(ctx)
        )
        introduced = ctx.session.client_params  # before we came: we are instrumented late
        if introduced is not None:
            connection.client = client_of({"name": introduced.client_info.name})
        self.open[id(anchor)] = connection
        forget: Callable[[], object] = partial(self.open.pop, id(anchor), None)
        closed = weakref.finalize(anchor, _closed, forget, connection, recorder)
        teardown = adapter.teardown_of(ctx)
        if teardown is not None:  # at once; else when the object is collected, or the process ends
            teardown.callback(closed)
        recorder.connections_changed(1)
        return connection


def _closed(forget: Callable[[], object], connection: Connection, recorder: Recorder) -> None:
    """Count a connection out when the SDK has dropped it, and record what still waited."""
    forget()
    recorder.connections_changed(-1)
    for record in connection.left_over():
        recorder.record(record)
