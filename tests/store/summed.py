"""What rollup rows add up to, row by row in plain Python: the oracle of folding and merging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from contextframe_monitoring.core.histogram import RECORD
from contextframe_monitoring.store.levels import LEVELS, Level
from contextframe_monitoring.store.rollup import rollup_rows
from contextframe_monitoring.store.schemas import (
    METRIC_TABLES,
    ROLLUP_KEYS,
    ROLLUP_SCHEMA,
    ROLLUP_SUMS,
    SCHEMAS,
)
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store

Sums = dict[tuple[Any, ...], dict[str, Any]]
SUBJECTS = ("performance", "usage", "cost")


def summed(batches: Iterable[pa.RecordBatch], bucket_us: int) -> Sums:
    """Return the measures of each bucket and group. Floating sums are rounded to nine digits."""
    found: Sums = {}
    for row in pa.Table.from_batches(batches, ROLLUP_SCHEMA).to_pylist():
        at_us = round(row["bucket"].timestamp() * 1e6) // bucket_us * bucket_us
        key = (at_us, row["subject"], *(row[name] for name in ROLLUP_KEYS))
        empty = {"histogram": Counter(), "sum": 0.0}
        _add(found.setdefault(key, empty), row)
    for sums in found.values():
        sums["sum"] = float(f"{sums['sum']:.9g}")
    return found


def _add(sums: dict[str, Any], row: dict[str, Any]) -> None:
    for name in (*ROLLUP_SUMS, "zeros"):
        if row[name] is not None:
            sums[name] = sums.get(name, 0) + row[name]
    sums["sum"] += row["sum"] or 0.0
    for name, better in (("min", min), ("max", max)):
        if row[name] is not None:
            sums[name] = better(sums.get(name, row[name]), row[name])
    cells = np.frombuffer(row["histogram"] or b"", RECORD)
    for bucket, count in cells.tolist():
        sums["histogram"][bucket] += count


def of_level(snapshot: Snapshot, level: Level) -> list[pa.RecordBatch]:
    """Return what a reader gets of a level, all subjects, over all time."""
    return [
        batch
        for subject in SUBJECTS
        for batch in snapshot.rollups(level, subject, ROLLUP_SCHEMA.names, None, None)
    ]


def of_raw(store: Store) -> list[pa.RecordBatch]:
    """Return the rollup rows of everything that stands in the raw tables."""
    raw = {
        name: pa.Table.from_batches(store.tables.scan(name, SCHEMAS[name].names), SCHEMAS[name])
        for name in METRIC_TABLES
    }
    return list(rollup_rows(raw, 0).to_batches())


def assert_levels_are_raw(store: Store) -> None:
    """Every level says what the raw rows say, and a reader sees it so."""
    snapshot, raw = Snapshot(store), of_raw(store)
    for level in LEVELS:
        expected = summed(raw, level.bucket_us)
        assert summed(of_level(snapshot, level), level.bucket_us) == expected, level.name
