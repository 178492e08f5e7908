"""Frames become rows: one decode, then one Arrow table for each of the raw tables."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.money import NANO_PER_USD
from contextframe_monitoring.core.records import (
    AlertRecord,
    CostRecord,
    EventRecord,
    MetricRecord,
    OperationRecord,
    Origin,
    Record,
    UsageRecord,
)
from contextframe_monitoring.store.schemas import (
    ALERT_EVENTS,
    COST,
    PERFORMANCE,
    SCHEMAS,
    USAGE,
)

_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
TIME_US_MAX = 253_402_300_799_999_999
"""The last microsecond of the year 9999: beyond it no calendar helps."""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A record with the identity that makes completeness provable."""

    writer: str
    seq: int
    record: Record


def decode(data: bytes | memoryview) -> Record:
    """Return the record of a frame. Raises `msgspec.MsgspecError` when it is none that we know."""
    return _decoder.decode(data)


_Getter = Callable[[Any], Any]


def _same(*names: str) -> dict[str, _Getter]:
    return {name: operator.attrgetter(name) for name in (*names, "correlation_id", "attributes")}


_ORIGIN = frozenset(
    {
        "server", "session_id", "user_id", "environment", "agent_source", "agent_id", "transport",
        "protocol_version",
    }
)  # fmt: skip

_COLUMNS: dict[type, tuple[str, dict[str, _Getter]]] = {
    OperationRecord: (
        PERFORMANCE,
        {
            **_same(
                "operation_id", "operation_type", "duration_ms", "status", "error", "result_size",
                "target", "direction", "kind", "error_type", "status_code", "request_size",
                "request_tokens", "result_tokens", "tokens_estimated",
            ),
            "weight": lambda _: 1,
        },
    ),
    UsageRecord: (
        USAGE,
        _same(
            "metric_type", "resource_id", "operation", "value", "metadata", "category", "outcome",
            "duration_ms", "operation_id",
        ),
    ),
    EventRecord: (
        USAGE,
        {
            **_same("category", "outcome", "duration_ms", "operation_id"),
            "metric_type": lambda _: "event",
            "operation": lambda r: r.name,
            "value": lambda _: 1.0,
            "number_names": lambda r: list(r.numbers),
            "number_values": lambda r: [v if isfinite(v) else None for v in r.numbers.values()],
        },
    ),
    MetricRecord: (
        USAGE,
        {
            **_same("value", "kind", "unit", "operation_id"),
            "metric_type": lambda _: "custom",
            "resource_id": lambda r: r.name,
            "operation": lambda r: r.name,
        },
    ),
    CostRecord: (
        COST,
        {
            **_same(
                "operation_id", "cost_type", "provider", "units", "metadata", "model", "operation",
                "amount_nano_usd", "reported_nano_usd", "input_tokens", "cache_read_tokens",
                "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens",
                "reasoning_tokens", "provenance", "price_id", "source", "fact_id",
            ),
            "amount_usd": lambda r: (
                None if r.amount_nano_usd is None else r.amount_nano_usd / NANO_PER_USD
            ),
        },
    ),
    AlertRecord: (
        ALERT_EVENTS,
        {
            **_same(
                "alert_id", "revision", "action", "rule", "signal", "severity", "state", "message",
                "groups", "unit", "threshold", "actual", "actor", "note", "incident_id",
            ),
            **{
                f"{name}_at": operator.attrgetter(f"{name}_us")
                for name in ("created", "fired", "acknowledged", "resolved")
            },
        },
    ),
}  # fmt: skip


def rows(stored: Iterable[Stored], batch: int | None) -> dict[str, pa.Table]:
    """Return an Arrow table for each raw table that gets rows, with `batch` on every row.

    `batch` None marks rows that no drain has stored yet.
    """
    by_type: dict[type, list[Stored]] = {}
    for item in stored:
        by_type.setdefault(type(item.record), []).append(item)
    found: dict[str, list[pa.Table]] = {}
    for kind, items in by_type.items():
        table, getters = _COLUMNS[kind]
        found.setdefault(table, []).append(_table(SCHEMAS[table], items, getters, batch))
    return {
        name: pa.concat_tables(parts).unify_dictionaries().combine_chunks()
        if len(parts) > 1
        else parts[0]
        for name, parts in found.items()
    }


def _table(
    schema: pa.Schema, items: Sequence[Stored], getters: dict[str, _Getter], batch: int | None
) -> pa.Table:
    records = [item.record for item in items]
    known: dict[Origin, int] = {}
    origin_of = pa.array(
        [known.setdefault(record.origin, len(known)) for record in records], pa.int32()
    )
    common: dict[str, Callable[[pa.DataType], pa.Array]] = {
        "timestamp": lambda kind: _array([_moment(r.time_us) for r in records], kind),
        "writer": lambda kind: _array([item.writer for item in items], kind),
        "seq": lambda kind: _array([item.seq for item in items], kind),
        "batch": lambda kind: pa.repeat(pa.scalar(batch, kind), len(items)),
    }
    arrays = []
    for field in schema:
        if field.name in common:
            array = common[field.name](field.type)
        elif field.name in _ORIGIN:
            values = [getattr(origin, field.name) for origin in known]
            array = _array(values, field.type).take(origin_of)
        elif field.name in getters:
            array = _array(list(map(getters[field.name], records)), field.type)
        else:
            array = pa.nulls(len(items), field.type)
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=schema)


def _moment(time_us: int) -> int:
    return 0 if time_us < 0 else min(time_us, TIME_US_MAX)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Return a column. A number that its type can't hold, or that is none, is unknown: it must
    not keep all other rows from being stored.
    """
    try:
        array = pa.array(values, kind)
    except (pa.ArrowInvalid, OverflowError):
        if not pa.types.is_integer(kind):
            raise
        bound = 1 << (kind.bit_width - 1)
        return pa.array([v if v is None or -bound <= v < bound else None for v in values], kind)
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(array), array, None)
    return array
