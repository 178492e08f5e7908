"""Records become rows: every kind, every column, and nothing that a hostile number can stop."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.records import (
    CostRecord,
    EventRecord,
    MetricRecord,
    OperationRecord,
    Origin,
    Record,
    UsageRecord,
)
from contextframe_monitoring.store.rows import TIME_US_MAX, Stored, decode, rows
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, SCHEMAS, USAGE
from tests.store.filled import some_records

LAW = settings(derandomize=True, deadline=None, max_examples=100)
AT_US = 1_795_000_000_000_000
AT = dt.datetime.fromtimestamp(AT_US / 1e6, dt.UTC)
ORIGIN = Origin(
    server="time",
    agent_id="agent-7",
    agent_source="meta",
    session_id="s-1",
    user_id="u-1",
    environment="test",
    transport="stdio",
    protocol_version="2026-07-28",
)
WHO: dict[str, Any] = {
    "writer": "w",
    "batch": 9,
    "server": "time",
    "agent_id": "agent-7",
    "agent_source": "meta",
    "session_id": "s-1",
    "user_id": "u-1",
    "environment": "test",
}
USAGE_RECORD = UsageRecord(
    time_us=AT_US, metric_type="document_access", resource_id="doc", operation="read", value=1.0,
    origin=ORIGIN, metadata="{}", category="papers", outcome="found", duration_ms=2.5,
    operation_id="op", correlation_id="trace", attributes=("a=1", "b=2"),
)  # fmt: skip
GOLDEN: list[tuple[Record, str, dict[str, Any]]] = [
    (
        OperationRecord(
            time_us=AT_US, operation_type="tools/call", status="error", duration_ms=12.5,
            origin=ORIGIN, target="now", operation_id="op", direction="out", kind="notification",
            error_type="ValueError", error="text", status_code=-32603, request_size=10,
            result_size=20, request_tokens=3, result_tokens=5, tokens_estimated=True,
            correlation_id="trace", attributes=("a=1",),
        ),
        PERFORMANCE,
        {
            **WHO, "timestamp": AT, "operation_id": "op", "operation_type": "tools/call",
            "duration_ms": 12.5, "status": "error", "error": "text", "result_size": 20,
            "target": "now", "direction": "out", "kind": "notification", "transport": "stdio",
            "protocol_version": "2026-07-28", "error_type": "ValueError", "status_code": -32603,
            "request_size": 10, "request_tokens": 3, "result_tokens": 5, "tokens_estimated": True,
            "weight": 1, "correlation_id": "trace", "attributes": ["a=1"],
        },
    ),
    (
        OperationRecord(time_us=0, operation_type="ping", status="success", duration_ms=None),
        PERFORMANCE,
        {
            "timestamp": dt.datetime(1970, 1, 1, tzinfo=dt.UTC), "operation_type": "ping",
            "status": "success", "direction": "in", "kind": "request", "tokens_estimated": False,
            "weight": 1, "writer": "w", "batch": 9, "attributes": [],
        },
    ),
    (
        USAGE_RECORD,
        USAGE,
        {
            **WHO, "timestamp": AT, "metric_type": "document_access", "resource_id": "doc",
            "operation": "read", "value": 1.0, "metadata": "{}", "category": "papers",
            "outcome": "found", "duration_ms": 2.5, "operation_id": "op",
            "correlation_id": "trace", "attributes": ["a=1", "b=2"],
        },
    ),
    (
        EventRecord(
            time_us=AT_US, name="routed", category="tier", outcome="pro", duration_ms=1.5,
            numbers={"score": 0.5, "tokens": 12.0}, origin=ORIGIN, operation_id="op",
            correlation_id="trace",
        ),
        USAGE,
        {
            **WHO, "timestamp": AT, "metric_type": "event", "operation": "routed", "value": 1.0,
            "category": "tier", "outcome": "pro", "duration_ms": 1.5,
            "number_names": ["score", "tokens"], "number_values": [0.5, 12.0],
            "operation_id": "op", "correlation_id": "trace", "attributes": [],
        },
    ),
    (
        MetricRecord(
            time_us=AT_US, name="queue", value=-3.5, kind="counter", unit="jobs", origin=ORIGIN,
            operation_id="op",
        ),
        USAGE,
        {
            **WHO, "timestamp": AT, "metric_type": "custom", "resource_id": "queue",
            "operation": "queue", "value": -3.5, "kind": "counter", "unit": "jobs",
            "operation_id": "op", "attributes": [],
        },
    ),
    (
        CostRecord(
            time_us=AT_US, cost_type="llm", provider="anthropic", amount_nano_usd=1_500_000_001,
            provenance="computed", model="m", operation="completion", operation_id="op", units=30,
            input_tokens=1, cache_read_tokens=2, cache_write_5m_tokens=3,
            cache_write_1h_tokens=4, output_tokens=5, reasoning_tokens=6, reported_nano_usd=7,
            price_id="p", source="api", fact_id="f", origin=ORIGIN, metadata="{}",
        ),
        COST,
        {
            **WHO, "timestamp": AT, "operation_id": "op", "cost_type": "llm",
            "provider": "anthropic", "amount_usd": 1.500000001, "units": 30, "metadata": "{}",
            "model": "m", "operation": "completion", "amount_nano_usd": 1_500_000_001,
            "reported_nano_usd": 7, "input_tokens": 1, "cache_read_tokens": 2,
            "cache_write_5m_tokens": 3, "cache_write_1h_tokens": 4, "output_tokens": 5,
            "reasoning_tokens": 6, "provenance": "computed", "price_id": "p", "source": "api",
            "fact_id": "f", "attributes": [],
        },
    ),
    (
        CostRecord(time_us=AT_US, cost_type="storage", provider=None, amount_nano_usd=None,
                   provenance=None),
        COST,
        {"timestamp": AT, "cost_type": "storage", "writer": "w", "batch": 9, "attributes": []},
    ),
]  # fmt: skip


def known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


@pytest.mark.requirement("spine:record:kinds")
@pytest.mark.parametrize(("record", "table", "expected"), GOLDEN)
def test_every_field_stands_in_its_column(
    record: Record, table: str, expected: dict[str, Any]
) -> None:
    encoded = msgspec.msgpack.encode(record)
    found = rows([Stored("w", 4, decode(encoded))], 9)
    assert list(found) == [table]
    assert found[table].schema.equals(SCHEMAS[table], check_metadata=True)
    assert [known(row) for row in found[table].to_pylist()] == [{**expected, "seq": 4}]


def test_kinds_share_a_table_and_rows_that_nobody_drained_have_no_batch() -> None:
    records = list(some_records(40))
    stored = [Stored(f"w{seq % 2}", seq, record) for seq, record in enumerate(records, 1)]
    found = rows(stored, None)
    assert {name: table.num_rows for name, table in found.items()} == {
        USAGE: 24, COST: 8, PERFORMANCE: 8,
    }  # fmt: skip
    for name, table in found.items():
        assert table.schema.equals(SCHEMAS[name])
        assert table["batch"].null_count == table.num_rows
        for row in table.to_pylist():
            assert row["writer"] == f"w{row['seq'] % 2}"
            assert row["timestamp"].timestamp() * 1e6 == records[row["seq"] - 1].time_us


def test_no_record_is_no_table() -> None:
    assert rows([], 1) == {}


@pytest.mark.parametrize(
    ("time_us", "stored_us"),
    [(-1, 0), (-(2**63), 0), (TIME_US_MAX, TIME_US_MAX), (2**64 - 1, TIME_US_MAX)],
)
def test_a_time_that_no_calendar_has_is_moved_to_its_edge(time_us: int, stored_us: int) -> None:
    record = MetricRecord(time_us=time_us, name="x", value=1.0)
    (row,) = rows([Stored("w", 1, record)], 1).values()
    assert row["timestamp"].cast(pa.int64()).to_pylist() == [stored_us]


def test_an_integer_that_its_column_cannot_hold_is_unknown() -> None:
    huge = 2**64 - 1
    bad = OperationRecord(
        time_us=AT_US, operation_type="x", status="success", duration_ms=1.0, status_code=2**31,
        request_size=huge, result_size=2**63 - 1,
    )  # fmt: skip
    good = msgspec.structs.replace(bad, status_code=-(2**31), request_size=7)
    found = rows([Stored("w", 1, bad), Stored("w", 2, good)], 1)[PERFORMANCE]
    assert found["status_code"].to_pylist() == [None, -(2**31)]
    assert found["request_size"].to_pylist() == [None, 7]
    assert found["result_size"].to_pylist() == [2**63 - 1] * 2


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_unknown(value: float) -> None:
    metric = MetricRecord(time_us=AT_US, name="x", value=value)
    event = EventRecord(time_us=AT_US, name="x", duration_ms=value, numbers={"n": value, "m": 1.0})
    found = rows([Stored("w", 1, metric), Stored("w", 2, event)], 1)[USAGE]
    assert found["value"].to_pylist() == [None, 1.0]
    assert found["duration_ms"].to_pylist() == [None, None]
    assert found["number_values"].to_pylist() == [None, [None, 1.0]]


TEXTS = st.text(max_size=20) | st.none()
NUMBERS = st.floats() | st.none()
INTEGERS = st.integers(-(2**63), 2**64 - 1) | st.none()
ORIGINS = st.builds(Origin, server=TEXTS, agent_id=TEXTS, session_id=TEXTS, user_id=TEXTS)
TIMES = st.integers(-(2**63), 2**64 - 1)
RECORDS = st.one_of(
    st.builds(
        OperationRecord, time_us=TIMES, operation_type=st.text(), duration_ms=NUMBERS,
        status=st.sampled_from(["success", "error", "timeout"]), origin=ORIGINS, target=TEXTS,
        status_code=INTEGERS, request_size=INTEGERS, result_tokens=INTEGERS,
        attributes=st.lists(st.text(max_size=9), max_size=4).map(tuple),
    ),
    st.builds(
        UsageRecord, time_us=TIMES, metric_type=st.text(), resource_id=TEXTS, operation=st.text(),
        value=NUMBERS, origin=ORIGINS,
    ),
    st.builds(
        EventRecord, time_us=TIMES, name=st.text(), category=TEXTS, origin=ORIGINS,
        numbers=st.dictionaries(st.text(max_size=5), st.floats(), max_size=4),
    ),
    st.builds(MetricRecord, time_us=TIMES, name=st.text(), value=st.floats(), origin=ORIGINS),
    st.builds(
        CostRecord, time_us=TIMES, cost_type=st.text(), provider=TEXTS, amount_nano_usd=INTEGERS,
        provenance=st.sampled_from(["computed", "billed", None]), input_tokens=INTEGERS,
        origin=ORIGINS,
    ),
)  # fmt: skip


@pytest.mark.requirement("spine:input:attributes")
@LAW
@given(st.lists(RECORDS, max_size=12))
def test_whatever_could_be_recorded_becomes_one_row_each(records: list[Record]) -> None:
    stored = []
    for seq, record in enumerate(records, 1):
        try:
            encoded = msgspec.msgpack.encode(record)
        except (UnicodeEncodeError, OverflowError):
            continue  # a counted loss of the recorder
        stored.append(Stored("w", seq, decode(encoded)))
    found = rows(stored, 1)
    seqs = sorted(seq for table in found.values() for seq in table["seq"].to_pylist())
    assert seqs == [item.seq for item in stored]
    for name, table in found.items():
        table.validate(full=True)
        assert table.schema.equals(SCHEMAS[name])
