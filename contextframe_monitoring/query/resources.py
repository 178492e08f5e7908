"""What the processes of a store use of the machine: the newest sample of each."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.clock import US_PER_SECOND
from contextframe_monitoring.core.resource_names import GAUGES
from contextframe_monitoring.core.status import ResourceUse
from contextframe_monitoring.core.windows import iso
from contextframe_monitoring.query.source import RowSource
from contextframe_monitoring.store.schemas import USAGE

RECENT_US = 15 * 60 * US_PER_SECOND
"""A process that has not sampled for so long is not listed."""
PROCESSES_MAX = 20
_COLUMNS = ("timestamp", "metric_type", "resource_id", "kind", "value", "server", "writer")


def resource_uses(source: RowSource, now_us: int) -> tuple[ResourceUse, ...]:
    """Return the newest gauges of each process that sampled lately, the latest first."""
    newest: dict[tuple[str | None, str], dict[str, tuple[int, float]]] = {}
    for batch in source.batches(USAGE, _COLUMNS, now_us - RECENT_US, None):
        for at_us, name, value, server, writer in _samples(batch):
            found = newest.setdefault((server, writer), {})
            if name not in found or found[name][0] <= at_us:
                found[name] = (at_us, value)
    uses = [_use(server, writer, figures) for (server, writer), figures in newest.items()]
    uses.sort(key=lambda use: (use.at, use.writer), reverse=True)
    return tuple(uses[:PROCESSES_MAX])


def _use(server: str | None, writer: str, figures: dict[str, tuple[int, float]]) -> ResourceUse:
    """Return one process's newest sample: the figures that were taken together last."""
    newest_us = max(at_us for at_us, _ in figures.values())
    return ResourceUse(
        server=server,
        writer=writer,
        at=iso(newest_us, "UTC"),
        figures={
            name: figures[name][1]
            for name in GAUGES
            if name in figures and figures[name][0] == newest_us
        },
    )


def _samples(batch: pa.RecordBatch) -> Iterator[tuple[int, str, float, str | None, str]]:
    """Yield time, name, value, server and writer of the rows that are such samples."""
    columns = {name: batch.column(batch.schema.get_field_index(name)) for name in _COLUMNS}
    ours = pc.is_in(columns["resource_id"].cast(pa.string()), pa.array(GAUGES))
    for name, wanted in (("metric_type", "custom"), ("kind", "gauge")):
        ours = pc.and_(ours, pc.equal(columns[name].cast(pa.string()), wanted))
    chosen = pc.fill_null(ours, fill_value=False)
    kept = {name: column.filter(chosen) for name, column in columns.items()}
    times = kept["timestamp"].cast(pa.int64()).to_pylist()
    yield from zip(
        times,
        *(kept[name].to_pylist() for name in ("resource_id", "value", "server", "writer")),
        strict=True,
    )
