"""Retention: rows beyond the age of their table are taken out; raw ones are counted, so that
`verify` can tell expired from lost. Rollup rows go only when every coarser level holds them.

A removal is written down in the state before it happens (`removals`: table, selection, the last
batch it covers, rows by writer) and is one Lance commit, so after a crash the table itself says
whether it happened. Cutoffs lie on UTC midnight: rollup buckets are then wholly before or after
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.store.archive import Archive
from contextframe_monitoring.store.clearing import finish_removals, row_counts
from contextframe_monitoring.store.conditions import condition
from contextframe_monitoring.store.removals import RETENTION, Removal, Removals
from contextframe_monitoring.store.schemas import RAW_TABLES
from contextframe_monitoring.store.tables import Tables


def expire(
    tables: Tables,
    removals: Removals,
    batches: Mapping[str, int],
    now_us: int,
    days: Mapping[str, int],
    checkpoint: Callable[[str], None],
    *,
    archive: Archive | None = None,
    progress: Callable[[str], None] = lambda _step: None,
    before_removal: Callable[[int], None] = lambda _now_us: None,
) -> int:
    """Remove rows that are older than the whole days that their table keeps, of batches up to the
    table's; return how many raw ones. Resumes a removal that was cut off.

    With an archive, raw rows are written there before they go; `before_removal` is told the time
    when there are such.
    """
    total = finish_removals(tables, removals, checkpoint, archive)
    for name, kept in days.items():
        progress(f"retention {name}")
        old = Selection(before_us=(now_us // US_PER_DAY - kept) * US_PER_DAY)
        batch = batches[name]
        counts = row_counts(tables, name, old, batch) if name in RAW_TABLES else {}
        if counts or (name not in RAW_TABLES and tables.count(name, condition(name, old, batch))):
            if counts:
                before_removal(now_us)
            removals.open(
                Removal(table=name, selection=old, batch=batch, reason=RETENTION, counts=counts)
            )
            checkpoint(f"removal:{name}")
            total += finish_removals(tables, removals, checkpoint, archive)
    return total
