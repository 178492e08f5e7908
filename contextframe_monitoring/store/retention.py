"""Retention: raw rows beyond their age are taken out, counted, so that `verify` can tell expired
from lost.

A removal is written down in the state before it happens (`removals`: table, cutoff, the last
batch it covers, rows by writer) and is one Lance commit, so after a crash the table itself says
whether it happened. Cutoffs lie on UTC midnight: rollup buckets are then wholly before or after
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pyarrow.compute as pc

from contextframe_monitoring.core.clock import US_PER_DAY, Clock
from contextframe_monitoring.store.removals import Removal, Removals
from contextframe_monitoring.store.schemas import RAW_TABLES
from contextframe_monitoring.store.tables import Tables

RETENTION = "retention"
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
    done: int,
    now_us: int,
    days: int,
    checkpoint: Callable[[str], None],
) -> int:
    """Remove raw rows that are older than `days` whole days; return how many. Resumes a removal
    that was cut off.
    """
    total = finish_removals(tables, removals, checkpoint)
    cutoff = (now_us // US_PER_DAY - days) * US_PER_DAY
    for name in RAW_TABLES:
        counts = _count(tables, name, cutoff, done)
        if counts:
            removals.open(
                Removal(table=name, cutoff_us=cutoff, batch=done, reason=RETENTION), counts
            )
            checkpoint(f"removal:{name}")
            total += finish_removals(tables, removals, checkpoint)
    return total


def finish_removals(tables: Tables, removals: Removals, checkpoint: Callable[[str], None]) -> int:
    """Carry out what is written down; what a crash left half-way is counted once."""
    total = 0
    for removal, counts in removals.unfinished():
        if _count(tables, removal.table, removal.cutoff_us, removal.batch):
            tables.delete_before(removal.table, removal.cutoff_us, removal.batch)
        checkpoint(f"removed:{removal.table}")
        removals.close(removal, counts)
        total += sum(counts.values())
    return total


def _count(tables: Tables, name: str, cutoff_us: int, batch: int) -> dict[str, int]:
    """Return the rows of each writer before the cutoff, in batches up to `batch`."""
    counts: Counter[str] = Counter()
    for rows in tables.scan(name, ["writer"], end_us=cutoff_us, batch_max=batch):
        for entry in pc.value_counts(rows.column(0).cast("string")).to_pylist():
            counts[entry["values"]] += entry["counts"]
    return dict(counts)
