"""The usage report against hand-made records and a naive oracle."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.records import (
    OWN_SERVER,
    EventRecord,
    MetricRecord,
    Origin,
    UsageRecord,
)
from contextframe_monitoring.core.reports import UsageReport
from contextframe_monitoring.core.windows import Window, local, to_us
from contextframe_monitoring.query.usage import usage_report
from tests.query.oracle import grouped, matching
from tests.query.row_sources import Tables

CONFIG = MonitoringConfig(slow_query_threshold_ms=50.0)
START = to_us(datetime(2026, 11, 20, 10, tzinfo=UTC))  # a Friday
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
WINDOW = Window(START, START + 3 * HOUR_US)


def _origin(fields: dict[str, Any]) -> Origin:
    return Origin(**{n: fields.pop(n) for n in Origin.__struct_fields__ if n in fields})


def access(
    document: str, operation: str = "read", minutes: float = 0, **fields: Any
) -> UsageRecord:
    origin = _origin(fields)
    return UsageRecord(
        time_us=START + int(minutes * MINUTE_US), metric_type="document_access",
        resource_id=document, operation=operation, value=1.0, origin=origin, **fields,
    )  # fmt: skip


def search(name: str, kind: str = "vector", results: float | None = 5, **fields: Any) -> Any:
    origin = _origin(fields)
    return UsageRecord(
        time_us=START + fields.pop("at", 0), metric_type="query", resource_id=name,
        operation=kind, value=results, origin=origin, **fields,
    )  # fmt: skip


def event(name: str, **fields: Any) -> EventRecord:
    return EventRecord(time_us=START + fields.pop("at", 0), name=name, **fields)


def metric(name: str, value: float, **fields: Any) -> MetricRecord:
    return MetricRecord(time_us=START + fields.pop("at", 0), name=name, value=value, **fields)


def asked(source: Any, *group_by: str, window: Window = WINDOW, **rest: Any) -> UsageReport:
    return usage_report(source, ReportQuery(window=window, group_by=group_by, **rest), CONFIG)


@pytest.mark.requirement(
    "002:usage:frequency",
    "002:usage:query-patterns",
    "spine:events:report",
    "spine:usage:hashes",
    "spine:python:metric-kinds",
)
@pytest.mark.requirement("002:usage:frequency")
@pytest.mark.requirement("002:usage:query-patterns")
@pytest.mark.requirement("002:usage:collections")
@pytest.mark.requirement("002:usage:time-patterns")
@pytest.mark.requirement("002:perf:custom-read-back")
@pytest.mark.requirement("spine:events:report")
@pytest.mark.requirement("spine:usage:hashes")
def test_the_whole_report_of_a_few_uses() -> None:
    source = Tables(
        access("d1", "search_hit", 0, agent_id="a", category="docs"),
        access("d1", "read", 10, agent_id="a", category="docs"),
        access("d2", "search_hit", 0, agent_id="a"),
        access("d2", "update", 61, agent_id="b"),
        search("h1", results=4, duration_ms=40.0, agent_id="a",
               metadata='{"shape":"3 words"}', outcome="success"),
        search("h1", results=6, duration_ms=60.0, agent_id="a"),
        search("h2", "sql", None, duration_ms=None, outcome="error"),
        event("tier", category="llm", outcome="ok", duration_ms=8.0, numbers={"cost": 1.0}),
        event("tier", category="rule", outcome="ok", numbers={"cost": 3.0, "score": -1.0}),
        metric("queue", 7.0),
        metric("queue", 5.0, at=1),
        metric("sent", 2.0, kind="counter", unit="sms"),
        metric("sent", 3.0, kind="counter", unit="sms"),
        metric("size", 10.0, kind="histogram"),
        access("own", server=OWN_SERVER),
    )  # fmt: skip
    report = asked(source, "metric_type", where={"metric_type": "document_access"})
    assert [(row.category, row.count, row.value) for row in report.breakdown] == [
        ("document_access", 4, 4.0)
    ]
    assert json.loads(asked(source, "operation").json_text()) == {
        "period": {
            "start": "2026-11-20T10:00:00+00:00",
            "end": "2026-11-20T13:00:00+00:00",
            "timezone": "UTC",
        },
        "total_events": 9,
        "unique_agents": 2,
        "unique_resources": 2,
        "total_document_accesses": 4,
        "total_queries": 3,
        "breakdown": [
            {"category": "search_hit", "count": 2, "value": 2.0},
            {"category": "tier", "count": 2, "value": 2.0},
            {"category": "vector", "count": 2, "value": 10.0},
            {"category": "read", "count": 1, "value": 1.0},
            {"category": "sql", "count": 1, "value": None},
            {"category": "update", "count": 1, "value": 1.0},
        ],
        "more": 0,
        "accesses": [
            {"operation": "search_hit", "count": 2},
            {"operation": "read", "count": 1},
            {"operation": "update", "count": 1},
        ],
        "top_documents": [
            {"document": "d1", "count": 2, "reads": 1, "search_hits": 1, "updates": 0,
             "deletes": 0},
            {"document": "d2", "count": 2, "reads": 0, "search_hits": 1, "updates": 1,
             "deletes": 0},
        ],
        "collections": [{"collection": "docs", "count": 2}],
        "click_through": {"search_hits": 2, "clicked": 1, "rate": 0.5, "within_minutes": 30},
        "queries": [
            {"query_type": "vector", "count": 2, "avg_duration_ms": 50.0, "total_results": 10.0,
             "avg_results": 5.0, "success_rate": 1.0, "slow": 1},
            {"query_type": "sql", "count": 1, "avg_duration_ms": None, "total_results": None,
             "avg_results": None, "success_rate": 0.0, "slow": 0},
        ],
        "top_queries": [
            {"query": "h1", "count": 2, "avg_duration_ms": 50.0, "avg_results": 5.0,
             "shape": "3 words"},
            {"query": "h2", "count": 1, "avg_duration_ms": None, "avg_results": None},
        ],
        "events": [
            {
                "event": "tier",
                "count": 2,
                "categories": [
                    {"label": "llm", "count": 1, "share": 0.5},
                    {"label": "rule", "count": 1, "share": 0.5},
                ],
                "outcomes": [{"label": "ok", "count": 2, "share": 1.0}],
                "duration_ms": {"count": 1, "mean": 8.0, "min": 8.0, "p50": 8.0, "p90": 8.0,
                                "p95": 8.0, "p99": 8.0, "max": 8.0},
                "numbers": [
                    {"count": 2, "mean": 2.0, "min": 1.0, "p50": 2.0, "p90": 2.8, "p95": 2.9,
                     "p99": 2.98, "max": 3.0, "number": "cost"},
                    {"count": 1, "mean": -1.0, "min": -1.0, "p50": -1.0, "p90": -1.0,
                     "p95": -1.0, "p99": -1.0, "max": -1.0, "number": "score"},
                ],
            }
        ],
        "metrics": [
            {"metric": "queue", "kind": "gauge", "unit": None, "count": 2, "last": 5.0,
             "mean": 6.0, "min": 5.0, "max": 7.0},
            {"metric": "sent", "kind": "counter", "unit": "sms", "count": 2, "sum": 5.0,
             "rate_per_second": 0.000462962962963},
            {"metric": "size", "kind": "histogram", "unit": None, "count": 1, "mean": 10.0,
             "min": 10.0, "max": 10.0, "p50": 10.0, "p90": 10.0, "p95": 10.0, "p99": 10.0},
        ],
        "pattern": {
            "hour_of_day": [0] * 10 + [8, 1, 0] + [0] * 11,
            "day_of_week": [0, 0, 0, 0, 9, 0, 0],
        },
        "trend": [
            {"date": "2026-11-20T10:00+00:00", "count": 8},
            {"date": "2026-11-20T11:00+00:00", "count": 1},
            {"date": "2026-11-20T12:00+00:00", "count": 0},
        ],
        "resolution": {
            "source": "raw",
            "exact": True,
            "quantile_error": 0.0,
            "raw_since": "2026-11-20T10:00:00+00:00",
        },
    }  # fmt: skip


@pytest.mark.requirement("spine:input:empty-window")
def test_an_empty_window_says_so() -> None:
    report = asked(Tables(), "document", "day")
    assert report.note == "no usage in this window"
    assert (report.total_events, report.unique_agents, report.unique_resources) == (0, 0, 0)
    assert (report.breakdown, report.top_documents, report.events) == ((), (), ())
    assert report.click_through is None


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        ("document", [("(none)", 3), ("d", 1)]),
        ("collection", [("(none)", 2), ("docs", 2)]),
        ("query_type", [("(none)", 3), ("vector", 1)]),
        ("query", [("(none)", 3), ("h", 1)]),
        ("event", [("(none)", 3), ("e", 1)]),
        ("resource", [("(none)", 3), ("d", 1)]),
        ("category", [("docs", 2), ("llm", 1), ("(none)", 1)]),
        ("metric", [("(none)", 4), ("m", 1)]),
        ("metric_type", [("custom", 1), ("document_access", 1), ("event", 1), ("other", 1),
                         ("query", 1)]),
    ],
)  # fmt: skip
def test_keys_mean_the_rows_of_their_kind(key: str, rows: list[tuple[str, int]]) -> None:
    source = Tables(
        access("d", category="docs"),
        search("h", category="docs"),
        event("e", category="llm"),
        metric("m", 1.0),
        UsageRecord(time_us=START, metric_type="other", resource_id=None, operation="o"),
    )
    report = asked(source, key)
    found = sorted((row.category, row.count) for row in report.breakdown)
    assert found == sorted(rows)
    if key not in {"metric", "metric_type"}:
        assert sum(row.count for row in report.breakdown) == report.total_events == 4


@pytest.mark.requirement("002:perf:custom-read-back")
@pytest.mark.requirement("spine:python:metric-kinds")
def test_metrics_are_filtered_by_tag_and_time() -> None:
    source = Tables(
        metric("m", 1.0, attributes=("host=a",)), metric("m", 5.0, attributes=("host=b",)),
        metric("m", 9.0, attributes=("host=a",), at=4 * HOUR_US),
    )  # fmt: skip
    (found,) = asked(source, where={"host": "a"}).metrics
    assert (found.count, found.last, found.max) == (1, 1.0, 1.0)
    (found,) = asked(source, where={"metric": "m"}).metrics
    assert (found.count, found.last) == (2, 5.0)
    assert asked(source, where={"metric": "x"}).metrics == ()


def test_the_last_value_of_a_gauge_is_the_latest_in_time() -> None:
    source = Tables(metric("m", 1.0, at=9), metric("m", 2.0, at=3)).add(metric("m", 3.0, at=5))
    assert [found.last for found in asked(source).metrics] == [1.0]


@pytest.mark.requirement("002:usage:click-through")
@pytest.mark.parametrize(
    ("hit", "read", "clicked"),
    [
        ({"session_id": "s"}, {"session_id": "s", "minutes": 30}, 1),
        ({"session_id": "s"}, {"session_id": "s", "minutes": 30.001}, 0),
        ({"session_id": "s", "minutes": 5}, {"session_id": "s", "minutes": 4}, 0),
        ({"session_id": "s"}, {"session_id": "s"}, 1),
        ({"session_id": "s"}, {"session_id": "t"}, 0),
        ({"session_id": "s", "agent_id": "a"}, {"session_id": "s", "agent_id": "b"}, 1),
        ({"session_id": "s", "agent_id": "a"}, {"agent_id": "a"}, 0),
        ({"agent_id": "a"}, {"agent_id": "a"}, 1),
        ({"agent_id": "a"}, {"agent_id": "b"}, 0),
        ({}, {}, 1),
        ({}, {"document": "other"}, 0),
        ({}, {"operation": "update"}, 0),
    ],
)
def test_a_click_is_a_read_of_the_hit_soon_after_by_the_same_actor(
    hit: dict[str, Any], read: dict[str, Any], clicked: int
) -> None:
    source = Tables(access("d", "search_hit", **hit)).add(access(read.pop("document", "d"), **read))
    found = asked(source).click_through
    assert found is not None
    assert (found.search_hits, found.clicked) == (1, clicked)


def test_without_hits_there_is_no_click_rate() -> None:
    found = asked(Tables(access("d"))).click_through
    assert found is not None
    assert (found.search_hits, found.rate) == (0, None)


def test_too_many_hits_and_reads_leave_the_click_rate_unknown() -> None:
    assert asked(Tables(access("d"), access("e")), exact_rows_max=1).click_through is None


def test_the_trend_follows_a_time_key() -> None:
    source = Tables(access("d"), access("d", minutes=61))
    assert [point.count for point in asked(source, "day").trend] == [2]
    assert len(asked(source, "minute").trend) == 180
    long = Window(START, START + 9 * HOUR_US)
    assert len(asked(source, "minute", window=long).trend) == 9


def test_uneven_lists_of_numbers_are_left_out() -> None:
    import pyarrow as pa

    source = Tables(event("e", numbers={"a": 1.0}), event("e", numbers={"a": 2.0, "b": 3.0}))
    (table,) = source._tables["usage_metrics"]
    place = table.schema.get_field_index("number_values")
    values = pa.array([[1.0], [2.0]], table.schema.field(place).type)
    source._tables["usage_metrics"] = [table.set_column(place, "number_values", values)]
    (found,) = asked(source).events
    assert [(number.number, number.count) for number in found.numbers] == [("a", 1)]


@pytest.mark.parametrize("metadata", ["", "{", "[]", '{"shape": 5}', '{"other": "x"}'])
def test_odd_metadata_gives_no_shape(metadata: str) -> None:
    (found,) = asked(Tables(search("h", metadata=metadata))).top_queries
    assert found.shape is None


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(InvalidError, match="group_by = 'nonsense' is not allowed: expected one of"):
        asked(Tables(access("d")), "nonsense")


LABELS = st.sampled_from([None, "a", "b"])
RECORDS = st.lists(
    st.one_of(
        st.builds(
            access,
            st.sampled_from(["d1", "d2", "d3"]),
            st.sampled_from(["read", "search_hit", "update"]),
            st.floats(-30, 200),
            agent_id=LABELS,
            session_id=LABELS,
            category=LABELS,
        ),
        st.builds(
            search,
            st.sampled_from(["h1", "h2"]),
            st.sampled_from(["vector", "sql"]),
            st.one_of(st.none(), st.floats(0, 100)),
            at=st.integers(-HOUR_US, 4 * HOUR_US),
            agent_id=LABELS,
            server=st.sampled_from([None, OWN_SERVER]),
        ),
        st.builds(event, st.sampled_from(["e1", "e2"]), category=LABELS),
        st.builds(metric, st.sampled_from(["m1", "m2"]), st.floats(-10, 10)),
    ),
    max_size=40,
)


def _is(record: Any, *kinds: str) -> bool:
    names = {EventRecord: "event", MetricRecord: "custom"}
    return (names.get(type(record)) or record.metric_type) in kinds


COLUMNS = {
    "agent": lambda r: r.origin.agent_id,
    "session": lambda r: r.origin.session_id,
    "document": lambda r: r.resource_id if _is(r, "document_access") else None,
    "query_type": lambda r: r.operation if _is(r, "query") else None,
    "event": lambda r: r.name if _is(r, "event") else None,
    "category": lambda r: getattr(r, "category", None),
}
KEYS = [*COLUMNS, "hour", "day"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(RECORDS, min_size=1, max_size=3),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True),
    st.sampled_from([{}, {"agent": "a"}, {"category": "(none)"}]),
    st.sampled_from(["UTC", "Asia/Kolkata"]),
)
def test_the_report_is_what_a_naive_count_gives(
    batches: list[list[Any]], keys: list[str], where: dict[str, str], timezone: str
) -> None:
    source = Tables()
    for batch in batches:
        source.add(*batch)
    window = Window(WINDOW.start_us, WINDOW.end_us, timezone)
    query = ReportQuery(window=window, group_by=tuple(keys), where=where, limit=1_000)
    report = usage_report(source, query, CONFIG)
    everything = matching([record for batch in batches for record in batch], query, COLUMNS)
    records = [record for record in everything if not isinstance(record, MetricRecord)]
    groups = grouped(records, query, COLUMNS)
    assert {row.category: row.count for row in report.breakdown} == {
        name: len(members) for name, members in groups.items()
    }
    assert report.total_events == len(records)
    assert report.unique_agents == len({r.origin.agent_id for r in records} - {None})
    documents = Counter(r.resource_id for r in records if _is(r, "document_access"))
    assert {use.document: use.count for use in report.top_documents} == documents
    assert report.unique_resources == len(documents)
    hours = Counter(local(r.time_us, timezone).hour for r in records)
    assert report.pattern is not None
    assert report.pattern.hour_of_day == tuple(hours[hour] for hour in range(24))
    assert sum(point.count for point in report.trend) == len(records)
    assert _clicks(records) == (0 if report.click_through is None else report.click_through.clicked)
    samples = Counter(r.name for r in everything if isinstance(r, MetricRecord))
    assert {use.metric: use.count for use in report.metrics} == samples


def _clicks(records: list[Any]) -> int:
    accesses = [record for record in records if _is(record, "document_access")]
    hits = [record for record in accesses if record.operation == "search_hit"]
    reads = [record for record in accesses if record.operation == "read"]
    return sum(
        any(
            read.resource_id == hit.resource_id
            and _actor(read) == _actor(hit)
            and 0 <= read.time_us - hit.time_us <= 30 * MINUTE_US
            for read in reads
        )
        for hit in hits
    )


def _actor(record: Any) -> tuple[str, str | None]:
    if record.origin.session_id is not None:
        return "session", record.origin.session_id
    return "agent", record.origin.agent_id
