"""What a tool puts into an agent's context: the names under which that is recorded."""

from __future__ import annotations

DEFINITION_METRIC = "mcp.tool.definition_tokens"
"""Custom metric: estimated tokens of a tool's definition; the attribute `tool` names it."""
