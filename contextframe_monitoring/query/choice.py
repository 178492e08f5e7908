"""What a question reads: raw rows where they are few or asked for, else rollups with raw edges."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from contextframe_monitoring.core.clock import US_PER_SECOND
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.query.folded import holds
from contextframe_monitoring.query.keys import Key, TimeKey
from contextframe_monitoring.query.planner import Plan, Reach, plan, raw_from_us, raw_plan
from contextframe_monitoring.query.source import RollupSource, RowSource
from contextframe_monitoring.store.levels import LEVELS

RAW_ROWS_MAX = 25_000
"""Up to this many rows of a window are read raw: about 8 ms, and every figure is exact."""


def reaches_of(source: RowSource) -> tuple[Reach, ...]:
    """Return the levels of rollups that hold anything."""
    if not isinstance(source, RollupSource):
        return ()
    floors = ((level, source.rollup_floor_us(level)) for level in LEVELS)
    return tuple(Reach(level, floor_us) for level, floor_us in floors if floor_us is not None)


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
    raw_from = raw_from_us(start_us, oldest_us, reaches)
    if raw_from <= start_us and source.is_small(table, start_us, end_us, RAW_ROWS_MAX):
        return raw_plan(start_us, end_us)
    every = (*cuts, *_cuts(keys))
    return plan(start_us, end_us, cuts=every, reaches=reaches, raw_since_us=oldest_us)


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
