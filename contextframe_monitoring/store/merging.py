"""Merging rollup rows: those of one bucket and one group become one. A sum of sums, in any order.

Bucket, batch and group keys tell rows apart; integer measures, histograms and zeros add up, `min`
and `max` are the least and the greatest, and what no row knows stays null.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contextframe_monitoring.core import histogram
from contextframe_monitoring.store.cardinality import Bound, bounded
from contextframe_monitoring.store.groups import encoded, grouped
from contextframe_monitoring.store.schemas import (
    ROLLUP_KEYS,
    ROLLUP_SCHEMA,
    ROLLUP_SUMS,
    TIME,
)

_Ints = NDArray[np.int64]
_KEYS = ("subject", *ROLLUP_KEYS)


def merged(
    parts: Iterable[pa.RecordBatch], bucket_us: int, batch: int, bound: Bound | None = None
) -> pa.Table:
    """Return the rows of ROLLUP_SCHEMA as rows of a level whose buckets are that long, all of
    `batch`, ordered by time; groups beyond the bound of a bucket become `other`.
    """
    table = pa.Table.from_batches(parts, ROLLUP_SCHEMA)
    if not table.num_rows:
        return ROLLUP_SCHEMA.empty_table()
    bucket = _ints(table["bucket"].cast(pa.int64())) // bucket_us * bucket_us
    labels = {name: encoded(table[name]) for name in _KEYS}
    subjects = labels["subject"]
    cells = bucket // bucket_us * len(subjects.dictionary) + subjects.indices.to_numpy()
    counts = _ints(pc.fill_null(table["count"], 0))
    labels, group, first = bounded(cells, labels, counts, bound or Bound())
    size = len(first)
    columns: dict[str, pa.Array] = {
        "bucket": pa.array(bucket[first]).cast(TIME),
        "batch": pa.array(np.full(size, batch, np.int64)),
        **{name: label.take(pa.array(first)) for name, label in labels.items()},
        **{name: _total(table[name], group, size) for name in (*ROLLUP_SUMS, "zeros")},
        **{name: _sum(table[name], group, size) for name in ("sum", "value_sum")},
        "min": _extreme(table["min"], group, size, np.minimum, np.inf),
        "max": _extreme(table["max"], group, size, np.maximum, -np.inf),
        "histogram": _histograms(table["histogram"], group, size),
    }
    arrays = [
        columns[field.name].cast(field.type)
        if field.name in columns
        else pa.nulls(size, field.type)
        for field in ROLLUP_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=ROLLUP_SCHEMA)


def merged_by(starts_us: Sequence[int], parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch | None:
    """Return rows of some columns of ROLLUP_SCHEMA, a bucket among them, as one row for each
    combination of their labels in each of the buckets that begin at these times, which rise; None
    when there are none.
    """
    if not parts:
        return None
    table = pa.Table.from_batches(parts)
    edges = np.array(starts_us, np.int64)
    bucket = edges[np.searchsorted(edges, _ints(table["bucket"].cast(pa.int64())), "right") - 1]
    names = table.schema.names
    labels = {name: encoded(table[name]) for name in names if name in _KEYS}
    group, first = grouped(bucket, list(labels.values()))
    size = len(first)
    columns: dict[str, pa.Array] = {
        "bucket": pa.array(bucket[first]).cast(TIME),
        **{name: label.take(pa.array(first)) for name, label in labels.items()},
    }
    for name in set(names) - columns.keys():
        column = table[name]
        if name in ("sum", "value_sum"):
            columns[name] = _sum(column, group, size)
        elif name == "min":
            columns[name] = _extreme(column, group, size, np.minimum, np.inf)
        elif name == "max":
            columns[name] = _extreme(column, group, size, np.maximum, -np.inf)
        elif name == "histogram":
            columns[name] = _histograms(column, group, size)
        else:
            columns[name] = _total(column, group, size)
    return pa.RecordBatch.from_arrays([columns[name] for name in names], names)


def _total(column: pa.ChunkedArray, group: _Ints, size: int) -> pa.Array:
    known = _known(column, group, size)
    total = np.zeros(size, np.int64)
    if known.any():
        np.add.at(total, group, _ints(pc.fill_null(column, 0)))
    return pa.array(total, pa.int64(), mask=~known)


def _sum(column: pa.ChunkedArray, group: _Ints, size: int) -> pa.Array:
    values = pc.fill_null(column, 0.0).to_numpy()
    total = np.bincount(group, weights=values, minlength=size)
    return pa.array(total, pa.float64(), mask=~_known(column, group, size))


def _extreme(column: pa.ChunkedArray, group: _Ints, size: int, better: Any, start: float) -> Any:
    found = np.full(size, start)
    better.at(found, group, pc.fill_null(column, start).to_numpy())
    return pa.array(found, pa.float64(), mask=~_known(column, group, size))


def _known(column: pa.ChunkedArray, group: _Ints, size: int) -> NDArray[np.bool_]:
    """Return which groups have a row that is not null."""
    if not column.null_count:
        return np.ones(size, np.bool_)
    valid = column.is_valid().to_numpy().astype(np.bool_)
    known: NDArray[np.bool_] = np.bincount(group[valid], minlength=size) > 0
    return known


def _histograms(column: pa.ChunkedArray, group: _Ints, size: int) -> pa.Array:
    """Return one histogram for each group, empty where nothing was measured."""
    whole = pa.concat_arrays(pc.fill_null(column, b"").chunks)
    _, at, data = whole.buffers()
    offsets = np.frombuffer(at, np.int32)[whole.offset : whole.offset + len(whole) + 1]
    packed = histogram.Packed(offsets, data if data is not None else b"")
    found = histogram.regrouped(packed, group, size)
    buffers = [None, pa.py_buffer(found.offsets.tobytes()), pa.py_buffer(found.data)]
    return pa.Array.from_buffers(pa.binary(), size, buffers)


def _ints(column: pa.ChunkedArray) -> _Ints:
    values: _Ints = column.to_numpy().astype(np.int64, copy=False)
    return values
