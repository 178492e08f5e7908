"""How a report becomes the answer of a tool: one number first, a small table, never more than
asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from contextframe_monitoring.core.errors import shown
from contextframe_monitoring.core.reports import Report
from contextframe_monitoring.core.tokens import estimate_tokens

_PLAIN_CHARS_MAX = 80


class Said(NamedTuple):
    """A report in words: the number that was asked for, then lines."""

    headline: str
    lines: list[str]


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


def cell(value: object) -> str:
    """Return a category for a line of text; a strange one is quoted, so that it reads as data."""
    text = str(value)
    plain = text.isprintable() and all(char.isalnum() or char in "_-./:@+ ()" for char in text)
    return text if plain and len(text) <= _PLAIN_CHARS_MAX else shown(text)


def ms(value: float | None) -> str:
    """Return milliseconds as people write them."""
    if value is None:
        return "-"
    if value >= 60_000:
        return f"{value / 60_000:.1f} min"
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.3g} ms"


def percent(value: float | None) -> str:
    """Return a ratio in percent."""
    return "-" if value is None else f"{100 * value:.3g} %"


def usd(value: object) -> str:
    """Return an amount of USD as people write it; None is unknown."""
    return "unknown" if value is None else f"${value:,.4f}"
