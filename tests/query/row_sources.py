"""Row sources for tests: in-memory tables made from records, and a folder of Lance tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.records import Record
from contextframe_monitoring.store.rows import Stored, rows


def _cut(table: pa.Table, start_us: int | None, end_us: int | None) -> pa.Table:
    times = table.column("timestamp").cast(pa.int64())
    if start_us is not None:
        table = table.filter(pc.greater_equal(times, start_us))
        times = table.column("timestamp").cast(pa.int64())
    return table if end_us is None else table.filter(pc.less(times, end_us))


class Tables:
    """Rows of records in memory; each `add` makes batches with dictionaries of their own."""

    def __init__(self, *records: Record, writer: str = "w1") -> None:
        self._tables: dict[str, list[pa.Table]] = {}
        self._seq = 0
        if records:
            self.add(*records, writer=writer)

    def add(self, *records: Record, writer: str = "w1") -> Tables:
        stored = []
        for record in records:
            self._seq += 1
            stored.append(Stored(writer, self._seq, record))
        for name, table in rows(stored, 1).items():
            self._tables.setdefault(name, []).append(table)
        return self

    def batches(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        for part in self._tables.get(table, []):
            yield from _cut(part, start_us, end_us).select(list(columns)).to_batches()

    def oldest_us(self, table: str) -> int | None:
        times = [pc.min(part["timestamp"].cast(pa.int64())) for part in self._tables.get(table, [])]
        return min((time.as_py() for time in times), default=None)


class LanceFolder:
    """Lance tables `<folder>/<table>.lance`, read as they stand."""

    def __init__(self, folder: Path, batch_rows: int = 1 << 17) -> None:
        self._folder, self._batch_rows = folder, batch_rows

    def batches(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        import lance

        bounds = []
        if start_us is not None:
            bounds.append(f"timestamp >= {_literal(start_us)}")
        if end_us is not None:
            bounds.append(f"timestamp < {_literal(end_us)}")
        scanner = lance.dataset(self._folder / f"{table}.lance").scanner(
            columns=list(columns), filter=" AND ".join(bounds) or None, batch_size=self._batch_rows
        )
        yield from scanner.to_batches()

    def oldest_us(self, table: str) -> int | None:
        oldest = None
        for batch in self.batches(table, ("timestamp",), None, None):
            least = pc.min(batch.column(0).cast(pa.int64())).as_py()
            oldest = least if oldest is None else min(oldest, least)
        return oldest


def _literal(time_us: int) -> str:
    return f"cast({time_us} as timestamp(6))"
