"""Figures by group for whoever judges them: one scan each, no page, no bound but that on groups.

They are what the reports show (`query.operations`, `query.cost_cube`), without anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from contextframe_monitoring.core.queries import EXACT_ROWS_MAX, ReportQuery
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.breakdown import shown
from contextframe_monitoring.query.cost_cube import CostCube, CostSum
from contextframe_monitoring.query.dimensions import CUSTOM
from contextframe_monitoring.query.operations import (
    OPERATION_COLUMNS,
    OperationReader,
    OperationTally,
    Summary,
)
from contextframe_monitoring.query.samples import Samples, SampleSpread
from contextframe_monitoring.query.scan import Scan
from contextframe_monitoring.query.source import Rows, RowSource
from contextframe_monitoring.query.spending import projection
from contextframe_monitoring.query.sums import Counts, grown
from contextframe_monitoring.query.tool_context import tool_context
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, USAGE

Names = tuple[str, ...]
"""The labels of a group; one that is missing is `(none)`."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Which rows are measured, and how they are grouped."""

    window: Window
    where: tuple[tuple[str, str], ...] = ()
    group_by: Names = ()

    def query(self) -> ReportQuery:
        """Return the question as reports are asked. Raises `InvalidError`."""
        return ReportQuery(
            window=self.window, group_by=self.group_by, where=dict(self.where), detail=False
        )


def operations(
    source: RowSource, cut: Slice, slow_ms: float, exact_rows_max: int = EXACT_ROWS_MAX
) -> dict[Names, Summary]:
    """Return how operations ended and how long they took."""
    query = cut.query()
    scan = Scan(source, PERFORMANCE, query, strict=False)
    reader, tally = OperationReader(query), OperationTally(slow_ms, exact_rows_max)
    for rows in scan.rows(OPERATION_COLUMNS):
        found = reader.read(rows)
        tally.add(scan.grouping.codes(rows), len(scan.grouping), found)
    summaries = tally.summaries(len(scan.grouping))[0]
    return dict(zip(_names(scan), summaries, strict=True))


def costs(source: RowSource, cut: Slice) -> dict[Names, CostSum]:
    """Return what was spent."""
    cube = _cube(source, cut, ())
    return {_shown(labels): found for labels, found in cube.by(*cut.group_by).items()}


def projected_costs(source: RowSource, cut: Slice) -> dict[Names, Decimal]:
    """Return in USD where the period of the window will end."""
    cube = _cube(source, cut, ("day",))
    by_group: dict[Names, dict[str, CostSum]] = {}
    for labels, found in cube.by(*cut.group_by, "day").items():
        by_group.setdefault(_shown(labels[:-1]), {})[labels[-1] or ""] = found
    if not cut.group_by:
        by_group.setdefault((), {})
    return {
        names: projection(cut.window, by_day, None).estimated_total
        for names, by_day in by_group.items()
    }


def counts(source: RowSource, table: str, cut: Slice) -> dict[Names, int]:
    """Return how many rows of a table there are; samples of custom metrics are no uses."""
    query = cut.query()
    scan = Scan(source, table, query, strict=False)
    tally = Counts()
    wanted = ("timestamp", "metric_type") if table == USAGE else ("timestamp",)
    with_samples = bool({"metric", "kind", "unit", "metric_type", "type"} & {*query.where})
    for rows in scan.rows(wanted):
        counted = _uses(rows) if table == USAGE and not with_samples else rows
        tally.add(scan.grouping.codes(counted), len(scan.grouping))
    found = grown(tally.values, len(scan.grouping)).tolist()
    return dict(zip(_names(scan), found, strict=True))


def _uses(rows: Rows) -> Rows:
    """Return the rows that are no samples of custom metrics."""
    kinds = rows.labels("metric_type")
    custom = np.array([*(name == CUSTOM for name in kinds.dictionary.to_pylist()), False])
    if not custom.any():
        return rows
    places = kinds.indices.fill_null(len(custom) - 1).to_numpy(zero_copy_only=False)
    return rows.where(~custom.take(places))


def samples(source: RowSource, cut: Slice) -> dict[Names, SampleSpread]:
    """Return how the samples of a custom metric are spread; `where` names it."""
    scan = Scan(source, USAGE, cut.query(), strict=False)
    tally = Samples()
    for rows in scan.rows(("timestamp", "value")):
        tally.add(rows, scan.grouping.codes(rows), len(scan.grouping))
    spreads = tally.spreads(len(scan.grouping))
    return dict(zip(_names(scan), spreads, strict=True))


def definition_growth(source: RowSource, window: Window) -> Mapping[Names, int]:
    """Return by server and tool how many tokens a definition has grown since it was first seen."""
    found = tool_context(source, window, lambda _: None)
    return {(shown(row.server), row.tool): row.definition_growth or 0 for row in found}


def _cube(source: RowSource, cut: Slice, more: Names) -> CostCube:
    scan = Scan(source, COST, cut.query(), strict=False)
    cube = CostCube({name: scan.key(name) for name in (*cut.group_by, *more, "provenance")})
    for rows in scan.rows(cube.columns):
        cube.add(rows)
    return cube


def _names(scan: Scan) -> list[Names]:
    return [_shown(labels) for labels in scan.grouping.labels()]


def _shown(labels: tuple[str | None, ...]) -> Names:
    return tuple(map(shown, labels))
