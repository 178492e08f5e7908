"""The cost report against hand-made facts and a naive oracle."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.money import usd
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.records import OWN_SERVER, CostRecord, Origin
from contextframe_monitoring.core.reports import CostReport
from contextframe_monitoring.core.windows import Window, parse_window, to_us
from contextframe_monitoring.query.cost import CacheUse, cost_report
from tests.query.oracle import grouped, matching, time_label
from tests.query.row_sources import Tables

CONFIG = MonitoringConfig()
NOW = to_us(datetime(2026, 11, 4, 12, tzinfo=UTC))
MONTH = parse_window("month", now_us=NOW)
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
USD = 10**9


def fact(offset_us: int = 0, nano: int | None = USD, **fields: Any) -> CostRecord:
    """A fact so long after the month's start."""
    origin = {name: fields.pop(name) for name in Origin.__struct_fields__ if name in fields}
    defaults: dict[str, Any] = {
        "cost_type": "llm",
        "provider": "anthropic",
        "model": "opus",
        "provenance": None if nano is None else "computed",
    }
    return CostRecord(
        time_us=MONTH.start_us + offset_us,
        amount_nano_usd=nano,
        origin=Origin(**origin),
        **{**defaults, **fields},
    )


def asked(source: Any, *group_by: str, window: Window = MONTH, **rest: Any) -> CostReport:
    outside = {name: rest.pop(name) for name in ("monthly_budget", "savings") if name in rest}
    query = ReportQuery(window=window, group_by=group_by, **rest)
    return cost_report(source, query, CONFIG, **outside)


@pytest.mark.requirement("003:costs:out-period")
@pytest.mark.requirement("003:costs:out-total")
@pytest.mark.requirement("003:costs:out-breakdown")
@pytest.mark.requirement("003:costs:out-percentage")
@pytest.mark.requirement("003:costs:out-trend")
@pytest.mark.requirement("003:costs:out-estimated")
@pytest.mark.requirement("003:costs:out-budget-status")
@pytest.mark.requirement("003:costs:out-days-left")
def test_the_whole_report_of_a_few_facts() -> None:
    source = Tables(
        fact(0, 2 * USD, input_tokens=100, cache_read_tokens=50, output_tokens=7,
             reasoning_tokens=3),
        fact(DAY_US, 500_000_001, model="haiku", cache_write_5m_tokens=5,
             cache_write_1h_tokens=6),
        fact(DAY_US, USD, cost_type="storage", provider="s3", model=None, provenance="reported"),
        fact(2 * DAY_US, None, provider="x", model="new", input_tokens=11),
        fact(2 * DAY_US, 9 * USD, provenance="billed", input_tokens=1_000),
        fact(0, USD, server=OWN_SERVER),
        fact(-29 * DAY_US, 3 * USD),
    )  # fmt: skip
    report = asked(source, "type", monthly_budget=Decimal(20))
    assert json.loads(report.json_text(), parse_float=Decimal) == {
        "period": {
            "start": "2026-11-01T00:00:00+00:00",
            "end": "2026-11-04T12:00:00.000001+00:00",
            "timezone": "UTC",
            "name": "month",
        },
        "total_cost": Decimal("3.500000001"),
        "tokens": {
            "input_tokens": 111,
            "cache_read_tokens": 50,
            "cache_write_5m_tokens": 5,
            "cache_write_1h_tokens": 6,
            "output_tokens": 7,
            "reasoning_tokens": 3,
        },
        "unknown": {
            "count": 1,
            "models": [
                {
                    "model": "new",
                    "provider": "x",
                    "count": 1,
                    "tokens": {
                        "input_tokens": 11,
                        "cache_read_tokens": 0,
                        "cache_write_5m_tokens": 0,
                        "cache_write_1h_tokens": 0,
                        "output_tokens": 0,
                        "reasoning_tokens": 0,
                    },
                }
            ],
        },
        "breakdown": [
            {
                "category": "llm",
                "cost": Decimal("2.500000001"),
                "percentage": Decimal("71.4"),
                "count": 3,
                "tokens": 179,
                "unknown": 1,
            },
            {
                "category": "storage",
                "cost": 1,
                "percentage": Decimal("28.6"),
                "count": 1,
                "tokens": 0,
            },
        ],
        "more": 0,
        "trend": [
            {"date": "2026-11-01", "cost": 2},
            {"date": "2026-11-02", "cost": Decimal("1.500000001")},
            {"date": "2026-11-03", "cost": None},
            {"date": "2026-11-04", "cost": 0},
        ],
        "projection": {
            "estimated_total": Decimal("30.000000008"),
            "low": Decimal("3.500000001"),
            "high": Decimal("62.291726641"),
            "confidence": Decimal("0.8"),
            "budget_status": "over_budget",
            "days_until_budget_limit": Decimal("16.5"),
            "budget": 20,
            "estimated_monthly": Decimal("30.000000008"),
        },
        "previous": {
            "total_cost": 3,
            "change": Decimal("0.500000001"),
            "change_percentage": Decimal("16.7"),
            "movers": [
                {"category": "storage", "cost": 1, "previous_cost": 0, "change": 1},
                {
                    "category": "llm",
                    "cost": Decimal("2.500000001"),
                    "previous_cost": 3,
                    "change": Decimal("-0.499999999"),
                },
            ],
            "complete": False,
        },
        "cache_savings": None,
        "provenance": [
            {
                "provenance": "computed",
                "cost": Decimal("2.500000001"),
                "percentage": Decimal("71.4"),
                "count": 2,
            },
            {"provenance": "reported", "cost": 1, "percentage": Decimal("28.6"), "count": 1},
            {"provenance": "(none)", "cost": None, "percentage": None, "count": 1},
            {"provenance": "billed", "cost": 9, "percentage": None, "count": 1},
        ],
        "resolution": {
            "source": "raw",
            "exact": True,
            "quantile_error": 0.0,
            "raw_since": "2026-10-03T00:00:00+00:00",
        },
        "note": "1 facts have no known price and are in no sum",
    }


