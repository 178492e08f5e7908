"""The tools that eat the context: their definitions, their results, and those never called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.records import OWN_SERVER
from contextframe_monitoring.core.reports import ToolContext
from contextframe_monitoring.core.tool_context import DEFINITION_METRIC, EXACT_TOKENS
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.cost_cube import CostCube
from contextframe_monitoring.query.scan import Scan
from contextframe_monitoring.query.source import RowSource
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, USAGE

TOOLS_MAX = 200
_PREFIX = "tool="
_CALLED = "tools/call"
_Tool = tuple[str | None, str]

InputCost = Callable[[int], Decimal | None]
"""Returns the dollars that so many tokens of plain input cost; None when that is not known."""


@dataclass(slots=True)
class _Seen:
    first_us: int = 0
    last_us: int = -1
    first_tokens: int = 0
    definition_tokens: int | None = None
    calls: int = 0
    result_tokens: int | None = None
    estimated: bool = False


def tool_context(
    source: RowSource, window: Window, cost: InputCost, *, include_own: bool = False
) -> tuple[ToolContext, ...]:
    """Return the tools known up to the window's end, those that took most tokens in it first."""
    found: dict[_Tool, _Seen] = {}
    _add_definitions(source, window, found)
    _add_calls(source, window, found)
    rows = [
        ToolContext(
            server=server,
            tool=tool,
            definition_tokens=seen.definition_tokens,
            definition_growth=(seen.definition_tokens or 0) - seen.first_tokens,
            calls=seen.calls,
            result_tokens=seen.result_tokens,
            result_cost=None if seen.result_tokens is None else cost(seen.result_tokens),
            tokens_estimated=seen.estimated,
        )
        for (server, tool), seen in found.items()
        if include_own or server != OWN_SERVER
    ]
    rows.sort(key=lambda row: (-(row.result_tokens or 0), -(row.definition_tokens or 0), row.tool))
    return tuple(rows[:TOOLS_MAX])


def _add_definitions(source: RowSource, window: Window, found: dict[_Tool, _Seen]) -> None:
    columns = ("timestamp", "resource_id", "server", "value", "attributes")
    for batch in source.batches(USAGE, columns, None, window.end_us):
        mine = batch.filter(pc.equal(batch.column(1).cast(pa.string()), DEFINITION_METRIC))
        times = mine.column(0).cast(pa.int64()).to_pylist()
        for time_us, row in zip(times, mine.to_pylist(), strict=True):
            for pair in row["attributes"] or ():
                if pair.startswith(_PREFIX):
                    tool = (row["server"], pair.removeprefix(_PREFIX))
                    seen = found.setdefault(tool, _Seen())
                    _note(seen, time_us, round(row["value"] or 0))
                    seen.estimated |= EXACT_TOKENS not in row["attributes"]


def _note(seen: _Seen, time_us: int, tokens: int) -> None:
    if seen.definition_tokens is None or time_us < seen.first_us:
        seen.first_us, seen.first_tokens = time_us, tokens
    if time_us >= seen.last_us:
        seen.last_us, seen.definition_tokens = time_us, tokens


def _add_calls(source: RowSource, window: Window, found: dict[_Tool, _Seen]) -> None:
    for row in _calls(source, window):
        if row["target"] is not None:
            seen = found.setdefault((row["server"], row["target"]), _Seen())
            seen.calls += row["target_count"]
            if row["result_tokens_sum"] is not None:
                seen.result_tokens = (seen.result_tokens or 0) + row["result_tokens_sum"]
            seen.estimated |= row["tokens_estimated_max"] is True
    for seen in found.values():
        if not seen.calls:
            seen.result_tokens = 0


def _calls(source: RowSource, window: Window) -> Iterator[dict[str, Any]]:
    """Yield calls and result tokens by server and tool, batch by batch."""
    columns = ("operation_type", "server", "target", "result_tokens", "tokens_estimated")
    text = pa.string()
    for batch in source.batches(PERFORMANCE, columns, window.start_us, window.end_us):
        called = batch.filter(pc.equal(batch.column(0).cast(text), _CALLED))
        table = pa.table(
            {
                "server": called.column(1).cast(text),
                "target": called.column(2).cast(text),
                "result_tokens": called.column(3),
                "tokens_estimated": called.column(4),
            }
        )
        sums = [("target", "count"), ("result_tokens", "sum"), ("tokens_estimated", "max")]
        yield from table.group_by(["server", "target"]).aggregate(sums).to_pylist()


def busiest_model(source: RowSource, query: ReportQuery) -> str | None:
    """Return the model that most tokens of the window went through; None when there is none."""
    asked = ReportQuery(window=query.window, group_by=("provider", "model"), detail=False)
    scan = Scan(source, COST, asked)
    cube = CostCube({name: scan.key(name) for name in ("provider", "model", "provenance")})
    for rows in scan.rows(cube.columns):
        cube.add(rows)
    found = [
        (sums.tokens_total, f"{provider}/{model}" if provider else model)
        for (provider, model), sums in cube.by("provider", "model").items()
        if model is not None and sums.tokens_total > 0
    ]
    return max(found)[1] if found else None
