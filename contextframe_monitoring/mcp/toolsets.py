"""Toolsets: the tools that every server has, and those that `--toolsets` turns on.

An agent pays for every definition before its first question, so the default set stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from mcp.server import MCPServer

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.clear_tool import cleared
from contextframe_monitoring.mcp.rule_tools import RULE_TOOL_NAMES, add_rule_tools
from contextframe_monitoring.mcp.tools import TOOL_NAMES, add_tools, shorten
from contextframe_monitoring.monitor import Monitor

DEFAULT, ALL = "default", "all"


class Toolset(NamedTuple):
    """Tools that are turned on together."""

    names: tuple[str, ...]
    add: Callable[[MCPServer, Monitor], None]


TOOLSETS: Mapping[str, Toolset] = {
    DEFAULT: Toolset(TOOL_NAMES, add_tools),
    "admin": Toolset(RULE_TOOL_NAMES, add_rule_tools),
}


def toolsets_of(text: str | None) -> tuple[str, ...]:
    """Return the toolsets of a comma-separated list, the default one always among them. Raises
    `InvalidError`.
    """
    wanted = {DEFAULT, *(part.strip() for part in (text or "").split(",") if part.strip())}
    if ALL in wanted:
        return tuple(TOOLSETS)
    for name in sorted(wanted - set(TOOLSETS)):
        allowed = f"expected a comma list of {', '.join([*TOOLSETS, ALL])}"
        raise InvalidError("--toolsets", name, allowed)
    return tuple(name for name in TOOLSETS if name in wanted)


def add_toolsets(server: MCPServer, monitor: Monitor, wanted: Collection[str]) -> tuple[str, ...]:
    """Register the tools of these toolsets; return their names."""
    names: list[str] = []
    for name in wanted:
        TOOLSETS[name].add(server, monitor)
        names += TOOLSETS[name].names
    for tool in names:
        for schema in adapter.tool_schemas(server, tool):
            schema.pop("description", None)
            shorten(schema)
        adapter.replace_tool(server, tool, cleared)
    return tuple(names)