@pytest.mark.requirement("cost:report:edges")
@pytest.mark.requirement("003:stats:zero-safe")
def test_an_empty_window_costs_nothing_and_says_so() -> None:
    report = asked(Tables(), "model", monthly_budget=Decimal(10))
    assert report.note == "no costs in this window"
    assert (report.total_cost, report.breakdown, report.previous) == (Decimal(0), (), None)
    assert [point.cost for point in report.trend] == [0, 0, 0, 0]
    assert report.projection is not None
    assert report.projection.model_dump() == {
        "estimated_total": Decimal(0),
        "low": Decimal(0),
        "high": Decimal(0),
        "confidence": 0.8,
        "budget_status": "under_budget",
        "days_until_budget_limit": None,
        "budget": Decimal(10),
        "estimated_monthly": Decimal(0),
    }


@pytest.mark.requirement("cost:facts:unknown", "cost:report:unknown-part")
@pytest.mark.requirement("spine:python:unknown-model")
def test_a_cost_that_nobody_knows_is_not_zero() -> None:
    report = asked(Tables(fact(nano=None), fact(nano=None)), "model")
    assert report.total_cost is None
    assert (report.unknown.count, report.breakdown[0].cost) == (2, None)
    assert report.breakdown[0].percentage is None


@pytest.mark.requirement("cost:report:edges")
def test_costs_that_are_known_to_be_zero_are_zero() -> None:
    report = asked(Tables(fact(nano=0)), "model")
    row = report.breakdown[0]
    assert (report.total_cost, row.cost, row.percentage) == (Decimal(0), Decimal(0), 0.0)


def test_what_was_billed_is_never_added() -> None:
    report = asked(Tables(fact(nano=9 * USD, provenance="billed")), "model")
    assert (report.total_cost, report.breakdown) == (Decimal(0), ())
    assert [(share.provenance, share.cost) for share in report.provenance] == [
        ("billed", Decimal(9))
    ]


def test_corrections_change_sums_but_a_fact_counts_once() -> None:
    source = Tables(
        fact(0, 10, metadata='{"revision":1}', output_tokens=5),
        fact(0, 7, metadata='{"revision":2,"calls":0}', output_tokens=3),  # it grew
        fact(0, None, model="new", input_tokens=9),
        fact(0, None, model="new", input_tokens=-9, metadata='{"revision":2,"calls":-1,"x":1}'),
        fact(0, 100, model="new", input_tokens=9),  # priced, the first one taken back
        fact(0, 1, model="own", metadata='{"note":"\\"calls\\":0"}'),
        fact(0, 0, model="own", metadata='{"calls":0}'),
    )
    report = asked(source, "model")
    assert [(row.category, row.cost, row.count, row.tokens) for row in report.breakdown] == [
        ("new", usd(100), 1, 9),
        ("opus", usd(17), 1, 8),
        ("own", usd(1), 2, 0),
    ]
    assert report.unknown.model_dump() == {"count": 0, "models": ()}
    assert report.note is None


@pytest.mark.requirement("003:stats:order")
def test_breakdowns_stand_by_cost_even_by_day() -> None:
    source = Tables(fact(0, 1), fact(DAY_US, 3), fact(2 * DAY_US, 2), fact(3 * DAY_US, None))
    rows = asked(source, "day").breakdown
    assert [row.category for row in rows] == [
        "2026-11-02", "2026-11-03", "2026-11-01", "2026-11-04",
    ]  # fmt: skip


