"""Clearing: what is written down in `removals` is carried out, whoever wrote it and died.

Each table changes in one Lance commit, so the table itself says whether its rows are gone. A
retention deletes rows of one table and leaves the others alone. A purge erases: raw rows first,
then rollup rows level by level, then every older version; it is closed when all of that is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.grouping import DEFAULT_GROUPING, Grouping
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.store.archive import Archive
from contextframe_monitoring.store.conditions import condition
from contextframe_monitoring.store.erasure import drop_versions, rewrite
from contextframe_monitoring.store.folds import Folds
from contextframe_monitoring.store.remaking import remaking
from contextframe_monitoring.store.removals import PURGE, Removal, Removals
from contextframe_monitoring.store.schemas import RAW_TABLES, ROLLUP_TABLES, TABLES
from contextframe_monitoring.store.tables import Tables


def finish_removals(
    tables: Tables,
    removals: Removals,
    checkpoint: Callable[[str], None],
    archive: Archive | None = None,
    grouping: Grouping = DEFAULT_GROUPING,
) -> int:
    """Carry out what is written down; what a crash left half-way is counted once. Return the
    number of raw rows that it was about. Raw rows that have expired go to the archive first.
    """
    found = sorted(removals.unfinished(), key=lambda removal: TABLES.index(removal.table))
    purges = [removal for removal in found if removal.reason == PURGE]
    for removal in found:
        if removal.reason != PURGE:
            where = condition(removal.table, removal.selection, removal.batch)
            if tables.count(removal.table, where):
                if archive is not None and removal.table in RAW_TABLES:
                    archive.keep(tables, removal)
                    checkpoint(f"archived:{removal.table}")
                tables.delete(removal.table, where)
            checkpoint(f"removed:{removal.table}")
            removals.close(removal)
    if purges:
        _erase(tables, removals, purges, checkpoint, grouping)
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


def _erase(
    tables: Tables,
    removals: Removals,
    purges: list[Removal],
    checkpoint: Callable[[str], None],
    grouping: Grouping,
) -> None:
    cutoffs, raw_cutoff_us = removals.cutoffs(), removals.raw_cutoff_us()
    last = max(removal.batch for removal in purges)
    folds = Folds(removals.engine)
    folds.note_merged(dict.fromkeys(ROLLUP_TABLES, last))
    kept = folds.watermarks()
    for removal in purges:
        if removal.table in RAW_TABLES:
            drop = condition(removal.table, removal.selection, removal.batch)
            added: Iterator[pa.RecordBatch] = iter(())
        else:
            drop, added = remaking(tables, removal, kept, cutoffs, raw_cutoff_us, grouping)
        rewrite(tables, removal.table, drop, agent_id=removal.selection.agent_id, added=added)
        checkpoint(f"erased:{removal.table}")
    for name in TABLES:
        drop_versions(tables, name)
    checkpoint("versions")
