"""Stores whose rows are known to the last bit: drained rows with a writer of our choice."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from contextframe_monitoring.core.records import (
    CostRecord,
    EventRecord,
    MetricRecord,
    OperationRecord,
    Origin,
    Record,
    UsageRecord,
)
from contextframe_monitoring.store.ledger import Slice
from contextframe_monitoring.store.rows import Stored, rows
from contextframe_monitoring.store.store import Store

WRITER = "00112233445566778899"
NOW_US = 1_795_000_000_000_000
GIT = Origin(
    server="git", agent_id="claude", session_id="s1", agent_source="client", transport="stdio"
)


class Filled:
    """A store, and what puts rows into it as a drain does."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(str(folder / "store"))
        self._seq = 0

    def drain(self, *records: Record) -> Filled:
        """Store records as one batch."""
        stored = []
        for record in records:
            self._seq += 1
            stored.append(Stored(WRITER, self._seq, record))
        return self.append(rows(stored, None), len(stored))

    def append(self, tables: dict[str, pa.Table], frames: int) -> Filled:
        """Store tables as one batch."""
        self.store.create()
        ledger = self.store.ledger
        assert ledger is not None
        part = Slice(writer=WRITER, first_seq=self._seq - frames + 1, last_seq=self._seq,
                     frames=frames)  # fmt: skip
        batch = ledger.open_batch([part], NOW_US)
        for name, table in tables.items():
            at = table.schema.get_field_index("batch")
            numbers = pa.array([batch] * table.num_rows, pa.int64())
            self.store.tables.append(name, table.set_column(at, table.schema.field(at), numbers))
        ledger.close_batch(batch, [part], NOW_US)
        return self


def operation(**changes: object) -> OperationRecord:
    values: dict[str, object] = {
        "time_us": NOW_US,
        "operation_type": "tools/call",
        "target": "git_log",
        "status": "success",
        "duration_ms": 12.5,
        "origin": GIT,
        "operation_id": "op-1",
        "request_size": 120,
        "result_size": 4096,
    }
    return OperationRecord(**{**values, **changes})  # type: ignore[arg-type]


def cost(**changes: object) -> CostRecord:
    values: dict[str, object] = {
        "time_us": NOW_US,
        "cost_type": "llm",
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "operation": "chat",
        "amount_nano_usd": 60_000_000,
        "provenance": "computed",
        "input_tokens": 10_000,
        "cache_read_tokens": 500,
        "output_tokens": 2_000,
        "origin": GIT,
    }
    return CostRecord(**{**values, **changes})  # type: ignore[arg-type]


def event(**changes: object) -> EventRecord:
    values: dict[str, object] = {
        "time_us": NOW_US,
        "name": "summary",
        "category": "template",
        "outcome": "ok",
        "duration_ms": 3.0,
        "numbers": {"quality": 0.75},
        "attributes": ("region=eu", "tier=2"),
        "origin": GIT,
    }
    return EventRecord(**{**values, **changes})  # type: ignore[arg-type]


def metric(**changes: object) -> MetricRecord:
    values: dict[str, object] = {
        "time_us": NOW_US,
        "name": "queue.depth",
        "value": 7.0,
        "origin": GIT,
    }
    return MetricRecord(**{**values, **changes})  # type: ignore[arg-type]


def use(**changes: object) -> UsageRecord:
    values: dict[str, object] = {
        "time_us": NOW_US,
        "metric_type": "document_access",
        "resource_id": "file:///docs/a.md",
        "operation": "read",
        "value": 1.0,
        "category": "docs",
        "origin": GIT,
    }
    return UsageRecord(**{**values, **changes})  # type: ignore[arg-type]
