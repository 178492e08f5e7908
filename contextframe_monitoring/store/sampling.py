"""Sampling of raw performance rows: of many successes of one kind a share is stored, each with the
number of rows that it stands for. Errors, slow ones and ones without a duration all are.

Rows of one minute and of one group of the rollups are thinned evenly, and at least one of them
stays, so weights add up to the rows that there were: exactly, in every bucket and group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contextframe_monitoring.store.groups import encoded, grouped
from contextframe_monitoring.store.levels import LEVELS

_STRATA = (
    "server", "environment", "agent_id", "operation_type", "target", "direction", "kind",
)  # fmt: skip
_Mask = NDArray[np.bool_]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The share of rows that is stored, and from which duration on a row is slow."""

    rate: float = 1.0
    slow_ms: float = 1000.0


ALL_ROWS = Sampling()


def sampled(table: pa.Table, sampling: Sampling) -> tuple[pa.Table, dict[str, int]]:
    """Return the performance rows of a batch that are stored, and how many of which writers are
    not.
    """
    if sampling.rate >= 1 or not table.num_rows:
        return table, {}
    weights = np.ones(table.num_rows, np.int64)
    common = np.flatnonzero(~_always(table, sampling.slow_ms))
    if len(common):
        weights[common] = _thinned(_strata(table)[common], sampling.rate)
    kept = weights > 0
    place = table.schema.get_field_index("weight")
    kind = table.schema.field("weight")
    whole = table.set_column(place, kind, pa.array(weights).cast(kind.type))
    gone = pc.value_counts(table["writer"].cast(pa.string()).filter(pa.array(~kept)))
    dropped = {entry["values"]: entry["counts"] for entry in gone.to_pylist()}
    return whole.filter(pa.array(kept)), dropped


def unsampled(table: pa.Table) -> pa.Table:
    """Return every performance row as often as the rows that it stands for: what rollups are made
    anew from.
    """
    weights = pc.fill_null(table["weight"], 1).to_numpy().astype(np.int64)
    if not len(weights) or int(weights.max()) <= 1:
        return table
    place = table.schema.get_field_index("weight")
    kind = table.schema.field("weight")
    whole = table.take(pa.array(np.repeat(np.arange(len(weights)), np.maximum(weights, 1))))
    ones = pa.array(np.ones(whole.num_rows, np.int32)).cast(kind.type)
    return whole.set_column(place, kind, ones)


def _always(table: pa.Table, slow_ms: float) -> _Mask:
    """Return the rows that are stored whatever the rate: failed and slow ones, ones without a
    duration, and the last one of each writer, which says how far it was drained.
    """
    good = pc.fill_null(pc.equal(table["status"].cast(pa.string()), "success"), False)
    quick = pc.fill_null(pc.less(table["duration_ms"], slow_ms), False)
    found: _Mask = ~pc.and_(good, quick).to_numpy().astype(np.bool_)
    _, last = np.unique(encoded(table["writer"]).indices.to_numpy()[::-1], return_index=True)
    found[len(found) - 1 - last] = True
    return found


def _strata(table: pa.Table) -> _Ints:
    minute = table["timestamp"].cast(pa.int64()).to_numpy() // LEVELS[0].bucket_us
    group, _ = grouped(minute, [encoded(table[name]) for name in _STRATA])
    return group


def _thinned(strata: _Ints, rate: float) -> _Ints:
    """Return how many rows each row stands for: 0 for those that are left out."""
    order = np.argsort(strata, kind="stable")
    sizes = np.bincount(strata)
    sizes = sizes[sizes > 0]
    size = np.repeat(sizes, sizes)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = np.ceil(size * rate).astype(np.int64)
    chosen = np.flatnonzero((rank + 1) * kept // size > rank * kept // size)
    weights = np.zeros(len(order), np.int64)
    weights[order[chosen]] = np.diff(chosen, prepend=-1)
    return weights
