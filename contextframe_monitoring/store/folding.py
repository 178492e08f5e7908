"""Folding: the rows of a level become rows of the next coarser one, once, whatever is killed in
between.

The steps of a level, by the names that `checkpoint` is called with: rows of the batches beyond its
watermark are read from the next finer level, merged, and appended in one commit with the number of
the last of these batches (`fold:append:<table>`) -> files and folders are synced
(`fold:sync:<table>`) -> the watermark moves (`fold:done:<table>`). After a crash the table itself
says whether it holds rows beyond its watermark. Only done batches are folded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.grouping import DEFAULT_GROUPING, Grouping
from contextframe_monitoring.store.cardinality import Bound
from contextframe_monitoring.store.folds import Folds
from contextframe_monitoring.store.levels import LEVELS, Level, coarser
from contextframe_monitoring.store.merging import merged
from contextframe_monitoring.store.remaking import remake_all
from contextframe_monitoring.store.removals import Removals
from contextframe_monitoring.store.schemas import METRIC_TABLES, ROLLUP_SCHEMA
from contextframe_monitoring.store.tables import Tables, time_literal

ROWS_PER_MERGE = 200_000
"""About so many rows are merged at once: 80 MB."""
_SECOND_NS = 1_000_000_000
_EVERY_NS = {"15m": 60 * _SECOND_NS, "1h": 900 * _SECOND_NS, "1d": 3_600 * _SECOND_NS}
"""How often a level is folded: what a reader adds from finer levels stays small."""


class Fold:
    """Folds the levels of one store. Only the holder of the keeper's lock may use it."""

    def __init__(
        self,
        tables: Tables,
        folds: Folds,
        removals: Removals,
        clock: Clock,
        checkpoint: Callable[[str], None],
        levels: Sequence[Level] = LEVELS,
        grouping: Grouping = DEFAULT_GROUPING,
    ) -> None:
        """`levels` are the wanted ones, finest first; others lose their rows."""
        self._grouping = grouping
        self._tables, self._folds, self._removals = tables, folds, removals
        self._clock, self._checkpoint, self._levels = clock, checkpoint, levels
        self._folded_ns: dict[str, int] = {}
        self._done = -1

    def run(self, done: int, *, at_once: bool = False) -> int:
        """Fold what is due (`at_once`: everything) of batches up to `done`; return how many
        levels moved.
        """
        now_ns = self._clock.monotonic_ns()
        due = [level for level in self._levels[1:] if at_once or self._is_due(level, now_ns)]
        if not due or (done == self._done and not at_once):
            return 0
        if not self._folded_ns:
            self._drop_unwanted()
        marks = {self._levels[0].name: done, **self._folds.watermarks()}
        moved = 0
        for source, level in zip(self._levels, self._levels[1:], strict=False):
            if level in due:
                moved += self._fold(source, level, marks)
                self._folded_ns[level.name] = now_ns
        if all(marks.get(level.name) == done for level in self._levels):
            self._done = done
        return moved

    @property
    def is_due(self) -> bool:
        """Whether any level should be folded by now."""
        now_ns = self._clock.monotonic_ns()
        return any(self._is_due(level, now_ns) for level in self._levels[1:])

    def _is_due(self, level: Level, now_ns: int) -> bool:
        last_ns = self._folded_ns.get(level.name)
        return last_ns is None or now_ns - last_ns >= _EVERY_NS[level.name]

    def _fold(self, source: Level, level: Level, marks: dict[str, int]) -> bool:
        before, upto = marks.get(level.name), marks.get(source.name, 0)
        low = before or 0
        held = self._tables.batch_max(level.table, after=low)
        if held:  # a predecessor died before the watermark moved
            self._move(level, held)
            low = held
        if before is None and upto:
            self._inherit_cutoff(source, level)
        above = max((marks.get(other.name, 0) for other in coarser(level)), default=0)
        for step in sorted({above, upto}):
            if low < step <= upto:  # no row lies across what a coarser level already holds
                self._append(source, level, low, step)
                low = step
        moved = low > (before or 0)
        marks[level.name] = low
        return moved

    def _append(self, source: Level, level: Level, low: int, upto: int) -> None:
        bound = Bound(self._grouping.groups_max)
        buckets = self._tables.scan(source.table, ["bucket"], batch_after=low, batch_max=upto)
        rows = (
            batch
            for span in spans_of(buckets, level.bucket_us)
            for batch in merged(
                self._rows(source, low, upto, span), level.bucket_us, upto, bound
            ).to_batches()
        )
        first = next(rows, None)
        if first is not None:
            self._tables.append(level.table, _reader(first, rows))
            self._checkpoint(f"fold:append:{level.table}")
        self._move(level, upto, bound.others)

    def _rows(
        self, source: Level, low: int, upto: int, span: tuple[int, int]
    ) -> Iterator[pa.RecordBatch]:
        return self._tables.scan(
            source.table,
            ROLLUP_SCHEMA.names,
            start_us=span[0],
            end_us=span[1],
            batch_after=low,
            batch_max=upto,
        )

    def _move(self, level: Level, watermark: int, others: int = 0) -> None:
        self._tables.sync(level.table)
        self._checkpoint(f"fold:sync:{level.table}")
        self._folds.advance(level.name, watermark, self._clock.now_us(), others)
        self._checkpoint(f"fold:done:{level.table}")

    def _inherit_cutoff(self, source: Level, level: Level) -> None:
        """A level that is made late reaches no further back than what it is made from."""
        cutoff = self._removals.cutoffs().get(source.table)
        if cutoff is not None:
            self._removals.raise_cutoff(
                level.table, -(-cutoff // level.bucket_us) * level.bucket_us
            )

    def make_missing(self, done: int) -> None:
        """Make levels whose table is gone: the minutes from raw rows, as far back as these reach,
        others with the next fold.
        """
        marks = self._folds.watermarks()
        for level in self._levels[1:]:
            if level.name in marks and self._tables.dataset(level.table) is None:
                self._folds.forget(level.name)
                del marks[level.name]
        minutes = self._levels[0].table
        since = time_literal(self._removals.cutoffs().get(minutes, 0))
        where = f"batch <= {done} AND timestamp >= {since}"
        if not self._tables.count(minutes) and any(
            self._tables.count(name, where) for name in METRIC_TABLES
        ):
            for level in self._levels[1:]:
                if marks.get(level.name, done) < done:
                    self._move(level, done)
            self.rebuild(done)

    def rebuild(self, done: int) -> None:
        """Make every level anew from raw rows, as far back as these reach; levels are folded up to
        `done`. What is older stays as it is.
        """
        self._folds.note_merged({level.table: done for level in self._levels})
        raw_cutoff_us = self._removals.raw_cutoff_us()
        remake_all(self._tables, self._levels, raw_cutoff_us, done, self._grouping)

    def _drop_unwanted(self) -> None:
        """Take out the rows of levels that are no longer wanted; a level that is wanted again is
        made anew.
        """
        known = set(self._folds.watermarks()) | self._folds.dropped()
        for level in LEVELS[1:]:
            if level.name in known and level not in self._levels:
                self._folds.drop(level.name, self._clock.now_us())
        for level in LEVELS[1:]:
            if level.name in self._folds.dropped():
                if self._tables.count(level.table):
                    self._tables.delete(level.table, "true")
                self._checkpoint(f"fold:drop:{level.table}")
                self._folds.forget(level.name)


def spans_of(buckets: Iterable[pa.RecordBatch], bucket_us: int) -> Iterator[tuple[int, int]]:
    """Yield spans of time, in whole buckets, that each hold about `ROWS_PER_MERGE` of the rows with
    these times.
    """
    count, first, last = 0, None, None
    for batch in buckets:
        if batch.num_rows:
            count += batch.num_rows
            ends = pc.min_max(batch.column(0).cast(pa.int64()))
            least, most = ends["min"].as_py(), ends["max"].as_py()
            first = least if first is None else min(first, least)
            last = most if last is None else max(last, most)
    if first is None or last is None:
        return
    start, end = first // bucket_us * bucket_us, (last // bucket_us + 1) * bucket_us
    pieces = -(-count // ROWS_PER_MERGE)
    length = max(-(-(end - start) // pieces // bucket_us) * bucket_us, bucket_us)
    for at in range(start, end, length):
        yield at, min(at + length, end)


def _reader(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        yield first
        yield from rest

    return pa.RecordBatchReader.from_batches(ROLLUP_SCHEMA, batches())
