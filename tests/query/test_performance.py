"""The performance report against hand-made records and a naive oracle."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError, LimitedError
from contextframe_monitoring.core.histogram import QUANTILE_ERROR
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.records import OWN_SERVER, OperationRecord, Origin
from contextframe_monitoring.core.reports import OperationRow, PerformanceReport
from contextframe_monitoring.core.windows import Window, to_us
from contextframe_monitoring.query.performance import performance_report
from tests.query.oracle import grouped, matching, percentile
from tests.query.row_sources import Tables

CONFIG = MonitoringConfig(slow_query_threshold_ms=100.0)
START = to_us(datetime(2026, 3, 28, 12, tzinfo=UTC))
HOUR_US = 3_600_000_000
WINDOW = Window(START, START + 24 * HOUR_US)


def operation(offset_us: int = 0, duration_ms: float | None = 10.0, **fields: Any) -> Any:
    origin = {name: fields.pop(name) for name in Origin.__struct_fields__ if name in fields}
    defaults = {"operation_type": "tools/call", "status": "success", "target": "search"}
    return OperationRecord(
        time_us=START + offset_us,
        duration_ms=duration_ms,
        origin=Origin(**origin),
        **{**defaults, **fields},
    )


def asked(source: Any, *group_by: str, window: Window = WINDOW, **rest: Any) -> PerformanceReport:
    query = ReportQuery(window=window, group_by=group_by, **rest)
    return performance_report(source, query, CONFIG)


@pytest.mark.requirement(
    "spine:serve:performance",
    "spine:serve:slowest",
    "spine:config:slow",
    "002:config:slow-query",
    "002:config:error-rate",
    "002:perf:percentiles",
    "002:perf:throughput",
    "004:perf:p90",
    "004:perf:error-rates",
    "004:svc:throughput",
)
@pytest.mark.requirement("002:perf:percentiles")
@pytest.mark.requirement("002:perf:throughput")
@pytest.mark.requirement("002:perf:error-rates")
@pytest.mark.requirement("002:perf:active-connections")
@pytest.mark.requirement("spine:serve:active")
@pytest.mark.requirement("spine:serve:slowest")
@pytest.mark.requirement("003:perf:sum-slow")
def test_the_whole_report_of_a_few_operations() -> None:
    source = Tables(
        operation(0, 10.0, request_size=5, result_size=50, request_tokens=2, result_tokens=20,
                  tokens_estimated=True, session_id="s1"),
        operation(5_000, 30.0, request_size=6, result_size=60, session_id="s1"),
        operation(HOUR_US, 200.0, status="error", error_type="tool_error", session_id="s2"),
        operation(HOUR_US + 1, 50.0, target="fetch", status="timeout"),
        operation(2 * HOUR_US, 1.0, target="fetch", status="cancelled"),
        operation(2 * HOUR_US, 2.0, target="fetch", status="input_required"),
        operation(3 * HOUR_US, None, operation_type="subscriptions/listen", target=None),
        operation(3 * HOUR_US, 7.0, kind="notification", operation_type="notifications/progress",
                  target=None, request_size=9),
        operation(3 * HOUR_US, 9_000.0, direction="out", operation_type="elicitation/create",
                  target=None),
        operation(0, 5.0, server=OWN_SERVER),
        operation(-1, 5.0),
        operation(24 * HOUR_US, 5.0),
    )  # fmt: skip
    report = asked(source, "target").without("trend")
    assert json.loads(report.json_text()) == {
        "period": {
            "start": "2026-03-28T12:00:00+00:00",
            "end": "2026-03-29T12:00:00+00:00",
            "timezone": "UTC",
        },
        "total_operations": 7,
        "errors": 2,
        "error_rate": 0.5,
        "success_rate": 0.5,
        "timeouts": 1,
        "cancelled": 1,
        "input_required": 1,
        "notifications": 1,
        "outbound": 1,
        "slow": 1,
        "throughput_per_second": 8.10185e-05,
        "active_peak": 2,
        "connections": 3,
        "avg_ms": 48.8333,
        "p50_ms": 20.0,
        "p90_ms": 125.0,
        "p95_ms": 162.5,
        "p99_ms": 192.5,
        "max_ms": 200.0,
        "breakdown": [
            {
                "category": "fetch",
                "count": 3,
                "errors": 1,
                "error_rate": 1.0,
                "slow": 0,
                "avg_ms": 17.6667,
                "p50_ms": 2.0,
                "p90_ms": 40.4,
                "p95_ms": 45.2,
                "p99_ms": 49.04,
                "max_ms": 50.0,
            },
            {
                "category": "search",
                "count": 3,
                "errors": 1,
                "error_rate": 0.333333,
                "slow": 1,
                "avg_ms": 80.0,
                "p50_ms": 30.0,
                "p90_ms": 166.0,
                "p95_ms": 183.0,
                "p99_ms": 196.6,
                "max_ms": 200.0,
            },
            {
                "category": "(none)",
                "count": 1,
                "errors": 0,
                "error_rate": None,
                "slow": 0,
                "avg_ms": None,
                "p50_ms": None,
                "p90_ms": None,
                "p95_ms": None,
                "p99_ms": None,
                "max_ms": None,
            },
        ],
        "more": 0,
        "error_rate_threshold_exceeded": [
            {"category": "fetch", "error_rate": 1.0, "count": 3},
            {"category": "search", "error_rate": 0.333333, "count": 3},
        ],
        "slowest": [
            {"target": "search", "count": 3, "p95_ms": 183.0},
            {"target": "fetch", "count": 3, "p95_ms": 45.2},
        ],
        "previous": {
            "total_operations": 1,
            "error_rate": 0.0,
            "p95_ms": 5.0,
            "change": {"total_operations": 6, "error_rate": 0.5, "p95_ms": 157.5},
            "complete": False,
        },
        "traffic": {
            "request_bytes": 11,
            "result_bytes": 110,
            "request_tokens": 2,
            "result_tokens": 20,
            "tokens_estimated": True,
        },
        "trend": [],
        "resolution": {
            "source": "raw",
            "exact": True,
            "quantile_error": 0.0,
            "raw_since": "2026-03-28T11:59:59.999999+00:00",
        },
        "omitted": ["trend"],
    }


@pytest.mark.requirement("spine:serve:trend", "004:hist:trends")
@pytest.mark.requirement("spine:serve:trend")
def test_the_trend_has_a_point_for_each_bucket() -> None:
    source = Tables(operation(0, 10.0), operation(1, 30.0, status="error"))
    trend = asked(source, window=Window(START, START + 2 * HOUR_US)).trend
    assert len(trend) == 2
    assert [point.model_dump() for point in trend] == [
        {"date": "2026-03-28T12:00+00:00", "count": 2, "errors": 1, "p95_ms": 29.0},
        {"date": "2026-03-28T13:00+00:00", "count": 0, "errors": 0, "p95_ms": None},
    ]


@pytest.mark.requirement("spine:input:empty-window")
def test_an_empty_window_says_so() -> None:
    report = asked(Tables(), "target", "agent")
    assert report.note == "no operations in this window"
    assert (report.total_operations, report.errors, report.error_rate) == (0, 0, None)
    assert (report.breakdown, report.active_peak, report.connections) == ((), 0, 0)
    assert (report.p95_ms, report.throughput_per_second, report.previous) == (None, 0.0, None)
    assert report.resolution.raw_since is None
    assert report.traffic is not None
    assert report.traffic.result_bytes is None


def test_without_detail_only_totals_and_breakdown_are_told() -> None:
    report = asked(Tables(operation()), "target", detail=False)
    assert (report.total_operations, len(report.breakdown)) == (1, 1)
    assert (report.active_peak, report.previous, report.trend, report.slowest) == (None,) * 2 + (
        (),
    ) * 2


@pytest.mark.requirement("spine:serve:performance")
def test_notifications_and_outbound_messages_count_where_they_are_asked_for() -> None:
    source = Tables(
        operation(), operation(kind="notification"), operation(direction="out", duration_ms=70.0)
    )
    assert [(row.category, row.count) for row in asked(source, "kind").breakdown] == [
        ("request", 2), ("notification", 1),
    ]  # fmt: skip
    sent = asked(source, where={"direction": "out"})
    assert (sent.total_operations, sent.p50_ms, sent.outbound) == (1, 70.0, 0)


def test_our_own_server_is_left_out_unless_asked_for() -> None:
    source = Tables(operation(server=OWN_SERVER), operation(server="theirs"), operation())
    assert asked(source).total_operations == 2
    assert asked(source, include_own=True).total_operations == 3
    assert asked(source, where={"server": OWN_SERVER}).total_operations == 1


def test_several_keys_make_one_category_and_are_told_apart() -> None:
    source = Tables(operation(agent_id="a"), operation(agent_id="a"), operation(status="error"))
    rows = asked(source, "agent", "status").breakdown
    assert [(row.category, row.keys, row.count) for row in rows] == [
        ("a / success", {"agent": "a", "status": "success"}, 2),
        ("(none) / error", {"agent": "(none)", "status": "error"}, 1),
    ]


def test_a_breakdown_is_a_page_and_the_rest_is_counted() -> None:
    source = Tables(*(operation(target=f"t{i:02}") for i in range(25)))
    first, second = asked(source, "target", limit=20), asked(source, "target", limit=20, offset=20)
    assert (len(first.breakdown), first.more) == (20, 5)
    assert (len(second.breakdown), second.more) == (5, 0)
    names = [row.category for row in (*first.breakdown, *second.breakdown)]
    assert names == [f"t{i:02}" for i in range(25)]
    assert asked(source, "target", offset=99).breakdown == ()


def test_time_groups_stand_in_the_order_of_time() -> None:
    source = Tables(operation(2 * HOUR_US), operation(0), operation(2 * HOUR_US + 1))
    rows = asked(source, "hour", "target").breakdown
    assert [(row.category, row.count) for row in rows] == [
        ("2026-03-28T12:00+00:00 / search", 1), ("2026-03-28T14:00+00:00 / search", 2),
    ]  # fmt: skip


def test_a_day_of_23_hours_is_one_group() -> None:
    night = Window(START, START + 24 * HOUR_US, "Europe/Berlin")
    source = Tables(*(operation(hour * HOUR_US) for hour in range(24)))
    rows = asked(source, "day", window=night).breakdown
    assert [(row.category, row.count) for row in rows] == [("2026-03-28", 11), ("2026-03-29", 13)]


@pytest.mark.requirement("spine:serve:group-by")
def test_an_attribute_is_a_key_by_its_bare_name() -> None:
    source = Tables(
        operation(attributes=("region=eu", "tier=1")), operation(attributes=("region=us",)),
        operation(attributes=("region=eu",)), operation(),
    )  # fmt: skip
    for key in ("region", "attribute:region"):
        rows = asked(source, key).breakdown
        assert [(row.category, row.count) for row in rows] == [("eu", 2), ("us", 1), ("(none)", 1)]
    assert asked(source, where={"region": "eu"}).total_operations == 2
    assert asked(source, where={"region": "(none)"}).total_operations == 1


def test_several_values_of_an_attribute_make_one_label_and_match_each() -> None:
    source = Tables(operation(attributes=("tool=Bash", "tool=Read", "x=1")), operation())
    assert [row.category for row in asked(source, "attribute:tool").breakdown] == [
        "Bash, Read", "(none)",
    ]  # fmt: skip
    assert asked(source, where={"attribute:tool": "Read"}).total_operations == 1


@pytest.mark.requirement("spine:input:group-key")
@pytest.mark.parametrize("field", ["group_by", "where"])
def test_an_unknown_key_is_refused_with_what_is_allowed(field: str) -> None:
    source = Tables(operation(attributes=("region=eu",)))
    value: Any = ("regoin",) if field == "group_by" else {"regoin": "eu"}
    with pytest.raises(InvalidError) as error:
        performance_report(source, ReportQuery(window=WINDOW, **{field: value}), CONFIG)
    message = str(error.value)
    assert message.startswith(f"{field} = 'regoin' is not allowed: expected one of agent, ")
    assert message.endswith("month, or attribute:NAME; attributes in this window: region")


def test_an_unknown_key_is_refused_in_an_empty_window_too() -> None:
    with pytest.raises(InvalidError, match="group_by = 'regoin'"):
        asked(Tables(), "regoin")
    assert asked(Tables(), "attribute:region").total_operations == 0
    assert asked(Tables(), "feature").total_operations == 0


def test_a_key_of_another_table_is_no_mistake_but_nothing_has_it() -> None:
    report = asked(Tables(operation()), "model")
    assert [(row.category, row.count) for row in report.breakdown] == [("(none)", 1)]
    assert report.note == "no row in this window has: model"


def test_an_attribute_that_only_other_rows_have_is_no_mistake() -> None:
    source = Tables(operation(attributes=("region=eu",), agent_id="a"), operation(agent_id="b"))
    report = asked(source, "region", where={"agent": "b"})
    assert [(row.category, row.count) for row in report.breakdown] == [("(none)", 1)]
    assert asked(source, where={"region": "mars"}).total_operations == 0


def test_a_key_that_was_not_there_before_does_not_spoil_the_comparison() -> None:
    source = Tables(operation(-HOUR_US), operation(attributes=("region=eu",)))
    report = asked(source, where={"region": "eu"})
    assert report.previous is not None
    assert report.previous.total_operations == 0


def test_too_many_time_groups_are_refused() -> None:
    month = Window(START, START + 40 * 24 * HOUR_US)
    with pytest.raises(LimitedError, match="ask for a shorter window or a longer unit"):
        asked(Tables(), "minute", window=month)


def test_labels_in_a_report_are_printable_and_bounded() -> None:
    source = Tables(operation(target="a\nb\x1b[31m"), operation(target="x" * 5_000))
    names = [row.category for row in asked(source, "target").breakdown]
    assert sorted(len(name) for name in names) == [8, 256]
    assert all(name.isprintable() for name in names)


@pytest.mark.requirement("002:perf:error-rates")
def test_two_identical_calls_count_two_and_one_of_two_errors_is_half() -> None:
    source = Tables(operation(status="success"), operation(status="error", error_type="ValueError"))
    report = asked(source, "method")
    assert (report.total_operations, report.errors, report.success_rate) == (2, 1, 0.5)
    assert report.breakdown[0].category == "tools/call"


@pytest.mark.requirement("spine:input:many-tools")
def test_ten_thousand_tools_are_counted_one_by_one() -> None:
    source = Tables()
    for part in range(4):
        source.add(
            *(operation(i, target=f"t{i:05}") for i in range(part * 2_500, part * 2_500 + 2_500))
        )
    report = asked(source, "target", limit=3, offset=9_000)
    assert report.total_operations == 10_000
    assert [row.category for row in report.breakdown] == ["t09000", "t09001", "t09002"]
    assert report.more == 997


def test_an_operation_that_ends_when_another_starts_does_not_overlap_it() -> None:
    source = Tables(operation(0, 1.0), operation(1_000, 1.0), operation(1_500, 0.0))
    assert asked(source).active_peak == 2


def test_above_the_bound_the_peak_is_not_known_and_percentiles_are_close() -> None:
    source = Tables(*(operation(i, float(i + 1)) for i in range(200)))
    report = asked(source, exact_rows_max=50)
    assert report.active_peak is None
    assert (report.resolution.exact, report.resolution.quantile_error) == (False, 0.0109)
    values = np.arange(1.0, 201.0)
    for share, found in ((0.5, report.p50_ms), (0.95, report.p95_ms), (0.99, report.p99_ms)):
        assert found == pytest.approx(np.quantile(values, share), rel=QUANTILE_ERROR * 1.01)
    assert report.max_ms == 200.0
    assert report.avg_ms == 100.5


def test_a_sampled_row_stands_for_as_many_as_its_weight() -> None:
    import pyarrow as pa

    records = [operation(i, float(i + 1), target="t", result_size=10) for i in range(20)]
    records.append(operation(0, 500.0, target="t", status="error", result_size=7))
    sampled = Tables(*records)
    (table,) = sampled._tables["performance_metrics"]
    weights = pa.array([3] * 20 + [None], pa.int32())
    place = table.schema.get_field_index("weight")
    sampled._tables["performance_metrics"] = [table.set_column(place, "weight", weights)]
    found = asked(sampled, "target")
    whole = asked(Tables(*(records[:20] * 3), records[20]), "target")
    assert not found.resolution.exact
    assert found.traffic == whole.traffic
    for name in ("total_operations", "errors", "slow", "error_rate", "max_ms", "avg_ms"):
        assert getattr(found, name) == getattr(whole, name)
    assert found.p95_ms == pytest.approx(whole.p95_ms, rel=QUANTILE_ERROR * 1.01)
    assert [(row.count, row.errors) for row in found.breakdown] == [(61, 1)]


STATUSES = ("success", "error", "timeout", "cancelled", "input_required")
LABELS = st.sampled_from([None, "a", "b", "(none)x", "数据"])
RECORDS = st.lists(
    st.builds(
        operation,
        st.integers(-2 * HOUR_US, 26 * HOUR_US),
        st.one_of(st.none(), st.floats(0.001, 1e6)),
        status=st.sampled_from(STATUSES),
        target=LABELS,
        agent_id=LABELS,
        session_id=LABELS,
        server=st.sampled_from([None, "x", OWN_SERVER]),
        kind=st.sampled_from(["request", "request", "notification"]),
        direction=st.sampled_from(["in", "in", "out"]),
        operation_type=st.sampled_from(["tools/call", "subscriptions/listen"]),
        attributes=st.sampled_from([(), ("r=1",), ("r=2", "q=1"), ("r=1", "r=3")]),
    ),
    max_size=40,
)
COLUMNS = {
    "target": lambda r: r.target,
    "tool": lambda r: r.target,
    "agent": lambda r: r.origin.agent_id,
    "session": lambda r: r.origin.session_id,
    "server": lambda r: r.origin.server,
    "method": lambda r: r.operation_type,
    "status": lambda r: r.status,
}
KEYS = [*COLUMNS, "hour", "day", "week", "month", "attribute:r"]


def expected_row(records: list[Any]) -> dict[str, Any]:
    requests = [r for r in records if r.kind == "request" and r.direction == "in"]
    judged = [r for r in requests if r.operation_type != "subscriptions/listen"]
    errors = sum(r.status in {"error", "timeout"} for r in judged)
    rated = errors + sum(r.status == "success" for r in judged)
    times = [r.duration_ms for r in judged if r.duration_ms is not None]
    return {
        "count": len(requests),
        "errors": errors,
        "error_rate": errors / rated if rated else None,
        "slow": sum(time > 100 for time in times),
        "avg_ms": float(np.mean(times)) if times else None,
        **{f"p{p}_ms": percentile(times, p / 100) for p in (50, 90, 95, 99)},
        "max_ms": max(times, default=None),
    }


def near(found: float | None, expected: float | None, rel: float) -> bool:
    if found is None or expected is None:
        return found is expected
    return bool(found == pytest.approx(expected, rel=rel))


def close(row: OperationRow, expected: dict[str, Any], rel: float) -> None:
    for name, value in expected.items():
        assert near(getattr(row, name), value, rel), (row, expected)


@pytest.mark.requirement("003:ok:aggregation")
@settings(max_examples=200, deadline=None)
@given(
    st.lists(RECORDS, min_size=1, max_size=3),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True),
    st.dictionaries(st.sampled_from(["agent", "target", "attribute:r"]),
                    st.sampled_from(["a", "(none)", "1"]), max_size=2),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"]),
    st.sampled_from([0, 1_000_000]),
    st.booleans(),
)  # fmt: skip
def test_the_report_is_what_a_naive_count_gives(
    batches: list[list[Any]],
    keys: list[str],
    where: dict[str, str],
    timezone: str,
    exact_rows_max: int,
    own: bool,
) -> None:
    source = Tables()
    for batch in batches:
        source.add(*batch)
    window = Window(WINDOW.start_us, WINDOW.end_us, timezone)
    query = ReportQuery(
        window=window, group_by=tuple(keys), where=where, limit=1_000, include_own=own,
        exact_rows_max=exact_rows_max, detail=False,
    )  # fmt: skip
    report = performance_report(source, query, CONFIG)
    records = matching([record for batch in batches for record in batch], query, COLUMNS)
    groups = {name: expected_row(found) for name, found in grouped(records, query, COLUMNS).items()}
    groups = {name: row for name, row in groups.items() if row["count"]}
    assert {row.category for row in report.breakdown} == set(groups)
    rel = 1e-5 if exact_rows_max else QUANTILE_ERROR * 1.01
    for row in report.breakdown:
        close(row, groups[row.category], rel)
    total = expected_row(records)
    assert report.total_operations == total["count"]
    assert near(report.p95_ms, total["p95_ms"], rel)
    assert sum(row.count for row in report.breakdown) == report.total_operations
    assert sum(row.errors for row in report.breakdown) == report.errors
