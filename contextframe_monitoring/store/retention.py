"""Retention: rows beyond the age of their table are taken out; raw ones are counted, so that
`verify` can tell expired from lost. Rollup rows go only when every coarser level holds them.

A removal is written down in the state before it happens (`removals`: table, selection, the last
batch it covers, rows by writer) and is one Lance commit, so after a crash the table itself says
whether it happened. Cutoffs lie on UTC midnight: rollup buckets are then wholly before or after
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from contextframe_monitoring.core.clock import US_PER_DAY, Clock
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.store.archive import Archive
from contextframe_monitoring.store.clearing import finish_removals, row_counts
from contextframe_monitoring.store.conditions import condition
from contextframe_monitoring.store.removals import RETENTION, Removal, Removals
from contextframe_monitoring.store.schemas import RAW_TABLES
from contextframe_monitoring.store.tables import Tables

JUMP_US_MAX = 7 * US_PER_DAY
SETTLE_NS = 86_400 * 1_000_000_000
"""A jump of the wall clock by more than a week is believed after a day of monotonic time."""


class TrustedTime:
    """The wall clock, but not its jumps: nothing is deleted on the word of a clock that went
    astray.
    """

    def __init__(self, clock: Clock) -> None:
        """Believe the clock as it stands at the start."""
        self._clock = clock
        self._wall_us, self._monotonic_ns = clock.now_us(), clock.monotonic_ns()
        self._doubt_ns: int | None = None

    def now_us(self) -> int | None:
        """Return the wall time, None while a jump is not settled."""
        wall, monotonic = self._clock.now_us(), self._clock.monotonic_ns()
        expected = self._wall_us + (monotonic - self._monotonic_ns) // 1000
        if abs(wall - expected) > JUMP_US_MAX:
            if self._doubt_ns is None:
                self._doubt_ns = monotonic
            if monotonic - self._doubt_ns < SETTLE_NS:
                return None
        self._doubt_ns = None
        self._wall_us, self._monotonic_ns = wall, monotonic
        return wall


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
) -> int:
    """Remove rows that are older than the whole days that their table keeps, of batches up to the
    table's; return how many raw ones. Resumes a removal that was cut off.

    With an archive, raw rows are written there before they go.
    """
    total = finish_removals(tables, removals, checkpoint, archive)
    for name, kept in days.items():
        progress(f"retention {name}")
        old = Selection(before_us=(now_us // US_PER_DAY - kept) * US_PER_DAY)
        batch = batches[name]
        counts = row_counts(tables, name, old, batch) if name in RAW_TABLES else {}
        if counts or (name not in RAW_TABLES and tables.count(name, condition(name, old, batch))):
            removals.open(
                Removal(table=name, selection=old, batch=batch, reason=RETENTION, counts=counts)
            )
            checkpoint(f"removal:{name}")
            total += finish_removals(tables, removals, checkpoint, archive)
    return total
