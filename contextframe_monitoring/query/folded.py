"""Rollup rows as reports read them: the columns of raw rows, and what many rows have in common.

A folded row has the labels of the raw rows that it stands for, their number, sums, extremes and a
histogram. `NAMES` says which column of a raw table lies in which of the rollups.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from contextframe_monitoring.core import histogram
from contextframe_monitoring.core.histogram import Packed
from contextframe_monitoring.query.dimensions import CUSTOM, METRIC_TYPE
from contextframe_monitoring.query.keys import AttributeKey, ColumnKey, Condition, Key
from contextframe_monitoring.query.source import Integers, Rows
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, USAGE

SUBJECTS: Mapping[str, str] = {PERFORMANCE: "performance", USAGE: "usage", COST: "cost"}
MEASURED = ("duration_count", "sum", "min", "max", "zeros", "histogram")
"""What `Folded.spread` reads."""

_WHO = ("server", "environment", "agent_id")
_LABELS: Mapping[str, tuple[str, ...]] = {
    PERFORMANCE: ("operation_type", "target", "status", "error_type", "direction", "kind"),
    USAGE: ("metric_type", "operation", "category", "outcome", "kind", "unit"),
    COST: ("operation", "provider", "model", "cost_type", "provenance"),
}
_RENAMED = {"bucket": "timestamp", "resource": "resource_id"}
NAMES: Mapping[str, Mapping[str, str]] = {
    table: {name: name for name in (*_WHO, *labels)} | {"timestamp": "bucket"}
    for table, labels in _LABELS.items()
}
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {COST: ("feature", "user_tier")}
"""Attributes that have a column in the rollups."""
_IS_CUSTOM = Condition(METRIC_TYPE, frozenset((CUSTOM,)))
"""Of custom metrics rollups keep the name, which raw rows have in `resource_id`."""


USE_MEASURES = ("count", "weight", "value_sum", "value_count", *MEASURED)
"""What the sections of a usage report read."""


class Folded(Rows):
    """A batch of rollup rows. `timestamp` is the start of a bucket."""

    __slots__ = ()

    folded = True

    def counts(self) -> Integers:
        """Return how many rows each row stands for."""
        return self._known_or("weight", "count")

    def _known_or(self, name: str, instead: str) -> Integers:
        known = self.known(name)
        values = self.integers(name)
        return values if known is None else np.where(known, values, self.integers(instead))

    def above(self, limit: float) -> Integers:
        """Return how many values of each row are above a limit, to the width of a bucket."""
        highest = self.floats("max")
        found: Integers = np.where(
            self.floats("min") > limit, self.integers("duration_count"), np.zeros(1, np.int64)
        )
        divided = (highest > limit) & ~(self.floats("min") > limit)
        if divided.any():
            found[divided] = histogram.above(self.where(divided).packed(), limit)
        return found

    def packed(self) -> Packed:
        """Return the histograms, one for each row."""
        array = self.array("histogram")
        if array.null_count:
            array = array.fill_null(b"")
        _, offsets, data = array.buffers()
        ends = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
        return Packed(ends, memoryview(b"" if data is None else data))


def weights(rows: Rows) -> Integers | None:
    """Return how many rows each row stands for; None when each stands for itself."""
    return rows.counts() if isinstance(rows, Folded) else None


def folded(batch: pa.RecordBatch) -> Folded:
    """Return a batch of a rollup table under the names of the raw one."""
    return Folded(batch.rename_columns([_RENAMED.get(n, n) for n in batch.schema.names]))


def holds(table: str, key: Key) -> bool:
    """Return whether rollup rows have what a key reads."""
    if isinstance(key, AttributeKey):
        return key.name in ATTRIBUTES.get(table, ())
    if isinstance(key, ColumnKey) and key.condition == _IS_CUSTOM:
        return table == USAGE
    return NAMES[table].keys() >= set(key.columns)


def rollup_columns(table: str, columns: Iterable[str], keys: Collection[Key]) -> tuple[str, ...]:
    """Return the columns of the rollups that hold these columns of a raw table, as far as rollups
    have them, and what the keys read.
    """
    named = [*columns, *(name for key in keys for name in key.columns)]
    found = ["bucket", *(NAMES[table][name] for name in named if name in NAMES[table])]
    found += [key.name for key in keys if isinstance(key, AttributeKey)]
    if table == USAGE and "resource_id" in named:
        found.append("resource")
    return tuple(dict.fromkeys(found))


def concatenated(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch | None:
    """Return many small batches as one, labels encoded once; None when there are no rows."""
    found: Any = [batch for batch in batches if batch.num_rows]
    if len(found) < 2:
        return found[0] if found else None
    table = pa.Table.from_batches(found).unify_dictionaries().combine_chunks()
    return table.to_batches()[0]
