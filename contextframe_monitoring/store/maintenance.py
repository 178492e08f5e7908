"""Maintenance of a store: retention, folds, compaction, indices, read check, cleanup; in this
order, serially, by whoever keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.grouping import DEFAULT_GROUPING, Grouping
from contextframe_monitoring.core.trusted_time import TrustedTime
from contextframe_monitoring.store.archive import Archive
from contextframe_monitoring.store.compaction import LAG_US, compact, consolidate, mergeable
from contextframe_monitoring.store.folding import Fold
from contextframe_monitoring.store.folds import Folds
from contextframe_monitoring.store.ledger import Ledger
from contextframe_monitoring.store.levels import LEVELS, Level
from contextframe_monitoring.store.removals import Removals
from contextframe_monitoring.store.retention import expire
from contextframe_monitoring.store.schemas import RAW_TABLES, TABLES
from contextframe_monitoring.store.tables import Tables

Progress = Callable[[str], None]


def no_expiry(_now_us: int) -> None:
    """Do nothing before raw rows expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the operator wants kept: levels of the rollups and what they are grouped by, days of
    each table, an archive. `before_expiry` is told the time when raw rows are about to go.
    """

    levels: Sequence[Level] = LEVELS
    days: Mapping[str, int] = field(default_factory=dict)
    archive: Archive | None = None
    grouping: Grouping = DEFAULT_GROUPING
    before_expiry: Callable[[int], None] = no_expiry


def _silent(_step: str) -> None:
    """Say nothing."""


class Maintenance:
    """Looks after the tables of one store. Only the holder of the keeper's lock may use it."""

    def __init__(
        self,
        tables: Tables,
        engine: Engine,
        clock: Clock,
        time: TrustedTime,
        checkpoint: Callable[[str], None],
        wishes: Wishes,
    ) -> None:
        """`time` outlives it: what the clock did before somebody else kept the store counts."""
        self._tables, self._clock, self._time = tables, clock, time
        self._ledger, self._folds, self._removals = Ledger(engine), Folds(engine), Removals(engine)
        self._checkpoint, self._wishes = checkpoint, wishes
        self._fold = Fold(
            tables, self._folds, self._removals, clock, checkpoint, wishes.levels, wishes.grouping
        )

    @property
    def commits(self) -> int:
        """How many small fragments wait to be merged, in the table that has most."""
        return max(self._tables.fragments(name) for name in TABLES)

    def fold(self, *, at_once: bool = False) -> None:
        """Fold the levels of the rollups that are due, or all of them."""
        if at_once or self._fold.is_due:
            done, _ = self._ledger.position([])
            self._fold.run(done, at_once=at_once)

    def run(self, progress: Progress = _silent, *, at_once: bool = False) -> None:
        """Do all of it; `progress` is told each step before it begins. `at_once` folds levels that
        are not due yet. Raises `StoreError`.
        """
        progress("fold")
        self.fold(at_once=at_once)
        self._expire(progress)
        for name in RAW_TABLES:
            progress(f"compact {name}")
            compact(self._tables, name, self._checkpoint)
        now_us = self._clock.now_us()
        for level in LEVELS:
            progress(f"compact {level.table}")
            upto = mergeable(self._folds, self._wishes.levels, level, now_us)
            consolidate(
                self._tables,
                self._folds,
                level,
                upto,
                self._wishes.grouping,
                self._checkpoint,
            )

    def make_missing(self) -> None:
        """Make levels of the rollups whose table is gone. Raises `StoreError`."""
        done, _ = self._ledger.position([])
        if done:
            self._fold.make_missing(done)

    def rebuild(self) -> None:
        """Make the rollups anew from raw rows, as far back as these reach. Raises `StoreError`."""
        self.fold(at_once=True)
        done, _ = self._ledger.position([])
        self._fold.rebuild(done)

    def _expire(self, progress: Progress) -> None:
        now_us = self._time.now_us()
        if now_us is None:
            return  # the clock jumped: nothing goes on its word
        done, _ = self._ledger.position([])
        expire(
            self._tables,
            self._removals,
            self._folded(done, self._clock.now_us() - LAG_US),
            now_us,
            self._wishes.days,
            self._checkpoint,
            archive=self._wishes.archive,
            progress=progress,
            before_removal=self._wishes.before_expiry,
        )
        self._ledger.forget_batches(now_us)

    def _folded(self, done: int, at_us: int) -> dict[str, int]:
        """Return up to which batch rows of each table may go: rollups that every coarser level held
        at a time, so that no reader misses them.
        """
        upto = dict.fromkeys(RAW_TABLES, done)
        least = done
        for level in reversed(LEVELS):
            upto[level.table] = least
            if level in self._wishes.levels:
                least = min(least, self._folds.settled(level.name, at_us))
        return upto


def size_bytes(tables: Tables) -> int | None:
    """Return the bytes of all files of the tables, None on object storage."""
    if tables.local is None:
        return None
    files = (path for name in TABLES for path in Path(tables.uri(name)).rglob("*"))
    return sum(path.stat().st_size for path in files if path.is_file())
