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
from contextframe_monitoring.query.cost_cube import COST_COLUMNS, CostCube, CostSum
from contextframe_monitoring.query.dimensions import CUSTOM, key_for
from contextframe_monitoring.query.grouping import Grouping
from contextframe_monitoring.query.keys import Key, SlotKey
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

_SLOT = "#slot"
Names = tuple[str, ...]
"""The labels of a group; one that is missing is `(none)`."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Which rows are measured, and how they are grouped."""

    window: Window
    where: tuple[tuple[str, str], ...] = ()
    group_by: Names = ()
    slot_us: int = 0
    """Above 0: each group is cut into slots of that length; the slot is its last label."""

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
    grouping = _grouping(scan, cut)
    reader, tally = OperationReader(query), OperationTally(slow_ms, exact_rows_max)
    for rows in scan.rows((*OPERATION_COLUMNS, *grouping.columns)):
        found = reader.read(rows)
        tally.add(grouping.codes(rows), len(grouping), found)
    summaries = tally.summaries(len(grouping))[0]
    return dict(zip(_names(grouping), summaries, strict=True))


def costs(source: RowSource, cut: Slice) -> dict[Names, CostSum]:
    """Return what was spent."""
    cube = _cube(source, cut, ())
    keys = (*cut.group_by, _SLOT) if cut.slot_us else cut.group_by
    return {_shown(labels): found for labels, found in cube.by(*keys).items()}


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
    grouping = _grouping(scan, cut)
    tally = Counts()
    wanted = ("timestamp", "metric_type") if table == USAGE else ("timestamp",)
    with_samples = bool({"metric", "kind", "unit", "metric_type", "type"} & {*query.where})
    for rows in scan.rows((*wanted, *grouping.columns)):
        counted = _uses(rows) if table == USAGE and not with_samples else rows
        tally.add(grouping.codes(counted), len(grouping))
    found = grown(tally.values, len(grouping)).tolist()
    return dict(zip(_names(grouping), found, strict=True))


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
    grouping = _grouping(scan, cut)
    tally = Samples()
    for rows in scan.rows(("timestamp", "value", *grouping.columns)):
        tally.add(rows, grouping.codes(rows), len(grouping))
    spreads = tally.spreads(len(grouping))
    return dict(zip(_names(grouping), spreads, strict=True))


def definition_growth(source: RowSource, window: Window) -> Mapping[Names, int]:
    """Return by server and tool how many tokens a definition has grown since it was first seen."""
    found = tool_context(source, window, lambda _: None)
    return {(shown(row.server), row.tool): row.definition_growth or 0 for row in found}


def columns_of(table: str, cut: Slice) -> Names:
    """Return the columns that the figures of a slice are read from."""
    keys = (key_for(table, name, cut.window) for name in (*cut.group_by, *dict(cut.where)))
    own = {
        PERFORMANCE: OPERATION_COLUMNS,
        COST: (*COST_COLUMNS, "provenance"),
        USAGE: ("metric_type", "value"),
    }[table]
    found = ("timestamp", "server", *own, *(column for key in keys for column in key.columns))
    return tuple(dict.fromkeys(found))


def _cube(source: RowSource, cut: Slice, more: Names) -> CostCube:
    scan = Scan(source, COST, cut.query(), strict=False)
    keys: dict[str, Key] = {name: scan.key(name) for name in (*cut.group_by, *more, "provenance")}
    if cut.slot_us:
        keys[_SLOT] = SlotKey(cut.slot_us)
    cube = CostCube(keys)
    for rows in scan.rows(cube.columns):
        cube.add(rows)
    return cube


def _grouping(scan: Scan, cut: Slice) -> Grouping:
    if not cut.slot_us:
        return scan.grouping
    return Grouping([*(scan.key(name) for name in cut.group_by), SlotKey(cut.slot_us)])


def _names(grouping: Grouping) -> list[Names]:
    return [_shown(labels) for labels in grouping.labels()]


def _shown(labels: tuple[str | None, ...]) -> Names:
    return tuple(map(shown, labels))
