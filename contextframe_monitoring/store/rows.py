"""Frames become rows: one decode, then one Arrow table for each of the three raw tables."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from contextframe_monitoring.core.money import NANO_PER_USD
from contextframe_monitoring.core.records import (
    CostRecord,
    EventRecord,
    MetricRecord,
    OperationRecord,
    Record,
    UsageRecord,
)
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, SCHEMAS, USAGE

_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
TIME_US_MAX = 253_402_300_799_999_999
"""The last microsecond of the year 9999: beyond it no calendar helps."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record with the identity that makes completeness provable."""

    writer: str
    seq: int
    record: Record


def decode(data: bytes | memoryview) -> Record:
    """Return the record of a frame. Raises `msgspec.MsgspecError` when it is none that we know."""
    return _decoder.decode(data)


_Getter = Callable[[Any], Any]


def _same(*names: str) -> dict[str, _Getter]:
    return {name: operator.attrgetter(name) for name in names}


_ORIGIN = ("server", "session_id", "user_id", "environment", "agent_source", "agent_id")

_COLUMNS: dict[type, tuple[str, dict[str, _Getter]]] = {
    OperationRecord: (
        PERFORMANCE,
        {
            **_same(
                "operation_id", "operation_type", "duration_ms", "status", "error", "result_size",
                "target", "direction", "kind", "error_type", "status_code", "request_size",
                "request_tokens", "result_tokens", "tokens_estimated",
            ),
            "transport": lambda r: r.origin.transport,
            "protocol_version": lambda r: r.origin.protocol_version,
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
            "number_values": lambda r: list(r.numbers.values()),
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
    origins = [record.origin for record in records]
    common: dict[str, list[Any]] = {
        "timestamp": [min(max(r.time_us, 0), TIME_US_MAX) for r in records],
        "writer": [item.writer for item in items],
        "seq": [item.seq for item in items],
        "batch": [batch] * len(items),
        "correlation_id": [r.correlation_id for r in records],
        "attributes": [list(r.attributes) for r in records],
        **{name: [getattr(origin, name) for origin in origins] for name in _ORIGIN},
    }
    arrays = []
    for field in schema:
        if field.name in common:
            values = common[field.name]
        elif field.name in getters:
            get = getters[field.name]
            values = [get(record) for record in records]
        else:
            arrays.append(pa.nulls(len(items), field.type))
            continue
        arrays.append(_array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode().cast(kind)
    return pa.array(values, kind)
