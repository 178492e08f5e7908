"""How many tokens the definitions of a server's tools are: what an agent pays before any call.

Seen in the answers to `tools/list`. Only names and numbers are kept, and only where a
number is new: a server that lists the same tools again adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.records import MetricRecord, Origin
from contextframe_monitoring.core.tokens import Vocabulary, sampled_tokens
from contextframe_monitoring.core.tool_context import DEFINITION_METRIC, EXACT_TOKENS
from contextframe_monitoring.mcp.line_tokens import PARTS_MAX
from contextframe_monitoring.mcp.message import UNREADABLE
from contextframe_monitoring.mcp.texts import json_texts

TOOLS_LIST = "tools/list"
TOOLS_MAX = 1_024
"""Tools whose definitions are remembered; those beyond are not looked at."""


class Definitions:
    """The definitions seen so far, by server and tool."""

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        """Know none yet; with a vocabulary their tokens are counted instead of estimated."""
        self._vocabulary = vocabulary
        self._tokens: dict[tuple[str | None, str], int] = {}

    def records(self, result: Any, origin: Origin, time_us: int) -> Iterator[MetricRecord]:
        """Yield a sample for each tool of an answer whose definition is new or has another size."""
        tools = result.get("tools") if isinstance(result, Mapping) else None
        if not isinstance(tools, list | tuple):
            return
        for tool in tools[:TOOLS_MAX]:
            name = tool.get("name") if isinstance(tool, Mapping) else None
            if not isinstance(name, str):
                continue
            key, (tokens, exact) = (origin.server, bounded_name(name)), self._measured(tool)
            if self._tokens.get(key) == tokens:
                continue
            if key not in self._tokens and len(self._tokens) >= TOOLS_MAX:
                continue
            self._tokens[key] = tokens
            yield MetricRecord(
                time_us=time_us,
                name=DEFINITION_METRIC,
                value=float(tokens),
                unit="tokens",
                origin=origin,
                attributes=(f"tool={key[1]}", *((EXACT_TOKENS,) if exact else ())),
            )

    def _measured(self, tool: Mapping[str, Any]) -> tuple[int, bool]:
        """Return the tokens of a definition, and whether they were counted."""
        texts = json_texts(tool)
        counted = None if self._vocabulary is None else self._vocabulary.count(texts)
        return (round(sampled_tokens(texts)), False) if counted is None else (counted, True)

    def in_line(self, line: bytes, origin: Origin, time_us: int) -> Iterator[MetricRecord]:
        """Yield the same of an answer as it stands on the wire; one of too many parts has none."""
        if sum(map(line.count, (b",", b"{", b"["))) > PARTS_MAX:
            return
        try:
            message = msgspec.json.decode(line)
        except UNREADABLE:
            return
        if isinstance(message, dict):
            yield from self.records(message.get("result"), origin, time_us)
