"""Answers from rollups are those from raw rows, whatever the window, zone, groups and filters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.histogram import QUANTILE_ERROR
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.records import (
    OWN_SERVER,
    STATUSES,
    CostRecord,
    EventRecord,
    MetricRecord,
    OperationRecord,
    Origin,
    Record,
    UsageRecord,
)
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.cost import cost_report
from contextframe_monitoring.query.performance import performance_report
from contextframe_monitoring.query.usage import usage_report
from tests.query.rolled_up import RolledUp
from tests.query.row_sources import Tables

LAW = settings(derandomize=True, deadline=None, max_examples=80)
CONFIG = MonitoringConfig()
DAY_US = 86_400_000_000
BEGIN = 20_395 * DAY_US
"""Two days before a change of clocks in New York and Lord Howe's neighbours."""

FEW = st.sampled_from(["a", "b", None])
ORIGINS = st.builds(
    Origin, server=st.sampled_from(["s", "t", None, OWN_SERVER]), agent_id=FEW, environment=FEW
)
TIMES = st.integers(BEGIN, BEGIN + 6 * DAY_US)
DURATIONS = st.sampled_from([0.0, 0.5, 12.0, 13.0, 250.0, 5_000.0, math.nan, None])
SIZES = st.integers(1, 10**9) | st.none()
OPERATIONS = st.builds(
    OperationRecord,
    time_us=TIMES,
    operation_type=st.sampled_from(["tools/call", "subscriptions/listen"]),
    status=st.sampled_from(STATUSES),
    duration_ms=DURATIONS,
    origin=ORIGINS,
    target=FEW,
    direction=st.sampled_from(["in", "in", "out"]),
    kind=st.sampled_from(["request", "request", "notification"]),
    error_type=FEW,
    request_size=SIZES,
    result_tokens=SIZES,
    tokens_estimated=st.just(True),
)
COSTS = st.builds(
    CostRecord,
    time_us=TIMES,
    cost_type=st.sampled_from(["llm", "api"]),
    provider=FEW,
    model=FEW,
    operation=FEW,
    amount_nano_usd=st.integers(-(10**12), 10**12) | st.none(),
    provenance=st.sampled_from(["computed", "reported", "billed", None]),
    origin=ORIGINS,
    input_tokens=st.integers(0, 10**9) | st.none(),
    cache_read_tokens=st.integers(0, 10**9) | st.none(),
    output_tokens=st.integers(0, 10**9) | st.none(),
    metadata=st.sampled_from([None, '{"revision":1,"calls":0}', '{"revision":2,"calls":-1}']),
    attributes=st.sampled_from([(), ("feature=f",), ("user_tier=t", "feature=g"), ("x=y",)]),
)
USES = st.one_of(
    st.builds(
        UsageRecord,
        time_us=TIMES,
        metric_type=st.sampled_from(["query", "document_access", "other"]),
        resource_id=FEW,
        operation=st.sampled_from(["read", "sql"]),
        value=st.integers(0, 50).map(float) | st.none(),
        duration_ms=DURATIONS,
        outcome=st.sampled_from(["success", "failed", None]),
        category=FEW,
        origin=ORIGINS,
    ),
    st.builds(
        EventRecord, time_us=TIMES, name=FEW.map(str), category=FEW, outcome=FEW,
        duration_ms=DURATIONS, origin=ORIGINS,
    ),
    st.builds(
        MetricRecord, time_us=TIMES, name=st.sampled_from(["m", "n"]), unit=FEW, origin=ORIGINS,
        value=st.integers(1, 10**6).map(float), kind=st.sampled_from(["counter", "histogram"]),
    ),
)  # fmt: skip
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu",
     "Australia/Lord_Howe"]
)  # fmt: skip
UNITS = ("hour", "day", "week", "month")

Split = tuple[list[list[Record]], list[Record]]


def splits(records: st.SearchStrategy[Any]) -> st.SearchStrategy[Split]:
    """Drained batches, and records that no batch holds yet."""
    batches = st.lists(st.lists(records, max_size=12), min_size=1, max_size=4)
    return st.tuples(batches, st.lists(records, max_size=4))


