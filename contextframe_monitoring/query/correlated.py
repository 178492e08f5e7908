"""The stored rows of one correlation id: what a request did, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.windows import iso
from contextframe_monitoring.query.source import RowSource
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, USAGE

ROWS_MAX = 1_000
_ID = "correlation_id"
_COLUMNS = {
    PERFORMANCE: (
        "timestamp", "server", "operation_type", "target", "direction", "status", "error_type",
        "status_code", "duration_ms", "agent_id", "session_id",
    ),
    USAGE: (
        "timestamp", "server", "metric_type", "operation", "resource_id", "category", "outcome",
        "value", "duration_ms", "agent_id", "session_id",
    ),
    COST: (
        "timestamp", "server", "cost_type", "provider", "model", "operation", "input_tokens",
        "output_tokens", "amount_nano_usd", "agent_id", "session_id",
    ),
}  # fmt: skip


def correlated_rows(
    source: RowSource, correlation_id: str, start_us: int, end_us: int, timezone: str
) -> list[dict[str, Any]]:
    """Return the rows of an id, at most `ROWS_MAX`, the earliest first: `table`, `time`, and what
    is known of the others.
    """
    found: list[tuple[int, dict[str, Any]]] = []
    for table, columns in _COLUMNS.items():
        for batch in source.batches(table, (*columns, _ID), start_us, end_us):
            found += _rows(table, columns, batch, correlation_id)
    found.sort(key=lambda row: row[0])
    return [
        {"table": row.pop("table"), "time": iso(at_us, timezone), **row}
        for at_us, row in found[:ROWS_MAX]
    ]


def _rows(
    table: str, columns: tuple[str, ...], batch: pa.RecordBatch, correlation_id: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    ids = batch.column(batch.schema.get_field_index(_ID))
    chosen = pc.fill_null(pc.equal(ids, correlation_id), fill_value=False)
    if not pc.any(chosen).as_py():
        return
    kept = batch.filter(chosen)
    times = kept.column(kept.schema.get_field_index("timestamp")).cast(pa.int64()).to_pylist()
    values = kept.select(list(columns[1:])).to_pylist()
    for at_us, row in zip(times, values, strict=True):
        yield at_us, {"table": table} | {k: v for k, v in row.items() if v is not None}
