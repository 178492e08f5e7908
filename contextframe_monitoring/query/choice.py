"""What a question reads: raw rows where they are few or asked for, else rollups with raw edges."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from contextframe_monitoring.core.clock import US_PER_DAY, US_PER_SECOND
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.folded import SUBJECTS, holds
from contextframe_monitoring.query.keys import Key, TimeKey
from contextframe_monitoring.query.planner import (
    FAR_US,
    Plan,
    Reach,
    plan,
    raw_from_us,
    raw_plan,
)
from contextframe_monitoring.query.source import RollupSource, RowSource
from contextframe_monitoring.store.density import Density
from contextframe_monitoring.store.levels import LEVELS, Level

RAW_ROWS_MAX = 25_000
"""Up to this many rows of a window are read raw: about 8 ms, and every figure is exact."""
_PIECE_ROWS = 12_000
"""One more piece costs as much as so many raw rows: 3 ms."""
_FOLDED_ROWS = 1
"""A rollup row costs as much as so many raw rows: three when it is read, little when it is kept."""


def floors(source: RowSource) -> tuple[Reach, ...]:
    """Return the levels of rollups that hold anything."""
    if not isinstance(source, RollupSource):
        return ()
    found = ((level, source.rollup_floor_us(level)) for level in LEVELS)
    return tuple(Reach(level, floor_us) for level, floor_us in found if floor_us is not None)


def chosen(
    source: RowSource,
    table: str,
    query: ReportQuery,
    keys: Collection[Key],
    cuts: Iterable[int],
    *,
    reaches: Collection[Reach],
    oldest_us: int | None,
) -> Plan:
    """Return the plan for a question that needs these keys and calendar cuts; `oldest_us` is how
    far back the raw rows of the table reach.
    """
    start_us, end_us = query.window.start_us, query.window.end_us
    is_held = all(holds(table, key) for key in keys)
    if query.exact or not is_held or not reaches or not isinstance(source, RollupSource):
        return raw_plan(start_us, end_us)
    density = source.density(table, SUBJECTS[table], end_us)
    raw_from = raw_from_us(start_us, oldest_us, reaches)
    if raw_from <= start_us and _is_small(source, table, query.window, density):
        return raw_plan(start_us, end_us)
    every = (*cuts, *_cuts(keys))
    paying = [reach._replace(least_us=_least_us(reach.level, density)) for reach in reaches]
    return plan(start_us, end_us, cuts=every, reaches=paying, raw_since_us=oldest_us)


def _is_small(source: RollupSource, table: str, window: Window, density: Density | None) -> bool:
    """Whether raw rows are few; they are only counted where there might be few."""
    start_us, end_us = window.start_us, window.end_us
    if density is not None:
        if density.total <= RAW_ROWS_MAX:
            return True
        if density.raw * (end_us - start_us) > 4 * RAW_ROWS_MAX * US_PER_DAY:
            return False
    return source.drained_count(table, start_us, end_us) <= RAW_ROWS_MAX


def _least_us(level: Level, density: Density | None) -> int:
    """Return how long a piece must be for a level to be faster than raw rows."""
    if density is None:
        return 0
    saved = density.raw - _FOLDED_ROWS * density.levels.get(level.name, 0)
    return _PIECE_ROWS * US_PER_DAY // saved if saved > 0 else FAR_US


def _cuts(keys: Iterable[Key]) -> Iterable[int]:
    for key in keys:
        if isinstance(key, TimeKey):
            yield from key.buckets.starts_us


def rounding_note(found: Plan) -> list[str]:
    """Return what should be said of a plan whose buckets are longer than its edges."""
    if not found.rounded_us:
        return []
    minutes = found.rounded_us // (60 * US_PER_SECOND)
    return [f"raw rows are gone here: edges are rounded to buckets of {minutes} minutes"]
