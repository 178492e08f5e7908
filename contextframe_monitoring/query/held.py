"""Rows that many questions read: fetched once with all the columns they need, cut by window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from contextframe_monitoring.query.source import RowSource

ROWS_MAX = 2_000_000
"""More rows of a table are not held: they are read anew for each question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one question reads."""

    table: str
    columns: tuple[str, ...]
    start_us: int
    end_us: int


class HeldRows:
    """A row source over another one, for questions that are known beforehand."""

    def __init__(
        self,
        source: RowSource,
        needs: Iterable[Need],
        rows_max: int = ROWS_MAX,
        *,
        in_order: bool = False,
    ) -> None:
        """Nothing is read yet. `in_order` sorts the rows by time once: many windows are then cut
        out of them for nothing.
        """
        self._source, self._rows_max, self._in_order = source, rows_max, in_order
        self._needs: dict[str, list[Need]] = {}
        for need in needs:
            self._needs.setdefault(need.table, []).append(need)
        self._whole: dict[str, pa.Table | None] = {}
        self._cut: dict[tuple[str, int, int], pa.Table] = {}

    def batches(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows as the source does, from memory where they are held."""
        held = self._held(table, columns, start_us, end_us)
        if held is None:
            yield from self._source.batches(table, columns, start_us, end_us)
        else:
            yield from held.select(list(columns)).to_batches()

    def oldest_us(self, table: str) -> int | None:
        """Return how far back raw rows reach."""
        return self._source.oldest_us(table)

    def _held(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> pa.Table | None:
        needs = self._needs.get(table, [])
        if start_us is None or end_us is None or not needs:
            return None
        first, last = min(n.start_us for n in needs), max(n.end_us for n in needs)
        if not first <= start_us <= end_us <= last:
            return None
        if table not in self._whole:
            self._whole[table] = self._read(table, needs, first, last)
        whole = self._whole[table]
        if whole is None or not {*columns} <= {*whole.column_names}:
            return None
        if self._in_order:
            return _stretch(whole, start_us, end_us)
        key = (table, start_us, end_us)
        if key not in self._cut:
            self._cut[key] = _between(whole, start_us, end_us)
        return self._cut[key]

    def _read(self, table: str, needs: list[Need], first: int, last: int) -> pa.Table | None:
        columns = dict.fromkeys(("timestamp", *(c for need in needs for c in need.columns)))
        batches: list[pa.RecordBatch] = []
        rows = 0
        for batch in self._source.batches(table, tuple(columns), first, last):
            rows += batch.num_rows
            if rows > self._rows_max:
                return None
            batches.append(batch)
        if not batches:
            return None
        whole = pa.Table.from_batches(batches).unify_dictionaries()
        whole = whole.sort_by("timestamp") if self._in_order else whole
        return whole.combine_chunks()


def _stretch(ordered: pa.Table, start_us: int, end_us: int) -> pa.Table:
    times = ordered["timestamp"].cast(pa.int64()).to_numpy()
    first, last = np.searchsorted(times, [start_us, end_us]).tolist()
    return ordered.slice(first, last - first)


def _between(whole: pa.Table, start_us: int, end_us: int) -> pa.Table:
    times = whole["timestamp"].cast(pa.int64()).to_numpy()
    inside = (times >= start_us) & (times < end_us)
    if inside.all():
        return whole
    return whole.take(pa.array(np.flatnonzero(inside))).combine_chunks()
