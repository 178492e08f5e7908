"""A reader's view of a store: complete and fresh, nothing twice.

In this order nothing is missed or seen twice: (1) read the spools, (2) read the ledger's last
done batch and drained numbers, (3) read the tables with `batch <= done`, (4) add the frames of
(1) beyond the numbers of (2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.store.levels import Level
from contextframe_monitoring.store.rows import Stored, decode, rows
from contextframe_monitoring.store.schemas import TIME
from contextframe_monitoring.store.spool.reader import WriterView, read_spool
from contextframe_monitoring.store.store import Store
from contextframe_monitoring.store.tables import time_column


class Snapshot:
    """One moment of a store. (1) and (2) happen when it is made, the rest as it is read."""

    def __init__(self, store: Store) -> None:
        """Look at spools and ledger. Raises `StoreError` when the store can't be used."""
        self._tables = store.tables
        try:
            self.writers: list[WriterView] = read_spool(store.spool_root)
        except OSError as error:
            raise StoreError(
                store.uri, f"its spool can't be read ({error.strerror})", "run doctor"
            ) from error
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
        self, level: Level, subject: str, columns: Sequence[str], start_us: int, end_us: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield rollup rows of a subject whose sum is everything that done batches hold in the
        window, each fact once. Start and end are multiples of the level's bucket length; rows of
        finer levels may be among them.
        """
        if self.done:
            yield from self._tables.scan(
                level.table,
                columns,
                start_us=start_us,
                end_us=end_us,
                batch_max=self.done,
                where=f"subject = '{subject}'",
            )

    def rollup_floor_us(self, level: Level) -> int | None:
        """Return how far back a level reaches, None when nothing is there."""
        return self._tables.oldest_us(level.table) if self.done else None

    def is_small(self, table: str, start_us: int, end_us: int, rows_max: int) -> bool:
        """Return whether a table has at most so many drained rows with start <= time < end."""
        if not self.done or self._tables.count(table) <= rows_max:
            return True
        return self._tables.count_between(table, start_us, end_us) <= rows_max

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