def questions(keys: tuple[str, ...], filters: dict[str, str]) -> st.SearchStrategy[ReportQuery]:
    """Any window, zone, grouping and filter of these."""
    wheres = st.sets(st.sampled_from(sorted(filters)), max_size=2)
    return st.builds(
        lambda ends, zone, group_by, where, detail, own: ReportQuery(
            window=Window(min(ends), max(ends), zone),
            group_by=tuple(group_by),
            where={name: filters[name] for name in where},
            detail=detail,
            include_own=own,
            limit=1_000,
        ),
        st.tuples(TIMES, TIMES).filter(lambda ends: ends[0] != ends[1]),
        ZONES,
        st.lists(st.sampled_from((*keys, *UNITS)), max_size=3, unique=True),
        wheres,
        st.booleans(),
        st.booleans(),
    )


def answers(
    report: Callable[..., Any], split: Split, query: ReportQuery
) -> tuple[dict[str, Any], dict[str, Any]]:
    drained, fresh = split
    raw = Tables(*(record for batch in drained for record in batch), *fresh)
    found = report(RolledUp(drained, fresh), query, CONFIG)
    return report(raw, query, CONFIG).model_dump(), found.model_dump()


def assert_same(raw: Any, found: Any, close: frozenset[str], name: str = "") -> None:
    """Whole values are equal, floats to the last places, those named `close` to 1.1 %."""
    if isinstance(raw, dict):
        assert raw.keys() == found.keys(), name
        for key in raw:
            assert_same(raw[key], found[key], close, key)
    elif isinstance(raw, tuple):
        assert len(raw) == len(found), name
        for one, other in zip(raw, found, strict=True):
            assert_same(one, other, close, name)
    elif isinstance(raw, float) and found is not None:
        error = QUANTILE_ERROR * 1.001 if name in close else 2e-6
        assert math.isclose(raw, found, rel_tol=error, abs_tol=1e-9), (name, raw, found)
    else:
        assert raw == found, name


QUANTILES = frozenset({"p50", "p90", "p95", "p99", "p50_ms", "p90_ms", "p95_ms", "p99_ms"})


@LAW
@given(
    splits(COSTS),
    questions(
        ("model", "provider", "type", "agent", "server", "operation", "feature", "user_tier"),
        {"agent": "a", "server": "s", "feature": "f", "model": "b", "environment": "(none)"},
    ),
)
def test_costs_from_rollups_are_those_from_raw_rows(split: Split, query: ReportQuery) -> None:
    raw, found = answers(cost_report, split, query)
    for one in (raw, found):
        del one["resolution"]["source"]
    assert raw == found


@LAW
@given(
    splits(OPERATIONS),
    questions(
        ("target", "agent", "server", "status", "error_type", "method", "kind", "direction"),
        {"agent": "a", "server": "s", "target": "b", "status": "error", "kind": "request"},
    ),
)
def test_operations_from_rollups_are_those_from_raw_rows(split: Split, query: ReportQuery) -> None:
    raw, found = answers(performance_report, split, query)
    moved = ("resolution", "note", "active_peak", "connections", "slowest")
    for one in (raw, found):
        for name in moved:
            one.pop(name, None)
        (one["traffic"] or {}).pop("tokens_estimated", None)
        if one["previous"] is not None:
            del one["previous"]["change"]["p95_ms"]
    assert_same(raw, found, QUANTILES)


@LAW
@given(
    splits(USES),
    questions(
        ("metric", "metric_type", "agent", "server", "operation", "collection", "query_type",
         "event", "category", "outcome", "kind", "unit"),
        {"agent": "a", "server": "s", "metric": "m", "event": "a", "metric_type": "query"},
    ),
)  # fmt: skip
def test_uses_from_rollups_are_those_from_raw_rows(split: Split, query: ReportQuery) -> None:
    raw, found = answers(usage_report, split, query)
    moved = ("resolution", "note", "unique_resources", "top_documents", "top_queries")
    for one in (raw, found):
        for name in (*moved, "click_through"):
            one.pop(name, None)
    assert_same(raw, found, QUANTILES)
