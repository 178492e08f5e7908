"""What a tool puts into an agent's context: the names under which that is recorded."""

from __future__ import annotations

DEFINITION_METRIC = "mcp.tool.definition_tokens"
"""Custom metric: tokens of a tool's definition; the attribute `tool` names it."""
EXACT_TOKENS = "tokens=counted"
"""Attribute of a sample that a vocabulary has counted; without it the number is an estimate."""
