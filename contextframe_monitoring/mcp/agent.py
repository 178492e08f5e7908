"""Who is calling: the authenticated principal, else what the caller says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp_types import CLIENT_INFO_META_KEY

from contextframe_monitoring.core.privacy import NAME_CHARS_MAX, bounded_name
from contextframe_monitoring.core.records import AgentSource
from contextframe_monitoring.mcp.adapter import Context

AGENT_KEYS = ("agent_id", "agentId", "gen_ai.agent.id")
"""Keys of `_meta` that name the agent, the first one found wins. Self-asserted."""

says_nothing = frozenset(AGENT_KEYS).isdisjoint
"""Return whether a `_meta` holds none of these keys."""

Agent = tuple[str | None, AgentSource | None]
"""The agent's name, of at most `NAME_CHARS_MAX` characters, and where it comes from."""
NOBODY: Agent = (None, None)


def agent_of(ctx: Context, client: Agent) -> Agent:
    """Return the agent of a message.

    `client` is who introduced itself when the connection was opened, in the handshake era.
    """
    if ctx.request is not None:
        token = get_access_token()
        if token is not None:
            return _bounded(token.subject or token.client_id), "authenticated"
    meta: Mapping[str, Any] | None = ctx.meta
    if not meta:
        return client
    if not says_nothing(meta):
        for key in AGENT_KEYS:
            if key in meta and meta[key] and type(meta[key]) is str:
                return _bounded(meta[key]), "meta"
    info = meta.get(CLIENT_INFO_META_KEY)  # modern era: with every request
    if type(info) is dict:
        name = info.get("name")
        if type(name) is str and 0 < len(name) <= NAME_CHARS_MAX:
            return name, "client"
    return client if info is None else client_of(info)


def client_of(info: object) -> Agent:
    """Return the agent that a `clientInfo` names."""
    name = info.get("name") if isinstance(info, Mapping) else None
    return (_bounded(name), "client") if isinstance(name, str) and name else NOBODY


def _bounded(name: str) -> str:
    return name if len(name) <= NAME_CHARS_MAX else bounded_name(name)
