"""`Peers`: who talks to whom over one pair of streams, as far as they have said."""

from __future__ import annotations

import msgspec

from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.records import Origin
from contextframe_monitoring.mcp.call import Caller
from contextframe_monitoring.mcp.message import Meta, Result

_ORIGINS_MAX = 64


class Peers:
    """The client, the server and the protocol version of one connection.

    The agent of a call is the agent id in its own `_meta`; else the client, which names itself in
    `initialize` or, since 2026-07-28, in the `_meta` of each request.
    """

    def __init__(
        self,
        session_id: str,
        *,
        server: str,
        server_may_say: bool,
        environment: str | None = None,
    ) -> None:
        """`server` is its name, until the first answer that tells another if it may say so."""
        self._server_may_say = server_may_say
        self._client = Caller()
        self._base = Origin(
            server=bounded_name(server),
            session_id=session_id,
            environment=environment,
            transport="stdio",
        )
        self._origins: dict[Caller, Origin] = {}

    def client_is(self, name: str | None) -> None:
        """Remember the name that the client gave itself."""
        if name and name != self._client.name:
            self._client = Caller(bounded_name(name), "client")

    def caller_of(self, meta: Meta | None) -> Caller:
        """Return who makes a call with this `_meta`."""
        if meta is None:
            return self._client
        if meta.client is not None:
            self.client_is(meta.client.name)
        self._speak(meta.protocol_version)
        said = meta.agent_id or meta.agent_id_camel or meta.agent_id_otel
        return Caller(bounded_name(said), "meta") if said else self._client

    def answered(self, method: str, result: Result) -> None:
        """Take the protocol version from the handshake and, once, the server's own name."""
        named = result.meta.server if result.meta is not None else None
        if method == "initialize":
            named = result.server or named
            self._speak(result.protocol_version)
        if self._server_may_say and named is not None and named.name:
            self._server_may_say = False
            self._base = msgspec.structs.replace(self._base, server=bounded_name(named.name))
            self._origins.clear()

    def _speak(self, protocol_version: str | None) -> None:
        """Note the version in use. A stream speaks one: an era is not left again."""
        if protocol_version and protocol_version != self._base.protocol_version:
            version = bounded_name(protocol_version)
            self._base = msgspec.structs.replace(self._base, protocol_version=version)
            self._origins.clear()

    def origin(self, caller: Caller) -> Origin:
        """Return the origin of a call, built once per caller."""
        origin = self._origins.get(caller)
        if origin is None:
            if len(self._origins) >= _ORIGINS_MAX:
                self._origins.clear()
            self._origins[caller] = origin = msgspec.structs.replace(
                self._base, agent_id=caller.name, agent_source=caller.source
            )
        return origin
