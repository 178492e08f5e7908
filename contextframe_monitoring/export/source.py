"""What is exported: rows of a table and a window, or the rows of a report, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.store.schemas import SCHEMAS, published
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from contextframe_monitoring.store.tables import time_column

ROWS_PER_SLICE_MAX = 8192
"""Rows that are turned into text at once: a bound on memory, whatever stands in them."""

Progress = Callable[[int, int], None]
"""Told (rows written, rows in all) after every slice; what it raises ends the export."""


class Source(Protocol):
    """Rows with the names and types of their columns, and a description of both."""

    @property
    def schema(self) -> pa.Schema:
        """The columns as `batches` yields them: labels are plain strings."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, at most `ROWS_PER_SLICE_MAX` at once."""
        ...

    def description(self) -> dict[str, Any]:
        """Return what the schema file says of the columns."""
        ...


def subjects() -> tuple[str, ...]:
    """Return the names of what can be exported as rows."""
    return tuple(_TABLES)


def table_of(subject: str) -> str:
    """Return the table of a subject. Raises `InvalidError` for an unknown one."""
    try:
        return _TABLES[subject]
    except (KeyError, TypeError):
        raise InvalidError("subject", subject, f"expected one of {', '.join(subjects())}") from None


def _subject(table: str) -> str:
    return {"alert_events": "alerts"}.get(table, table.removesuffix("_metrics"))


_TABLES = {_subject(table): table for table in SCHEMAS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The stored rows of one subject with start <= time < end, drained or not.

    Times are microseconds since the epoch, None leaves a side open. Rows come in the order in
    which they were stored; rows of rollups are deltas: those of one bucket add up. Records of our
    own server are rows like all others.
    """

    store: Store
    subject: str
    start_us: int | None = None
    end_us: int | None = None
    limits: Limits = field(default_factory=Limits)
    namespace: str = "ContextFrame/MCP"
    progress: Progress | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse a window that ends before it starts."""
        if self.start_us is not None and self.end_us is not None and self.end_us < self.start_us:
            raise InvalidError(
                "end_us", self.end_us, f"expected {self.start_us} (start_us) or later"
            )

    @property
    def table(self) -> str:
        """The table that holds the rows. Raises `InvalidError` for an unknown subject."""
        return table_of(self.subject)

    @property
    def schema(self) -> pa.Schema:
        """The table's columns, labels as plain strings."""
        return plain(SCHEMAS[self.table])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows. Raises `StoreError` when the store can't be read."""
        snapshot = Snapshot(self.store)
        total = self._count(snapshot) if self.progress is not None else 0
        done = 0
        for batch in self._read(snapshot, SCHEMAS[self.table].names, in_order=True):
            for start in range(0, batch.num_rows, ROWS_PER_SLICE_MAX):
                part = batch.slice(start, ROWS_PER_SLICE_MAX)
                yield part
                done += part.num_rows
                if self.progress is not None:
                    self.progress(done, max(total, done))

    def description(self) -> dict[str, Any]:
        """Return the table's published schema."""
        return published(self.table)

    def _count(self, snapshot: Snapshot) -> int:
        column = [time_column(self.table)]
        return sum(batch.num_rows for batch in self._read(snapshot, column, in_order=False))

    def _read(
        self, snapshot: Snapshot, columns: list[str], *, in_order: bool
    ) -> Iterator[pa.RecordBatch]:
        window = (self.start_us, self.end_us)
        yield from snapshot.drained_rows(self.table, columns, *window, in_order=in_order)
        yield from snapshot.fresh_rows(self.table, columns, *window)


def plain(schema: pa.Schema) -> pa.Schema:
    """Return the schema with labels as plain strings."""
    return pa.schema([f.with_type(_plain_type(f.type)) for f in schema], schema.metadata)


def decoded(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the rows as `schema`, dictionaries decoded."""
    return pa.RecordBatch.from_arrays(
        [
            column.cast(field.type) if column.type != field.type else column
            for column, field in zip(batch.columns, schema, strict=True)
        ],
        schema=schema,
    )


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
