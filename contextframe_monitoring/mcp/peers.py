"""`Peers`: who talks to whom over one pair of streams, as far as they have said."""

from __future__ import annotations

import msgspec

from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.records import Origin
from contextframe_monitoring.mcp.call import Caller
from contextframe_monitoring.mcp.message import Meta, Result

_ORIGINS_MAX = 64


class ServerName:
    """What a server is called: by us, until it says its own name once, if it may.

    Several connections to one server share it.
    """

    __slots__ = ("may_say", "text")

    def __init__(self, text: str, *, may_say: bool) -> None:
        """Call it `text` for now."""
        self.text, self.may_say = bounded_name(text), may_say

    def said(self, name: str | None) -> None:
        """Take the name that the server gives itself."""
        if self.may_say and name:
            self.text, self.may_say = bounded_name(name), False


class Peers:
    """The client, the server and the protocol version of one connection.

    The agent of a call is the agent id in its own `_meta`; else the client, which names itself in
    `initialize` or, since 2026-07-28, in the `_meta` of each request.
    """

    def __init__(
        self,
        session_id: str | None,
        server: ServerName,
        *,
        environment: str | None = None,
        transport: str = "stdio",
    ) -> None:
        """Nobody has said anything yet."""
        self._server = server
        self._client = Caller()
        self._base = Origin(
            server=server.text,
            session_id=session_id,
            environment=environment,
            transport=transport,
        )
        self._origins: dict[Caller, Origin] = {}

    def session_is(self, session_id: str) -> None:
        """Go by the session id that the server has given."""
        self._change(session_id=bounded_name(session_id))

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
        self.speak(meta.protocol_version)
        said = meta.agent_id or meta.agent_id_camel or meta.agent_id_otel
        return Caller(bounded_name(said), "meta") if said else self._client

    def answered(self, method: str, result: Result) -> None:
        """Take the protocol version from the handshake and, once, the server's own name."""
        named = result.meta.server if result.meta is not None else None
        if method == "initialize":
            named = result.server or named
            self.speak(result.protocol_version)
        if named is not None and self._server.may_say:
            self._server.said(named.name)

    def speak(self, protocol_version: str | None) -> None:
        """Note the version in use. A stream speaks one: an era is not left again."""
        if protocol_version and protocol_version != self._base.protocol_version:
            self._change(protocol_version=bounded_name(protocol_version))

    def origin(self, caller: Caller) -> Origin:
        """Return the origin of a call, built once per caller."""
        if self._base.server is not self._server.text:
            self._change(server=self._server.text)
        origin = self._origins.get(caller)
        if origin is None:
            if len(self._origins) >= _ORIGINS_MAX:
                self._origins.clear()
            self._origins[caller] = origin = msgspec.structs.replace(
                self._base, agent_id=caller.name, agent_source=caller.source
            )
        return origin

    def _change(self, **facts: str) -> None:
        self._base = msgspec.structs.replace(self._base, **facts)
        self._origins.clear()
