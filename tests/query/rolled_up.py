"""A source of records that has rollups of every level, for tests of answers from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.records import Record
from contextframe_monitoring.store.density import Density
from contextframe_monitoring.store.kept_rollups import Sieve
from contextframe_monitoring.store.levels import Level
from contextframe_monitoring.store.merging import merged, merged_by
from contextframe_monitoring.store.rollup import rollup_rows
from contextframe_monitoring.store.rows import Stored, rows
from contextframe_monitoring.store.schemas import TIME
from tests.query.row_sources import Tables

DENSE = Density(10**12, 10**12, {})
"""So many raw rows that the shortest bucket pays."""


class RolledUp:
    """Drained batches of records, and fresh ones; raw rows before `raw_since_us` are gone."""

    def __init__(
        self,
        drained: Sequence[Sequence[Record]],
        fresh: Sequence[Record] = (),
        raw_since_us: int = 0,
        density: Density | None = DENSE,
    ) -> None:
        self._drained = Tables(*(r for b in drained for r in b if r.time_us >= raw_since_us))
        self._fresh = Tables(*fresh)
        self._density = density
        self.scanned: list[str] = []
        seq = 0
        deltas = []
        for number, batch in enumerate(drained, 1):
            stored = [Stored("w", seq + i, record) for i, record in enumerate(batch)]
            seq += len(stored)
            deltas.append(rollup_rows(rows(stored, number), number))
        self._deltas = pa.concat_tables(deltas) if deltas else None

    def batches(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        yield from self.drained_rows(table, columns, start_us, end_us)
        yield from self.fresh_rows(table, columns, start_us, end_us)

    def drained_rows(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        self.scanned.append("raw")
        yield from self._drained.batches(table, columns, start_us, end_us)

    def fresh_rows(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        yield from self._fresh.batches(table, columns, start_us, end_us)

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
        assert start_us % level.bucket_us == end_us % level.bucket_us == 0
        self.scanned.append(level.name)
        if self._deltas is None:
            return None
        times = self._deltas["bucket"]
        inside = pc.and_(
            pc.greater_equal(times, pa.scalar(start_us, TIME)),
            pc.less(times, pa.scalar(end_us, TIME)),
        )
        mine = pc.and_(inside, pc.equal(self._deltas["subject"].cast(pa.string()), subject))
        found = self._deltas.filter(mine)
        if not len(found):
            return None
        folded = merged(found.to_batches(), level.bucket_us, 9)
        read = list(dict.fromkeys((*columns, *sieve.columns)))
        passed = [sieve.passed(batch) for batch in folded.select(read).to_batches()]
        inside = [start for start in starts_us if start_us < start < end_us]
        parts = [batch.select(list(columns)) for batch in passed if batch.num_rows]
        return merged_by([start_us, *inside], parts)

    def rollup_floor_us(self, level: Level) -> int | None:
        if self._deltas is None or not len(self._deltas):
            return None
        oldest = int(np.min(self._deltas["bucket"].cast(pa.int64()).to_numpy()))
        return oldest // level.bucket_us * level.bucket_us

    def density(self, table: str, subject: str, end_us: int) -> Density | None:
        return self._density

    def drained_count(self, table: str, start_us: int, end_us: int) -> int:
        return sum(len(b) for b in self._drained.batches(table, ("timestamp",), start_us, end_us))

    def oldest_us(self, table: str) -> int | None:
        moments = [source.oldest_us(table) for source in (self._drained, self._fresh)]
        return min((moment for moment in moments if moment is not None), default=None)
