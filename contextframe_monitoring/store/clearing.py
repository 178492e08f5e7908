"""Clearing: what is written down in `removals` is carried out, whoever wrote it and died.

Each table changes in one Lance commit, so the table itself says whether its rows are gone. A
retention deletes raw rows and leaves rollups alone. A purge erases: raw rows first, then rollup
rows, then every older version; it is closed when all of that is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.store.conditions import condition
from contextframe_monitoring.store.erasure import drop_versions, rewrite
from contextframe_monitoring.store.removals import PURGE, Removal, Removals
from contextframe_monitoring.store.rollup import rollup_rows
from contextframe_monitoring.store.schemas import RAW_TABLES, SCHEMAS, TABLES
from contextframe_monitoring.store.tables import Tables, time_literal

HOUR_US = 3_600_000_000


def finish_removals(tables: Tables, removals: Removals, checkpoint: Callable[[str], None]) -> int:
    """Carry out what is written down; what a crash left half-way is counted once. Return the
    number of raw rows that it was about.
    """
    found = sorted(removals.unfinished(), key=lambda removal: TABLES.index(removal.table))
    purges = [removal for removal in found if removal.reason == PURGE]
    for removal in found:
        if removal.reason != PURGE:
            where = condition(removal.table, removal.selection, removal.batch)
            if tables.count(removal.table, where):
                tables.delete(removal.table, where)
            checkpoint(f"removed:{removal.table}")
            removals.close(removal)
    if purges:
        _erase(tables, removals, purges, checkpoint)
        removals.close(*purges)
        checkpoint("closed")
    return sum(sum(removal.counts.values()) for removal in found)


def row_counts(tables: Tables, name: str, selection: Selection, batch: int) -> dict[str, int]:
    """Return how many selected rows of each writer stand in batches up to `batch`."""
    counts: Counter[str] = Counter()
    for rows in tables.scan(name, ["writer"], where=condition(name, selection, batch)):
        for entry in pc.value_counts(rows.column(0).cast("string")).to_pylist():
            counts[entry["values"]] += entry["counts"]
    return dict(counts)


def selected_hours(tables: Tables, selection: Selection, batch: int) -> list[int]:
    """Return the hours, as microseconds since the epoch, that selected raw rows lie in."""
    hours: set[int] = set()
    for name in RAW_TABLES:
        for rows in tables.scan(name, ["timestamp"], where=condition(name, selection, batch)):
            moments = pc.divide(rows.column(0).cast(pa.int64()), HOUR_US)
            hours.update(pc.unique(moments).to_pylist())
    return [hour * HOUR_US for hour in sorted(hours)]


def _erase(
    tables: Tables, removals: Removals, purges: list[Removal], checkpoint: Callable[[str], None]
) -> None:
    since = max(removals.cutoffs().values(), default=0)
    for removal in purges:
        agent = removal.selection.agent_id
        if removal.hours:
            spans = [(max(hour, since), hour + HOUR_US) for hour in removal.hours]
            drop = _within(spans, removal.batch)
            added = _rebuilt(tables, spans, removal.batch)
            rewrite(tables, removal.table, drop, agent_id=agent, added=added)
        else:
            drop = condition(removal.table, removal.selection, removal.batch)
            rewrite(tables, removal.table, drop, agent_id=agent)
        checkpoint(f"erased:{removal.table}")
    for name in TABLES:
        drop_versions(tables, name)
    checkpoint("versions")


def _within(spans: list[tuple[int, int]], batch: int) -> str:
    """Return the condition of rollup rows in spans of time; spans that touch become one."""
    joined: list[tuple[int, int]] = []
    for span in spans:
        touches = joined and joined[-1][1] == span[0]
        joined.append((joined.pop()[0], span[1]) if touches else span)
    times = [
        f"(bucket >= {time_literal(start)} AND bucket < {time_literal(end)})"
        for start, end in joined
    ]
    return f"batch <= {batch} AND ({' OR '.join(times)})"


def _rebuilt(tables: Tables, spans: list[tuple[int, int]], batch: int) -> Iterator[pa.RecordBatch]:
    """Yield the rollup rows of the raw rows in spans of time, as if one batch had stored them."""
    for start, end in spans:
        raw = {
            name: pa.Table.from_batches(
                tables.scan(name, SCHEMAS[name].names, start_us=start, end_us=end, batch_max=batch),
                SCHEMAS[name],
            )
            for name in RAW_TABLES
        }
        yield from rollup_rows(raw, batch).to_batches()
