"""A reader's view of a store: complete and fresh, nothing twice.

In this order nothing is missed or seen twice: (1) read the spools, (2) read the ledger's last
done batch and drained numbers, (3) read the tables with `batch <= done`, (4) add the frames of
(1) beyond the numbers of (2). How far the rollups are folded is read before (2): a level then
never holds more than the done batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.store.density import Density
from contextframe_monitoring.store.kept_rollups import KeptRollups, Sieve
from contextframe_monitoring.store.levels import LEVELS, Level, finer
from contextframe_monitoring.store.merging import merged_by
from contextframe_monitoring.store.rows import Stored, decode, rows
from contextframe_monitoring.store.schemas import TIME
from contextframe_monitoring.store.spool.reader import WriterView, read_spool
from contextframe_monitoring.store.store import Store
from contextframe_monitoring.store.tables import time_column


class Snapshot:
    """One moment of a store. (1) and (2) happen when it is made, the rest as it is read."""

    def __init__(self, store: Store) -> None:
        """Look at spools and ledger. Raises `StoreError` when the store can't be used."""
        self._store, self._tables = store, store.tables
        try:
            self.writers: list[WriterView] = read_spool(store.spool_root)
        except OSError as error:
            raise StoreError(
                store.uri, f"its spool can't be read ({error.strerror})", "run doctor"
            ) from error
        folds = store.folds
        self._marks = {} if folds is None else folds.watermarks()
        ledger = store.ledger
        names = [writer.writer for writer in self.writers]
        self.done, self.drained = ledger.position(names) if ledger is not None else (0, {})

    @property
    def unreadable(self) -> dict[str, str]:
        """Writers whose folder can't be read, and why: what they have not drained is not seen."""
        return {view.writer: view.problem for view in self.writers if view.problem is not None}

    @cached_property
    def waiting(self) -> list[Stored]:
        """The records that no done batch holds yet."""
        found: list[Stored] = []
        for writer in self.writers:
            after = self.drained.get(writer.writer, 0)
            for segment in writer.segments:
                for frame in segment.frames():
                    if frame.seq > after:
                        try:
                            found.append(Stored(writer.writer, frame.seq, decode(frame.record)))
                        except msgspec.MsgspecError:
                            continue
        return found

    @cached_property
    def _fresh(self) -> dict[str, pa.Table]:
        return rows(self.waiting, None) if self.waiting else {}

    def batches(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the raw rows with start <= time < end, drained or not, with these columns.

        Label columns are dictionaries; their values differ from batch to batch.
        """
        yield from self.drained_rows(table, columns, start_us, end_us)
        yield from self.fresh_rows(table, columns, start_us, end_us)

    def drained_rows(
        self,
        table: str,
        columns: Sequence[str],
        start_us: int | None,
        end_us: int | None,
        *,
        batch_after: int = 0,
        in_order: bool = False,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of `batches` that done batches after `batch_after` hold."""
        if self.done > batch_after:
            yield from self._tables.scan(
                table,
                columns,
                start_us=start_us,
                end_us=end_us,
                batch_after=batch_after,
                batch_max=self.done,
                in_order=in_order,
            )

    def fresh_rows(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of `batches` that no done batch holds yet."""
        fresh = self._fresh.get(table)
        if fresh is not None:
            yield from (
                _within(fresh, time_column(table), start_us, end_us)
                .select(list(columns))
                .to_batches()
            )

    def rollups(
        self,
        level: Level,
        subject: str,
        columns: Sequence[str],
        start_us: int | None,
        end_us: int | None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield rollup rows of a subject with start <= bucket < end, both multiples of the level's
        bucket, that add up to everything that done batches hold there, each fact once.

        Rows that are not folded yet come from finer levels. Where a level is not kept, all rows do.
        Raises `StoreError` when this look is so old that its rows have been merged with others.
        """
        low = 0
        for source in (level, *finer(level)):
            high = min(self._mark(source), self.done)
            if low < high:
                rows = self._tables.scan(
                    source.table,
                    columns,
                    start_us=start_us,
                    end_us=end_us,
                    batch_after=low,
                    batch_max=high,
                    where=f"subject = '{subject}'",
                    late=True,
                )
                first = next(rows, None)  # from here on, the table's version is pinned
                self._check_merged(source, low, high)
                if first is not None:
                    yield first
                    yield from rows
            low = max(low, high)

    def _mark(self, level: Level) -> int:
        """Return up to which batch a level holds everything."""
        return self.done if level is LEVELS[0] else self._marks.get(level.name, 0)

    def _check_merged(self, level: Level, low: int, high: int) -> None:
        folds = self._store.folds
        merged = 0 if folds is None else folds.merged().get(level.table, 0)
        if merged > high or 0 < low < merged:
            raise StoreError(
                self._store.uri, "its rollups have changed since this look at it", "ask again"
            )

    def rollup_floor_us(self, level: Level) -> int | None:
        """Return from which time on a level holds everything that done batches do; None when it is
        not kept or holds nothing.
        """
        if level.name not in self._marks and level is not LEVELS[0]:
            return None
        tables = [source.table for source in (level, *finer(level))]
        moments = [self._tables.oldest_us(table) for table in tables]
        oldest = min((moment for moment in moments if moment is not None), default=None)
        cutoff = self._cutoffs.get(level.table)
        if oldest is None or cutoff is None:
            return oldest
        return max(oldest, cutoff)

    def condensed(
        self,
        level: Level,
        subject: str,
        columns: Sequence[str],
        start_us: int,
        end_us: int,
        starts_us: Sequence[int],
        sieve: Sieve,
    ) -> pa.RecordBatch | None:
        """Return the rows of `rollups` that pass the sieve, merged by their labels and by the
        buckets that begin at `starts_us`; None when there are none. They are kept for later looks.
        """
        inside = tuple(start for start in starts_us if start_us < start < end_us)
        key = (level.name, subject, tuple(columns), start_us, end_us, inside, sieve.question)
        kept = self._kept
        found = kept.get(self.done, key)
        if found is None:
            read = tuple(dict.fromkeys((*columns, *sieve.columns)))
            rows = self.rollups(level, subject, read, start_us, end_us)
            passed = (sieve.passed(batch).select(list(columns)) for batch in rows)
            found = merged_by([start_us, *inside], [batch for batch in passed if batch.num_rows])
            if found is not None:
                kept.put(self.done, key, end_us, found)
        return found

    @cached_property
    def _kept(self) -> KeptRollups:
        """What earlier looks kept, less what was touched since."""
        removals, kept = self._store.removals, self._store.kept
        expired = 0 if removals is None else sum(removals.expired().values())
        kept.meet(self.done, (expired, *sorted(self._cutoffs.items())), self._touched_us)
        return kept

    def _touched_us(self, batch: int) -> int | None:
        """Return the earliest bucket that any level has rows of later batches for."""
        least: int | None = None
        for level in LEVELS:
            for found in self._tables.scan(level.table, ["bucket"], batch_after=batch):
                if found.num_rows:
                    low: int = pc.min(found.column(0)).cast(pa.int64()).as_py()
                    least = low if least is None else min(least, low)
        return least

    @cached_property
    def _cutoffs(self) -> dict[str, int]:
        removals = self._store.removals
        return {} if removals is None else dict(removals.cutoffs())

    def density(self, table: str, subject: str, end_us: int) -> Density | None:
        """Return how many rows a table and the levels have on the last whole day before `end_us`;
        None where there are none. It is counted anew when the table has grown by a quarter.
        """
        total = self._tables.count(table) if self.done else 0
        known = self._store.densities.get(table)
        if known is not None and known.total <= total < known.total * 5 / 4:
            return known
        day_us = end_us // US_PER_DAY * US_PER_DAY
        found = None
        for start_us in (day_us - US_PER_DAY, day_us):
            raw = self._tables.count_between(table, start_us, start_us + US_PER_DAY)
            if raw:
                found = Density(total, raw, self._folded_rows(subject, start_us))
                self._store.densities[table] = found
                break
        return found

    def _folded_rows(self, subject: str, day_us: int) -> dict[str, int]:
        where, end_us = f"subject = '{subject}'", day_us + US_PER_DAY
        return {
            level.name: self._tables.count_between(level.table, day_us, end_us, where)
            for level in LEVELS
        }

    def drained_count(self, table: str, start_us: int, end_us: int) -> int:
        """Return how many drained rows of a table have start <= time < end."""
        return self._tables.count_between(table, start_us, end_us) if self.done else 0

    def oldest_us(self, table: str) -> int | None:
        """Return the earliest time of the raw rows of a table, None when there are none."""
        moments = [self._tables.oldest_us(table)] if self.done else []
        fresh = self._fresh.get(table)
        if fresh is not None:
            moments.append(pc.min(fresh[time_column(table)]).cast(pa.int64()).as_py())
        return min((m for m in moments if m is not None), default=None)


def _within(table: pa.Table, column: str, start_us: int | None, end_us: int | None) -> pa.Table:
    moments = table[column]
    if start_us is not None:
        table = table.filter(pc.greater_equal(moments, pa.scalar(start_us, TIME)))
        moments = table[column]
    if end_us is not None:
        table = table.filter(pc.less(moments, pa.scalar(end_us, TIME)))
    return table
