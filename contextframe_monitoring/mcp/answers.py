"""How a report becomes the answer of a tool: one number first, a small table, and never more than
asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from contextframe_monitoring.core.errors import shown
from contextframe_monitoring.core.tokens import estimate_tokens

ROWS_TEXT_MAX = 20


def answer(headline: str, lines: Sequence[str], structured: dict[str, Any]) -> CallToolResult:
    """Return a tool's result: text that leads with the number asked for, and the whole report as
    structure.
    """
    text = "\n".join([headline, *lines])
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=structured
    )


def structure(report: BaseModel) -> dict[str, Any]:
    """Return a report as JSON values: exactly what `report --json` prints."""
    found: dict[str, Any] = json.loads(report.model_dump_json(by_alias=True))
    return found


def fitted(
    make: Callable[[int], tuple[str, list[str], dict[str, Any]]], rows: int, tokens_max: int
) -> CallToolResult:
    """Return the largest answer of at most about `tokens_max` tokens, text and structure each.

    `make` builds headline, lines and structure for a number of breakdown rows; fewer rows are
    tried until it fits.
    """
    while True:
        headline, lines, structured = make(rows)
        size = max(
            estimate_tokens(json.dumps(structured, ensure_ascii=False)),
            estimate_tokens("\n".join([headline, *lines])),
        )
        if size <= tokens_max or rows == 0:
            return answer(headline, lines, structured)
        rows = min(rows - 1, rows * tokens_max // size)


def cell(value: object) -> str:
    """Return a category for a line of text; a hostile one is quoted, so that it reads as data."""
    text = str(value)
    plain = text.isprintable() and all(char.isalnum() or char in "_-./:@+ ()" for char in text)
    return text if plain and len(text) <= 80 else shown(text)


def ms(value: float | None) -> str:
    """Return a duration as people write it."""
    if value is None:
        return "-"
    if value >= 60_000:
        return f"{value / 60_000:.1f} min"
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.3g} ms"


def share(value: float | None) -> str:
    """Return a ratio in percent."""
    return "-" if value is None else f"{100 * value:.3g} %"