@pytest.mark.requirement("003:costs:group-feature")
def test_tools_and_features_are_attributes() -> None:
    source = Tables(
        fact(attributes=("feature=chat", "tool=Bash", "tool=Read")),
        fact(attributes=("feature=search",)),
    )
    assert {row.category for row in asked(source, "feature").breakdown} == {"chat", "search"}
    assert {row.category for row in asked(source, "tool").breakdown} == {"Bash, Read", "(none)"}
    assert asked(source, where={"tool": "Read"}).total_cost == Decimal(1)


@pytest.mark.requirement("cost:report:previous")
def test_movers_are_what_changed_most() -> None:
    window = Window(NOW - DAY_US, NOW)
    source = Tables(
        *(
            CostRecord(time_us=time_us, cost_type="llm", provider="p", amount_nano_usd=nano,
                       provenance="computed", model=model)
            for time_us, model, nano in [
                (NOW - 2 * DAY_US, "a", 5 * USD), (NOW - 2 * DAY_US, "b", USD),
                (NOW - 1, "a", USD), (NOW - 1, "b", USD), (NOW - 1, "c", 2 * USD),
            ]
        )
    )  # fmt: skip
    previous = asked(source, "model", window=window).previous
    assert previous is not None
    assert (previous.total_cost, previous.change, previous.change_percentage) == (6, -2, -33.3)
    assert [(mover.category, mover.change) for mover in previous.movers] == [("a", -4), ("c", 2)]
    assert previous.complete


def test_what_the_cache_saved_is_priced_by_day_and_model() -> None:
    source = Tables(
        fact(0, cache_read_tokens=1_000), fact(1, cache_read_tokens=500),
        fact(DAY_US, model="haiku", cache_write_5m_tokens=7), fact(DAY_US, model="plain"),
    )  # fmt: skip
    seen: list[CacheUse] = []

    def savings(use: CacheUse) -> Decimal | None:
        seen.append(use)
        return Decimal(use.cache_read_tokens) / 1_000 if use.model == "opus" else None

    assert asked(source, savings=savings).cache_savings == Decimal("1.5")
    assert seen == [
        CacheUse("anthropic", "opus", "2026-11-01", 1_500, 0, 0),
        CacheUse("anthropic", "haiku", "2026-11-02", 0, 7, 0),
    ]
    assert asked(source, savings=lambda _: None).cache_savings is None
    assert asked(Tables(), savings=savings).cache_savings == 0


@pytest.mark.requirement("003:stats:budget-states")
@pytest.mark.parametrize(
    ("budget", "status", "days"),
    [(None, "no_budget", None), (100, "under_budget", 96.0), (11, "under_budget", 7.0),
     (10, "on_track", 6.0), (9, "on_track", 5.0), (8, "over_budget", 4.0),
     (4, "over_budget", 0.0), (0, "over_budget", 0.0)],
)  # fmt: skip
def test_a_budget_is_judged_by_where_the_period_will_end(
    budget: int | None, status: str, days: float | None
) -> None:
    source = Tables(*(fact(day * DAY_US, USD) for day in range(4)))
    start = MONTH.start_us
    window = Window(start, start + 4 * DAY_US, "UTC", "week", start + 8 * DAY_US)
    monthly = None if budget is None else Decimal(budget) * 30 / 8
    projection = asked(source, window=window, monthly_budget=monthly).projection
    assert projection is not None
    assert (projection.estimated_total, projection.budget) == (8, budget)
    assert (projection.budget_status, projection.days_until_budget_limit) == (status, days)
    assert projection.estimated_monthly is None


def test_a_week_that_is_over_has_no_days_left() -> None:
    window = parse_window("yesterday", now_us=NOW)
    projection = asked(
        Tables(fact(2 * DAY_US, USD)), window=window, monthly_budget=Decimal(60)
    ).projection
    assert projection is not None
    assert (projection.estimated_total, projection.high, projection.budget) == (1, 1, 2)
    assert projection.days_until_budget_limit is None


@pytest.mark.parametrize("budget", ["-1", "NaN"])
def test_a_wrong_budget_is_refused(budget: str) -> None:
    with pytest.raises(InvalidError, match="monthly_budget = "):
        asked(Tables(), monthly_budget=Decimal(budget))


def test_a_long_trend_is_by_month() -> None:
    window = Window(MONTH.start_us - 500 * DAY_US, MONTH.end_us)
    trend = asked(Tables(fact(0, 5), fact(-40 * DAY_US, 7)), window=window).trend
    assert len(trend) == 18
    assert [(point.date, point.cost) for point in trend[-3:]] == [
        ("2026-09", usd(7)), ("2026-10", usd(0)), ("2026-11", usd(5)),
    ]  # fmt: skip


def test_when_costs_are_not_tracked_the_report_says_so() -> None:
    config = MonitoringConfig(track_costs=False)
    report = cost_report(Tables(), ReportQuery(window=MONTH), config)
    assert report.note is not None
    assert "track_costs is false" in report.note


