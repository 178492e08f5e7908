"""Which rollup rows a purge takes out, and what takes their place: buckets that are only partly
meant are made anew from what stays.

The minutes come from raw rows where a session is meant (rollups hold none); every other level from
the next finer one, which has had its turn before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.grouping import DEFAULT_GROUPING, Grouping
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.store.cardinality import Bound
from contextframe_monitoring.store.conditions import condition
from contextframe_monitoring.store.erasure import rewrite
from contextframe_monitoring.store.levels import LEVELS, Level, finer
from contextframe_monitoring.store.merging import merged
from contextframe_monitoring.store.removals import Removal
from contextframe_monitoring.store.rollup import rollup_rows
from contextframe_monitoring.store.sampling import unsampled
from contextframe_monitoring.store.schemas import METRIC_TABLES, PERFORMANCE, ROLLUP_SCHEMA, SCHEMAS
from contextframe_monitoring.store.tables import Tables, time_literal

HOUR_US = 3_600_000_000
_Spans = list[tuple[int, int]]


def whole_buckets(
    selection: Selection, kept: Collection[str], cutoffs: Mapping[str, int]
) -> Selection:
    """Return the selection with its time moved back to where a bucket begins of the finest level
    that still reaches there. `kept` are the levels that are folded.
    """
    before = selection.before_us
    if before is None:
        return selection
    levels = [level for level in LEVELS if _is_kept(level, kept)]
    reaching = [level for level in levels if before >= cutoffs.get(level.table, 0)]
    bucket_us = (reaching or levels[-1:])[0].bucket_us
    return replace(selection, before_us=before // bucket_us * bucket_us)


def _is_kept(level: Level, kept: Collection[str]) -> bool:
    return level is LEVELS[0] or level.name in kept


def selected_hours(tables: Tables, selection: Selection, batch: int) -> list[int]:
    """Return the hours, as microseconds since the epoch, that selected raw rows lie in."""
    hours: set[int] = set()
    for name in METRIC_TABLES:
        for rows in tables.scan(name, ["timestamp"], where=condition(name, selection, batch)):
            moments = pc.divide(rows.column(0).cast(pa.int64()), HOUR_US)
            hours.update(pc.unique(moments).to_pylist())
    return [hour * HOUR_US for hour in sorted(hours)]


def remaking(
    tables: Tables,
    removal: Removal,
    kept: Collection[str],
    cutoffs: Mapping[str, int],
    raw_cutoff_us: int,
    grouping: Grouping = DEFAULT_GROUPING,
) -> tuple[str, Iterator[pa.RecordBatch]]:
    """Return what a removal takes out of a level, as an SQL condition, and the rows that it adds.

    A bucket that the source of its rows does not wholly reach stays as it is.
    """
    level = next(level for level in LEVELS if level.table == removal.table)
    source = next((other for other in finer(level) if _is_kept(other, kept)), None)
    selection, batch = removal.selection, removal.batch
    if selection.session_id is None:
        drop, spans = _cut(level, selection, batch)
    else:
        drop, spans = "false", _around(level, removal.hours, raw_cutoff_us)
    if source is not None:
        reach, own = cutoffs.get(source.table, 0), cutoffs.get(level.table, 0)
        spans = [span for span in spans if reach <= max(span[0], own)]
    if spans:
        drop = f"({drop}) OR ({within(spans, batch)})"
    return drop, _remade(tables, level, source, spans, batch, grouping)


def remake_all(
    tables: Tables, levels: Sequence[Level], raw_cutoff_us: int, batch: int, grouping: Grouping
) -> None:
    """Make the rows of these levels anew, from the first whole day of raw rows on, in the order
    given (finest first), all with the number `batch`: up to it everything is folded.
    """
    start = -(-raw_cutoff_us // LEVELS[-1].bucket_us) * LEVELS[-1].bucket_us
    hours = [hour for hour in selected_hours(tables, Selection(), batch) if hour >= start]
    for level, source in zip(levels, (None, *levels), strict=False):
        spans = _around(level, hours, start)
        drop = f"batch <= {batch} AND bucket >= {time_literal(start)}"
        tables.create(level.table)
        added = _remade(tables, level, source, spans, batch, grouping)
        rewrite(tables, level.table, drop, added=added)


def _cut(level: Level, selection: Selection, batch: int) -> tuple[str, _Spans]:
    """Return the condition of the buckets that are wholly meant, and the one that is cut."""
    before = selection.before_us
    whole = None if before is None else before // level.bucket_us * level.bucket_us
    drop = condition(level.table, replace(selection, before_us=whole), batch)
    cut = [] if whole is None or whole == before else [(whole, whole + level.bucket_us)]
    return drop, cut


def _around(level: Level, hours: Sequence[int], since_us: int) -> _Spans:
    """Return the whole buckets that hold these hours; of the minutes, what raw rows still hold."""
    if level is LEVELS[0]:
        return [(max(hour, since_us), hour + HOUR_US) for hour in hours]
    length = max(level.bucket_us, HOUR_US)
    starts = sorted({hour // length * length for hour in hours})
    return [(start, start + length) for start in starts]


def within(spans: _Spans, batch: int) -> str:
    """Return the condition of rollup rows in spans of time; spans that touch become one."""
    joined: _Spans = []
    for span in spans:
        touches = joined and joined[-1][1] == span[0]
        joined.append((joined.pop()[0], span[1]) if touches else span)
    times = [
        f"(bucket >= {time_literal(start)} AND bucket < {time_literal(end)})"
        for start, end in joined
    ]
    return f"batch <= {batch} AND ({' OR '.join(times)})"


def _remade(
    tables: Tables,
    level: Level,
    source: Level | None,
    spans: _Spans,
    batch: int,
    grouping: Grouping,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a level in spans of time, as if one fold had made them."""
    for span in spans:
        if source is None:
            yield from _from_raw(tables, span, batch, grouping)
        else:
            rows = tables.scan(
                source.table,
                ROLLUP_SCHEMA.names,
                start_us=span[0],
                end_us=span[1],
                batch_max=batch,
            )
            bound = Bound(grouping.groups_max)
            yield from merged(rows, level.bucket_us, batch, bound).to_batches()


def _from_raw(
    tables: Tables, span: tuple[int, int], batch: int, grouping: Grouping
) -> Iterator[pa.RecordBatch]:
    raw = {
        name: pa.Table.from_batches(
            tables.scan(
                name, SCHEMAS[name].names, start_us=span[0], end_us=span[1], batch_max=batch
            ),
            SCHEMAS[name],
        )
        for name in METRIC_TABLES
    }
    raw[PERFORMANCE] = unsampled(raw[PERFORMANCE])
    bound = Bound(grouping.groups_max)
    yield from rollup_rows(raw, batch, grouping.attributes, bound).to_batches()
