"""The 1m deltas add up to the raw rows: counts, errors, sums, money, histograms."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.histogram import BUCKET_MAX, BUCKET_MIN, PER_DOUBLING
from contextframe_monitoring.core.records import (
    CostRecord,
    EventRecord,
    MetricRecord,
    OperationRecord,
    Origin,
    Record,
    UsageRecord,
)
from contextframe_monitoring.store.rollup import BUCKET_US, rollup_rows
from contextframe_monitoring.store.rows import Stored, rows
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, ROLLUP_SCHEMA, USAGE
from tests.clocks import NOW_US
from tests.store.filled import some_records

LAW = settings(derandomize=True, deadline=None, max_examples=60)
CELLS = np.dtype([("bucket", "<i2"), ("count", "<u4")])

FEW = st.sampled_from(["a", "b", None])
ORIGINS = st.builds(Origin, server=FEW, agent_id=FEW)
TIMES = st.integers(NOW_US, NOW_US + 3 * BUCKET_US)
DURATIONS = st.floats(0, 1e7) | st.none() | st.just(math.nan)
COUNTS = st.integers(0, 2**58) | st.none()
RECORDS = st.lists(
    st.one_of(
        st.builds(
            OperationRecord, time_us=TIMES, operation_type=st.sampled_from(["x", "y"]),
            status=st.sampled_from(["success", "error", "timeout"]), duration_ms=DURATIONS,
            origin=ORIGINS, target=FEW, request_size=COUNTS, result_size=COUNTS,
            request_tokens=COUNTS, result_tokens=COUNTS,
        ),
        st.builds(
            CostRecord, time_us=TIMES, cost_type=st.just("llm"), provider=FEW, model=FEW,
            amount_nano_usd=COUNTS, provenance=st.just("computed"), origin=ORIGINS,
            input_tokens=COUNTS, output_tokens=COUNTS, cache_read_tokens=COUNTS,
            attributes=st.sampled_from([(), ("feature=f",), ("user_tier=t", "feature=g")]),
        ),
        st.builds(
            UsageRecord, time_us=TIMES, metric_type=st.just("query"), resource_id=FEW,
            operation=st.sampled_from(["read", "sql"]), duration_ms=DURATIONS, origin=ORIGINS,
        ),
        st.builds(
            EventRecord, time_us=TIMES, name=st.just("e"), category=FEW, outcome=FEW,
            duration_ms=DURATIONS,
        ),
        st.builds(MetricRecord, time_us=TIMES, name=st.sampled_from(["q", "r"]),
                  value=st.floats(-5, 5), unit=FEW),
    ),
    min_size=1,
    max_size=25,
)  # fmt: skip

SUMS = {
    PERFORMANCE: ("performance", {
        "weight": "weight", "request_bytes": "request_size", "result_bytes": "result_size",
        "request_tokens": "request_tokens", "result_tokens": "result_tokens",
    }),
    COST: ("cost", {
        "nano_usd": "amount_nano_usd", "input_tokens": "input_tokens",
        "output_tokens": "output_tokens", "cache_read_tokens": "cache_read_tokens",
    }),
    USAGE: ("usage", {}),
}  # fmt: skip


def tables_of(records: list[Record]) -> dict[str, pa.Table]:
    return rows([Stored("w", seq, record) for seq, record in enumerate(records, 1)], 7)


def measured(table: str, row: dict[str, Any]) -> float | None:
    value = row["value"] if row.get("metric_type") == "custom" else row.get("duration_ms")
    return None if table == COST else value


def bucket_of(value: float) -> int:
    exact = math.ceil(math.log2(value) * PER_DOUBLING) - 1
    return min(max(exact, BUCKET_MIN), BUCKET_MAX)


def key_of(row: dict[str, Any], names: list[str]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in names)


@pytest.mark.requirement("003:coll:batch-upsert", "003:agg:count")
@LAW
@given(RECORDS)
def test_the_deltas_of_a_batch_add_up_to_its_rows(records: list[Record]) -> None:
    raw = tables_of(records)
    delta = rollup_rows(raw, 7)
    delta.validate(full=True)
    assert delta.schema.equals(ROLLUP_SCHEMA)
    found = delta.to_pylist()
    assert {row["batch"] for row in found} == {7}
    for name, table in raw.items():
        subject, sums = SUMS[name]
        mine = [row for row in found if row["subject"] == subject]
        listed = table.to_pylist()
        assert sum(row["count"] for row in mine) == len(listed)
        for measure, column in sums.items():
            assert sum(row[measure] for row in mine) == sum(row[column] or 0 for row in listed)
        values = [v for row in listed if (v := measured(name, row)) is not None]
        assert sum(row["duration_count"] for row in mine) == len(values)
        assert math.isclose(sum(row["sum"] for row in mine), sum(values), abs_tol=1e-6)
        assert min((r["min"] for r in mine if r["min"] is not None), default=None) == min(
            values, default=None
        )
        assert max((r["max"] for r in mine if r["max"] is not None), default=None) == max(
            values, default=None
        )
        assert histogram_of(mine) == Counter(bucket_of(v) for v in values if v > 0)
        assert sum(row["zeros"] for row in mine) == sum(v <= 0 for v in values)
    unknown = (
        [r for r in raw[COST].to_pylist() if r["amount_nano_usd"] is None] if COST in raw else []
    )
    assert sum(row["unknown_cost"] or 0 for row in found) == len(unknown)


def histogram_of(deltas: list[dict[str, Any]]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for row in deltas:
        cells = np.frombuffer(row["histogram"], CELLS)
        counts.update(dict(zip(cells["bucket"].tolist(), cells["count"].tolist(), strict=True)))
        assert len(set(cells["bucket"].tolist())) == len(cells)
    return counts


@pytest.mark.requirement("003:agg:table", "003:agg:type-key", "003:agg:time-bucket")
@LAW
@given(RECORDS)
def test_every_group_has_one_delta_with_exactly_its_rows(records: list[Record]) -> None:
    raw = tables_of(records)
    found = rollup_rows(raw, 7).to_pylist()
    names = {
        PERFORMANCE: ["server", "agent_id", "operation_type", "target", "status", "error_type",
                      "direction", "kind", "environment"],
        USAGE: ["server", "agent_id", "metric_type", "operation", "category", "outcome", "kind",
                "unit", "environment"],
        COST: ["server", "agent_id", "operation", "provider", "model", "cost_type", "provenance",
               "environment"],
    }  # fmt: skip
    for name, table in raw.items():
        subject = SUMS[name][0]
        expected: Counter[tuple[Any, ...]] = Counter()
        for row in table.to_pylist():
            at_us = round(row["timestamp"].timestamp() * 1e6) // BUCKET_US * BUCKET_US
            custom = row["resource_id"] if row.get("metric_type") == "custom" else None
            tags = dict(pair.split("=", 1) for pair in row["attributes"]) if name == COST else {}
            more = (custom, tags.get("feature"), tags.get("user_tier"))
            expected[at_us, *key_of(row, names[name]), *more] += 1
        mine = [row for row in found if row["subject"] == subject]
        keyed = [
            (
                round(row["bucket"].timestamp() * 1e6),
                *key_of(row, names[name]),
                *key_of(row, ["resource", "feature", "user_tier"]),
            )
            for row in mine
        ]
        assert len(keyed) == len(set(keyed))
        assert dict(zip(keyed, (row["count"] for row in mine), strict=True)) == expected


@pytest.mark.requirement("003:agg:value")
def test_money_beyond_what_a_double_counts_is_exact() -> None:
    odd = 2**53 + 1
    records = [
        CostRecord(time_us=NOW_US, cost_type="llm", provider="p", amount_nano_usd=odd + n,
                   provenance="computed")
        for n in range(100)
    ]  # fmt: skip
    (row,) = rollup_rows(tables_of(list(records)), 1).to_pylist()
    assert row["nano_usd"] == sum(odd + n for n in range(100)) == 100 * odd + 4950


def test_splitting_a_batch_changes_no_sum() -> None:
    records = list(some_records(400))
    whole = rollup_rows(tables_of(records), 1)
    parts = pa.concat_tables(
        [rollup_rows(tables_of(records[start : start + 37]), 1) for start in range(0, 400, 37)]
    )
    for measure in ("count", "duration_count", "nano_usd", "input_tokens", "zeros", "unknown_cost"):
        assert sum(filter(None, parts[measure].to_pylist())) == sum(
            filter(None, whole[measure].to_pylist())
        )
    assert histogram_of(parts.to_pylist()) == histogram_of(whole.to_pylist())


def test_rows_that_measured_nothing_have_no_sum_to_speak_of() -> None:
    record = OperationRecord(time_us=NOW_US, operation_type="x", status="error", duration_ms=None)
    (row,) = rollup_rows(tables_of([record]), 1).to_pylist()
    assert (row["count"], row["duration_count"], row["min"], row["max"], row["histogram"]) == (
        1, 0, None, None, b"",
    )  # fmt: skip


def test_no_rows_are_no_deltas() -> None:
    empty = rollup_rows({}, 1)
    assert (empty.num_rows, empty.schema.equals(ROLLUP_SCHEMA)) == (0, True)
