"""Delta rows of the 1m level: what one batch adds to each bucket. Readers add rows, so nothing is
ever updated.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core import histogram
from contextframe_monitoring.store.cardinality import Bound, bounded, chosen_attributes
from contextframe_monitoring.store.fact_counts import fact_counts
from contextframe_monitoring.store.groups import encoded
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.schemas import (
    COST,
    LABEL,
    PERFORMANCE,
    ROLLUP_KEYS,
    ROLLUP_SCHEMA,
    TIME,
    USAGE,
)

BUCKET_US = LEVELS[0].bucket_us
UNPRICED = "unpriced"
"""The `status` of cost rows without a price: what they hold must be told apart."""
_Ints = np.ndarray[Any, np.dtype[np.int64]]
_Floats = np.ndarray[Any, np.dtype[np.float64]]
_Column = Callable[[pa.Table], pa.ChunkedArray]


def _attribute(key: str) -> _Column:
    """Return what reads the value of an attribute `key=value` out of the attributes of each row;
    several values of one name are joined, as reports do it.
    """
    prefix = f"{key}="

    def column(table: pa.Table) -> pa.ChunkedArray:
        named = [
            [item[len(prefix) :] for item in items or () if item.startswith(prefix)]
            for items in table["attributes"].to_pylist()
        ]
        found = [", ".join(values) if values else None for values in named]
        return pa.chunked_array([pa.array(found, pa.string())])

    return column


def _same(*names: str) -> dict[str, _Column]:
    return {name: operator.itemgetter(name) for name in names}


def _custom_name(table: pa.Table) -> pa.ChunkedArray:
    custom = pc.equal(table["metric_type"].cast(pa.string()), "custom")
    return pc.if_else(pc.fill_null(custom, False), table["resource_id"], None)


def _unpriced(table: pa.Table) -> pa.ChunkedArray:
    return pc.if_else(pc.is_null(table["amount_nano_usd"]), UNPRICED, pa.scalar(None, pa.string()))


_WHO = _same("server", "environment", "agent_id")
_KEYS: dict[str, dict[str, _Column]] = {
    PERFORMANCE: {
        **_WHO,
        **_same("operation_type", "target", "status", "error_type", "direction", "kind"),
    },
    USAGE: {
        **_WHO,
        **_same("metric_type", "operation", "category", "outcome", "kind", "unit"),
        "resource": _custom_name,
    },
    COST: {
        **_WHO,
        **_same("operation", "provider", "model", "cost_type", "provenance"),
        "status": _unpriced,
        "feature": _attribute("feature"),
        "user_tier": _attribute("user_tier"),
    },
}
_SUBJECTS = {PERFORMANCE: "performance", USAGE: "usage", COST: "cost"}

_SUMS: dict[str, dict[str, str]] = {
    PERFORMANCE: {
        "weight": "weight",
        "request_bytes": "request_size",
        "result_bytes": "result_size",
        "request_tokens": "request_tokens",
        "result_tokens": "result_tokens",
    },
    USAGE: {},
    COST: {
        name: name
        for name in (
            "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
            "output_tokens", "reasoning_tokens",
        )
    }
    | {"nano_usd": "amount_nano_usd"},
}  # fmt: skip


def rollup_rows(
    raw: Mapping[str, pa.Table],
    batch: int,
    attributes: tuple[str, ...] = (),
    bound: Bound | None = None,
) -> pa.Table:
    """Return the delta rows for the raw rows of one batch, with these attributes; groups beyond the
    bound of a bucket become `other`.
    """
    parts = [
        _deltas(name, table, batch, attributes, bound or Bound())
        for name, table in raw.items()
        if name in _SUBJECTS and table.num_rows
    ]
    return pa.concat_tables(parts) if parts else ROLLUP_SCHEMA.empty_table()


def _deltas(
    name: str, table: pa.Table, batch: int, attributes: tuple[str, ...], bound: Bound
) -> pa.Table:
    keys = {key: encoded(column(table)) for key, column in _KEYS[name].items()}
    chosen = chosen_attributes(table, attributes)
    if chosen is not None:
        keys["attributes"] = encoded(pa.chunked_array([chosen]))
    bucket = _ints(table["timestamp"].cast(pa.int64())) // BUCKET_US
    keys, group, first = bounded(bucket, keys, np.ones(table.num_rows, np.int64), bound)
    size = len(first)
    columns: dict[str, Any] = {
        "bucket": pa.array(bucket[first] * BUCKET_US, pa.int64()).cast(TIME),
        "batch": pa.array(np.full(size, batch, np.int64)),
        "subject": pa.array([_SUBJECTS[name]] * size).dictionary_encode().cast(LABEL),
        "count": _integers(np.bincount(group, minlength=size)),
        **{key: column.take(pa.array(first)) for key, column in keys.items()},
        **{
            measure: _integers(_sum(group, size, _ints(pc.fill_null(table[source], 0))))
            for measure, source in _SUMS[name].items()
        },
        **_measured(group, size, _values(name, table)),
    }
    if name == COST:
        columns |= _facts(group, size, table)
    if name == USAGE:
        columns |= _added_up(group, size, _floats(table["value"]))
    arrays = [
        columns[field.name].cast(field.type)
        if field.name in columns
        else pa.nulls(size, field.type)
        for field in ROLLUP_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=ROLLUP_SCHEMA)


def _values(name: str, table: pa.Table) -> _Floats:
    """Return what is measured of each row: a duration, or a custom metric's value; NaN where
    nothing is.
    """
    if name == COST:
        return np.full(table.num_rows, np.nan)
    durations = _floats(table["duration_ms"])
    if name == PERFORMANCE:
        return durations
    custom = pc.equal(table["metric_type"].cast(pa.string()), "custom").to_numpy()
    return np.where(custom.astype(bool), _floats(table["value"]), durations)


def _facts(group: _Ints, size: int, table: pa.Table) -> dict[str, pa.Array]:
    """Return the facts of each group, and how many of them have no price."""
    facts = fact_counts(encoded(table["metadata"]))
    unknown = pc.is_null(table["amount_nano_usd"]).to_numpy()
    return {
        "weight": _integers(_sum(group, size, facts)),
        "unknown_cost": _integers(_sum(group, size, facts * unknown)),
    }


def _added_up(group: _Ints, size: int, values: _Floats) -> dict[str, pa.Array]:
    """Return the sum of the finite values of each group, and how many there are."""
    known = np.isfinite(values)
    group, values = group[known], values[known]
    return {
        "value_count": _integers(np.bincount(group, minlength=size)),
        "value_sum": pa.array(np.bincount(group, weights=values, minlength=size), pa.float64()),
    }


def _measured(group: _Ints, size: int, values: _Floats) -> dict[str, pa.Array]:
    known = np.isfinite(values)
    group, values = group[known], values[known]
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, group, values)
    np.maximum.at(high, group, values)
    built = histogram.build(group, values)
    zeros = np.zeros(size, np.int64)
    zeros[built.owners] = built.zeros
    count = np.bincount(group, minlength=size)
    return {
        "duration_count": _integers(count),
        "sum": pa.array(np.bincount(group, weights=values, minlength=size), pa.float64()),
        "min": pa.array(low, pa.float64(), mask=count == 0),
        "max": pa.array(high, pa.float64(), mask=count == 0),
        "zeros": _integers(zeros),
        "histogram": _binary(size, built),
    }


def _binary(size: int, built: histogram.Built) -> pa.Array:
    """Return one packed histogram for each group, empty for a group that measured nothing."""
    lengths = np.zeros(size, np.int64)
    lengths[built.owners] = np.diff(built.packed.offsets)
    at = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    buffers = [None, pa.py_buffer(at.tobytes()), pa.py_buffer(built.packed.data)]
    return pa.Array.from_buffers(pa.binary(), size, buffers)


def _sum(group: _Ints, size: int, values: _Ints) -> _Ints:
    total = np.zeros(size, np.int64)
    np.add.at(total, group, values)
    return total


def _ints(column: pa.ChunkedArray) -> _Ints:
    values: _Ints = column.to_numpy().astype(np.int64, copy=False)
    return values


def _floats(column: pa.ChunkedArray) -> _Floats:
    values: _Floats = column.to_numpy().astype(np.float64, copy=False)
    return values


def _integers(values: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(values.astype(np.int64, copy=False))


__all__ = ["BUCKET_US", "ROLLUP_KEYS", "rollup_rows"]
