"""How a report becomes the answer of a tool: one number first, a small table, never more than
asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from contextframe_monitoring.core.sayings import Said
from contextframe_monitoring.core.tokens import estimate_tokens

if TYPE_CHECKING:
    from contextframe_monitoring.core.reports import Report


def answer(headline: str, lines: Sequence[str], structured: dict[str, Any]) -> CallToolResult:
    """Return a tool's result: text that leads with the number asked for, and the report as
    structure.
    """
    text = "\n".join([headline, *lines])
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=structured
    )


def structure(report: BaseModel) -> dict[str, Any]:
    """Return a report as JSON values: what `report --json` prints."""
    found: dict[str, Any] = json.loads(report.model_dump_json())
    return found


def fitted(
    make: Callable[[int, int], tuple[Said, dict[str, Any]]], report: Report, tokens_max: int
) -> CallToolResult:
    """Return the fullest answer of at most about `tokens_max` tokens, text and structure each.

    `make(rows, bare)` builds it with a number of breakdown rows and without the first `bare`
    optional sections. Sections go first, then rows: the rest is named, and a cursor leads to it.
    """
    rows, bare = len(report.breakdown), 0
    while True:
        said, structured = make(rows, bare)
        size = max(
            estimate_tokens(json.dumps(structured, ensure_ascii=False)),
            estimate_tokens("\n".join([said.headline, *said.lines])),
        )
        if size <= tokens_max or (bare == len(report.SECTIONS) and rows == 0):
            return answer(said.headline, said.lines, structured)
        if bare < len(report.SECTIONS):
            bare += 1
        else:
            rows = min(rows - 1, rows * tokens_max // size)
