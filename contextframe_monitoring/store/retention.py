"""Retention: raw rows beyond their age are taken out, counted, so that `verify` can tell expired
from lost.

A removal is written down in the state before it happens (`removals`: table, selection, the last
batch it covers, rows by writer) and is one Lance commit, so after a crash the table itself says
whether it happened. Cutoffs lie on UTC midnight: rollup buckets are then wholly before or after
them.
"""

from __future__ import annotations

from collections.abc import Callable

from contextframe_monitoring.core.clock import US_PER_DAY, Clock
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.store.clearing import finish_removals, row_counts
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
    done: int,
    now_us: int,
    days: int,
    checkpoint: Callable[[str], None],
) -> int:
    """Remove raw rows that are older than `days` whole days; return how many. Resumes a removal
    that was cut off.
    """
    total = finish_removals(tables, removals, checkpoint)
    old = Selection(before_us=(now_us // US_PER_DAY - days) * US_PER_DAY)
    for name in RAW_TABLES:
        counts = row_counts(tables, name, old, done)
        if counts:
            removals.open(
                Removal(table=name, selection=old, batch=done, reason=RETENTION, counts=counts)
            )
            checkpoint(f"removal:{name}")
            total += finish_removals(tables, removals, checkpoint)
    return total
