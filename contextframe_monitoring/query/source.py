"""Where reports read from, and one batch of raw rows as numpy columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contextframe_monitoring.store.density import Density
from contextframe_monitoring.store.kept_rollups import Sieve
from contextframe_monitoring.store.levels import Level

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Small = NDArray[np.uint8]


class RowSource(Protocol):
    """Raw rows of the store as they stood at one moment."""

    def batches(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows with `start_us <= timestamp < end_us`, these columns only, in any order.

        Label columns are `dictionary<int32, string>`; dictionaries differ between batches and may
        hold a label twice.
        """
        ...

    def oldest_us(self, table: str) -> int | None:
        """Return how far back raw rows reach; None when there are none."""
        ...


@runtime_checkable
class RollupSource(RowSource, Protocol):
    """A source that has rollups too."""

    def drained_rows(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of `batches` that rollups hold too."""
        ...

    def fresh_rows(
        self, table: str, columns: Sequence[str], start_us: int | None, end_us: int | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of `batches` that no rollup holds yet."""
        ...

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
        """Return rollup rows whose sum is everything that `drained_rows` holds or held in the
        window and that passes the sieve; None when there are none. Start and end are multiples of
        the level's bucket length. Rows are merged by the buckets that begin at `starts_us`.
        """
        ...

    def rollup_floor_us(self, level: Level) -> int | None:
        """Return how far back a level reaches, None when nothing is there."""
        ...

    def density(self, table: str, subject: str, end_us: int) -> Density | None:
        """Return how many rows a day before `end_us` has; None when that is not known."""
        ...

    def drained_count(self, table: str, start_us: int, end_us: int) -> int:
        """Return how many rows `drained_rows` would yield."""
        ...


class Rows:
    """One batch of rows: each column converted at most once, without a copy where possible."""

    __slots__ = ("_batch", "_columns")

    folded = False
    """Whether a row stands for many: see `query.folded`."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        """Wrap a batch; its columns are looked up by name."""
        self._batch = batch
        self._columns: dict[tuple[str, Any], Any] = {}

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._batch.num_rows)

    def array(self, name: str) -> pa.Array:
        """Return a column as Arrow has it."""
        return self._batch.column(self._batch.schema.get_field_index(name))

    def labels(self, name: str) -> pa.DictionaryArray:
        """Return a column as labels: encoded once, also for the rows that are taken from these."""
        array = self.array(name)
        if not pa.types.is_dictionary(array.type):
            array = _strings(array).dictionary_encode()
            place = self._batch.schema.get_field_index(name)
            self._batch = self._batch.set_column(place, name, array)
        return array

    def times_us(self) -> Integers:
        """Return the timestamps in microseconds since the epoch."""
        times: Integers = self._converted("timestamp", _times)
        return times

    def integers(self, name: str) -> Integers:
        """Return a column of integers, 0 where it is null: see `known`."""
        values: Integers = self._converted(name, _integers)
        return values

    def floats(self, name: str) -> Floats:
        """Return a column of numbers, NaN where it is null."""
        values: Floats = self._converted(name, _floats)
        return values

    def known(self, name: str) -> Mask | None:
        """Return where a column is not null; None when it is null nowhere."""
        array = self.array(name)
        return array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None

    def where(self, mask: Mask) -> Self:
        """Return the rows for which `mask` is true."""
        return type(self)(self._batch.filter(pa.array(mask)))

    def _converted(self, name: str, convert: Any) -> Any:
        if (name, convert) not in self._columns:
            self._columns[name, convert] = convert(self.array(name))
        return self._columns[name, convert]


def _strings(array: pa.Array) -> pa.Array:
    return array if pa.types.is_string(array.type) else array.cast(pa.string())


def _times(array: pa.Array) -> Integers:
    return _integers(array.cast(pa.int64()))


def _integers(array: pa.Array) -> Integers:
    if array.null_count == len(array):
        return np.zeros(len(array), np.int64)
    whole = pc.fill_null(array, 0) if array.null_count else array
    values: Integers = whole.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return values


def _floats(array: pa.Array) -> Floats:
    values: Floats = array.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    return values
