"""What one export covers, as the exporter of a target may ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from contextframe_monitoring.export.metrics.instruments import Family
from contextframe_monitoring.export.metrics.totals import Totals, added_up
from contextframe_monitoring.export.source import ROWS_PER_SLICE_MAX, plain, table_of
from contextframe_monitoring.store.schemas import RAW_TABLES, SCHEMAS, published
from contextframe_monitoring.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Step:
    """The batches after `after` and up to `upto` of one store, drained between two moments.

    `deltas` and `rows` are the same each time that the same step is asked. Nothing is read before
    it is asked for; everything raises `StoreError` when the store can't be read.
    """

    target: str
    after: int
    upto: int
    end_us: int
    known_start_us: int | None
    """The end of the step before; None for the first one."""
    store: Store = field(repr=False)
    everything: Totals = field(repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was drained since the step before."""
        return self.upto <= self.after

    @cached_property
    def start_us(self) -> int:
        """When the step begins: where the last one ended, else with the oldest row."""
        if self.known_start_us is not None:
            return min(self.known_start_us, self.end_us)
        oldest = [self.store.tables.oldest_us(name) for name in RAW_TABLES]
        return min([moment for moment in oldest if moment is not None] + [self.end_us])

    def deltas(self) -> list[Family]:
        """Return what the records of this step add up to."""
        if self.is_empty:
            return []
        return added_up(self.store, self.everything.limits, self.after, self.upto)

    def totals(self) -> tuple[int, list[Family]]:
        """Return since when (microseconds) everything is counted, and what it adds up to now."""
        families = self.everything.of_records(self.end_us)
        return self.everything.since_us or self.end_us, families

    def monitor(self) -> list[Family]:
        """Return how the monitor itself does now; its counters are totals."""
        return self.everything.of_monitor(self.end_us)

    def rows(self, subject: str, columns: Sequence[str] | None = None) -> StepRows:
        """Return the raw rows of this step. Raises `InvalidError` for an unknown subject."""
        table = table_of(subject)
        return StepRows(step=self, table=table, names=tuple(columns or SCHEMAS[table].names))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRows:
    """The rows of one table: a source that every format takes."""

    step: Step
    table: str
    names: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """The columns, labels as plain strings."""
        whole = SCHEMAS[self.table]
        return plain(pa.schema([whole.field(name) for name in self.names], whole.metadata))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in the order in which they were stored, a slice at a time."""
        step = self.step
        if step.is_empty:
            return
        found = step.store.tables.scan(
            self.table, self.names, batch_after=step.after, batch_max=step.upto, in_order=True
        )
        for batch in found:
            for start in range(0, batch.num_rows, ROWS_PER_SLICE_MAX):
                yield batch.slice(start, ROWS_PER_SLICE_MAX)

    def description(self) -> dict[str, Any]:
        """Return the table's published schema."""
        return published(self.table)