HUGE = st.one_of(st.none(), st.integers(-(2**62), 2**63 - 1), st.integers(-5, 5))
FACTS = st.lists(
    st.builds(
        fact,
        st.integers(-3 * DAY_US, 4 * DAY_US),
        HUGE,
        model=st.sampled_from([None, "a", "b"]),
        provider=st.sampled_from([None, "p"]),
        cost_type=st.sampled_from(["llm", "storage"]),
        provenance=st.sampled_from(["computed", "reported", "billed", None]),
        agent_id=st.sampled_from([None, "x", "y"]),
        server=st.sampled_from([None, OWN_SERVER]),
        metadata=st.sampled_from(
            [None, '{"revision":9,"calls":-1}', '{"revision":2,"calls":0}', "{}"]
        ),
        input_tokens=HUGE,
        output_tokens=st.one_of(st.none(), st.integers(0, 2**62)),
        attributes=st.sampled_from([(), ("feature=f",)]),
    ),
    max_size=30,
)
COLUMNS = {
    "model": lambda r: r.model or "_".join(filter(None, (r.provider, r.operation))) or None,
    "provider": lambda r: r.provider,
    "type": lambda r: r.cost_type,
    "agent": lambda r: r.origin.agent_id,
}
KEYS = [*COLUMNS, "feature", "day", "week"]


def calls(record: CostRecord) -> int:
    return 1 if record.metadata is None else int(json.loads(record.metadata).get("calls", 1))


def expected(records: list[CostRecord]) -> tuple[Decimal | None, int, int, int]:
    known = [r.amount_nano_usd for r in records if r.amount_nano_usd is not None]
    unknown = sum(calls(r) for r in records if r.amount_nano_usd is None)
    priced = sum(known) or sum(calls(r) for r in records if r.amount_nano_usd is not None) > 0
    cost = None if unknown > 0 and not priced else usd(sum(known))
    tokens = sum((r.input_tokens or 0) + (r.output_tokens or 0) for r in records)
    return cost, sum(calls(r) for r in records), unknown, tokens


def is_something(records: list[CostRecord]) -> bool:
    names = ("amount_nano_usd", "input_tokens", "output_tokens")
    sums = [sum(getattr(record, name) or 0 for record in records) for name in names]
    unknown = sum(calls(record) for record in records if record.amount_nano_usd is None)
    return any([*sums, unknown, sum(map(calls, records))])


@pytest.mark.requirement("cost:bad:days", "cost:report:trend")
@settings(max_examples=200, deadline=None)
@given(
    st.lists(FACTS, min_size=1, max_size=3),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True),
    st.sampled_from([{}, {"agent": "x"}, {"feature": "f", "model": "(none)"}]),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]),
)
def test_the_report_is_what_a_naive_sum_gives(
    batches: list[list[CostRecord]], keys: list[str], where: dict[str, str], timezone: str
) -> None:
    source = Tables()
    for batch in batches:
        source.add(*batch)
    window = Window(MONTH.start_us, MONTH.end_us, timezone)
    query = ReportQuery(window=window, group_by=tuple(keys), where=where, limit=1_000)
    report = cost_report(source, query, CONFIG)
    found = matching([record for batch in batches for record in batch], query, COLUMNS)
    records = [record for record in found if record.provenance != "billed"]
    groups = {
        name: members
        for name, members in grouped(records, query, COLUMNS).items()
        if is_something(members)
    }
    rows = {row.category: (row.cost, row.count, row.unknown, row.tokens)
            for row in report.breakdown}  # fmt: skip
    assert rows == {name: expected(members) for name, members in groups.items()}
    assert report.total_cost == expected(records)[0]
    assert report.unknown.count == expected(records)[2]
    by_day = Counter[str]()
    for record in records:
        by_day[time_label(record.time_us, "day", timezone)] += record.amount_nano_usd or 0
    trend = {point.date: point.cost for point in report.trend if point.cost}
    assert trend == {day: usd(nano) for day, nano in by_day.items() if nano}
    total = sum((Fraction(row.cost) for row in report.breakdown if row.cost), Fraction())
    assert total == Fraction(report.total_cost or 0)


@pytest.mark.requirement("cost:well:exact-sums")
@given(st.lists(st.integers(2**62, 2**63 - 1), min_size=1, max_size=40), st.integers(1, 9))
def test_sums_far_beyond_64_bits_are_exact(amounts: list[int], copies: int) -> None:
    source = Tables()
    for _ in range(copies):
        source.add(*(fact(0, nano, input_tokens=nano) for nano in amounts))
    report = asked(source, "model", detail=False)
    assert report.total_cost == usd(sum(amounts) * copies)
    assert report.tokens.input_tokens == sum(amounts) * copies
