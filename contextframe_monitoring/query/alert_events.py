"""The history of alerts: filtered entries, the newest first, each once.

An entry may stand twice when a keeper was killed between recording it and noting that it had:
alert and revision tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.records import AlertRecord
from contextframe_monitoring.core.windows import to_us
from contextframe_monitoring.query.source import RowSource
from contextframe_monitoring.store.schemas import ALERT_EVENTS, SCHEMAS

EventFilter = Mapping[str, frozenset[str]]
"""Column -> the labels that an entry may have in it."""

_TEXTS = ("alert_id", "action", "rule", "signal", "severity", "state", "message", "unit", "actor",
          "note", "incident_id")  # fmt: skip
_TIMES = {"created_at": "created_us", "fired_at": "fired_us", "resolved_at": "resolved_us",
          "acknowledged_at": "acknowledged_us"}  # fmt: skip
_COLUMNS = ("timestamp", "revision", *_TEXTS, "groups", "actual", "threshold", *_TIMES)


_READS_MAX = 4
"""So few rows are read one by one, more in one stretch of time."""


def events(
    source: RowSource,
    waiting: Iterable[AlertRecord],
    among: EventFilter,
    start_us: int,
    end_us: int,
    limit: int,
) -> tuple[list[AlertRecord], int]:
    """Return at most `limit` entries of a window, and how many there are; `waiting` are those
    that are on their way into the history.
    """
    keys = _read(source, ("timestamp", "revision", *among), among, start_us, end_us)
    revisions = keys["revision"].to_numpy()
    order = np.argsort(-revisions, kind="stable")
    order = order[np.append(True, np.diff(revisions[order]) != 0)] if len(order) else order
    fresh = [record for record in waiting if _is_wanted(record, among, start_us, end_us)]
    known = set(revisions.tolist()) if fresh else set()
    fresh = [record for record in fresh if record.revision not in known]
    rows = _rows(source, keys, order[:limit])
    found = sorted([*map(_record, rows), *fresh], key=lambda record: -record.revision)
    return found[:limit], len(order) + len(fresh)


def _rows(source: RowSource, keys: pa.Table, at: Any) -> list[dict[str, Any]]:
    """Return the whole rows at some places of `keys`: only their stretch of time is read again."""
    if not len(at):
        return []
    wanted = keys.take(pa.array(at))
    times = wanted["timestamp"].cast(pa.int64()).to_pylist()
    apart = len(times) <= _READS_MAX
    stretches = [(time, time) for time in set(times)] if apart else [(min(times), max(times))]
    revisions = wanted["revision"].combine_chunks()
    by_revision: dict[int, dict[str, Any]] = {}
    for first, last in stretches:
        every = _read(source, _COLUMNS, {}, first, last + 1)
        chosen = every.filter(pc.is_in(every["revision"], revisions))
        by_revision.update((row["revision"], row) for row in chosen.to_pylist())
    return list(by_revision.values())


def _read(
    source: RowSource, columns: tuple[str, ...], among: EventFilter, start_us: int, end_us: int
) -> pa.Table:
    parts = []
    for batch in source.batches(ALERT_EVENTS, columns, start_us, end_us):
        kept = batch
        for name, labels in among.items():
            kept = kept.filter(_has(kept.column(columns.index(name)), labels))
        parts.append(kept)
    schema = pa.schema([SCHEMAS[ALERT_EVENTS].field(name) for name in columns])
    return pa.Table.from_batches(parts) if parts else schema.empty_table()


def _has(column: pa.Array, labels: frozenset[str]) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        inside = pc.is_in(column.dictionary.cast(pa.string()), pa.array(sorted(labels)))
        return pc.fill_null(inside.take(column.indices), False)
    return pc.is_in(column, pa.array(sorted(labels)))


def _is_wanted(record: AlertRecord, among: EventFilter, start_us: int, end_us: int) -> bool:
    return start_us <= record.time_us < end_us and all(
        getattr(record, name) in labels for name, labels in among.items()
    )


def _record(row: dict[str, Any]) -> AlertRecord:
    fields: dict[str, Any] = {name: row[name] for name in _TEXTS}
    fields |= {name: _us(row[column]) for column, name in _TIMES.items()}
    fields["unit"] = fields["unit"] or ""
    return AlertRecord(
        time_us=_us(row["timestamp"]) or 0,
        revision=row["revision"],
        groups=tuple(row["groups"] or ()),
        actual=row["actual"],
        threshold=row["threshold"],
        **fields,
    )


def _us(moment: Any) -> int | None:
    return None if moment is None else to_us(moment)


class EventFact(NamedTuple):
    """What statistics need of an entry."""

    revision: int
    time_us: int
    alert_id: str
    action: str
    rule: str
    severity: str
    groups: tuple[str, ...]


def event_facts(
    source: RowSource, waiting: Iterable[AlertRecord], start_us: int, end_us: int
) -> list[EventFact]:
    """Return all entries of a window in the order in which they happened, each once."""
    columns = ("revision", "timestamp", "alert_id", "action", "rule", "severity", "groups")
    found: dict[int, EventFact] = {}
    for batch in source.batches(ALERT_EVENTS, columns, start_us, end_us):
        times = batch.column(1).cast(pa.int64()).to_pylist()
        words = zip(
            *(batch.column(at).cast(pa.string()).to_pylist() for at in range(2, 6)), strict=True
        )
        revisions, groups = batch.column(0).to_pylist(), batch.column(6).to_pylist()
        for revision, time_us, (alert_id, action, rule, severity), group in zip(
            revisions, times, words, groups, strict=True
        ):
            found[revision] = EventFact(
                revision, time_us, alert_id, action, rule, severity, tuple(group or ())
            )
    for record in waiting:
        if start_us <= record.time_us < end_us:
            found.setdefault(
                record.revision,
                EventFact(
                    record.revision, record.time_us, record.alert_id, record.action, record.rule,
                    record.severity, record.groups,
                ),
            )  # fmt: skip
    return [found[revision] for revision in sorted(found)]
