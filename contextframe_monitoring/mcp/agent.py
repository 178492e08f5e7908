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
_agent_keys = frozenset(AGENT_KEYS)

Agent = tuple[str | None, AgentSource | None]
NOBODY: Agent = (None, None)


def agent_of(ctx: Context) -> Agent:
    """Return the agent of a message and where its name comes from."""
    if ctx.request is not None:
        token = get_access_token()
        if token is not None:
            return _bounded(token.subject or token.client_id), "authenticated"
    meta: Mapping[str, Any] | None = ctx.meta
    if meta:
        if not _agent_keys.isdisjoint(meta):
            for key in AGENT_KEYS:
                claimed = meta.get(key)
                if claimed and type(claimed) is str:
                    return _bounded(claimed), "meta"
        if CLIENT_INFO_META_KEY in meta:  # modern era: with every request
            return _named(meta[CLIENT_INFO_META_KEY])
    client = ctx.session.client_params
    if client is not None:
        return _bounded(client.client_info.name), "client"
    if ctx.method == "initialize":  # not committed while it is handled
        return _named((ctx.params or {}).get("clientInfo"))
    return NOBODY


def _named(info: object) -> Agent:
    name = info.get("name") if isinstance(info, Mapping) else None
    return (_bounded(name), "client") if isinstance(name, str) and name else NOBODY


def _bounded(name: str) -> str:
    return name if len(name) <= NAME_CHARS_MAX and name.isprintable() else bounded_name(name)
