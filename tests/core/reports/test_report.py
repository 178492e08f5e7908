"""What all reports share: cutting them short, and exact JSON."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from pydantic import ValidationError

from contextframe_monitoring.core.money import usd
from contextframe_monitoring.core.reports import (
    CostPoint,
    CostReport,
    CostRow,
    PerformanceReport,
    Period,
    Resolution,
    Tokens,
    UnknownCost,
    UsageReport,
)


def a_report(total_nano: int = 11_042_544_850, rows: int = 3) -> CostReport:
    return CostReport(
        period=Period(start="2026-11-01T00:00:00+00:00", end="2026-11-20T00:00:00+00:00",
                      timezone="UTC", name="month"),
        total_cost=usd(total_nano),
        tokens=Tokens(input_tokens=2**60),
        unknown=UnknownCost(count=0),
        breakdown=tuple(
            CostRow(category=f"c{i}", cost=usd(i), percentage=0.0, count=1, tokens=0)
            for i in range(rows)
        ),
        resolution=Resolution(),
        trend=(CostPoint(date="2026-11-01", cost=None),),
    )  # fmt: skip


def test_the_json_leads_with_period_and_total_and_leaves_empty_keys_out() -> None:
    assert json.loads(a_report(rows=1).json_text(), parse_float=Decimal) == {
        "period": {
            "start": "2026-11-01T00:00:00+00:00",
            "end": "2026-11-20T00:00:00+00:00",
            "timezone": "UTC",
            "name": "month",
        },
        "total_cost": Decimal("11.04254485"),
        "tokens": {
            "input_tokens": 2**60,
            "cache_read_tokens": 0,
            "cache_write_5m_tokens": 0,
            "cache_write_1h_tokens": 0,
            "output_tokens": 0,
            "reasoning_tokens": 0,
        },
        "unknown": {"count": 0, "models": []},
        "breakdown": [{"category": "c0", "cost": 0, "percentage": 0.0, "count": 1, "tokens": 0}],
        "more": 0,
        "trend": [{"date": "2026-11-01", "cost": None}],
        "projection": None,
        "previous": None,
        "cache_savings": None,
        "provenance": [],
        "resolution": {
            "source": "raw",
            "exact": True,
            "quantile_error": 0.0,
            "raw_since": None,
        },
    }


@pytest.mark.parametrize("nano", [1, 10**9 - 1, 123_456_789_012_345_678_901, -7, 2**63])
def test_money_is_written_digit_by_digit(nano: int) -> None:
    text = a_report(nano).json_text()
    written = json.loads(text, parse_float=str, parse_int=str)["total_cost"]
    assert written == f"{usd(nano):f}"


def test_as_a_float_money_keeps_its_digits_below_eight_million_dollars() -> None:
    for nano in (1, 8_388_607_123_456_789, 4_199_999_999_999_999):
        dumped = a_report(nano).model_dump(mode="json")["total_cost"]
        assert isinstance(dumped, float)
        assert Decimal(repr(dumped)) == usd(nano)


def test_indented_json_is_the_same_json() -> None:
    assert json.loads(a_report().json_text(indent=2)) == json.loads(a_report().json_text())


def test_a_trimmed_report_counts_what_was_cut() -> None:
    report = a_report(rows=5).trimmed(2)
    assert ([row.category for row in report.breakdown], report.more) == (["c0", "c1"], 3)
    again = report.trimmed(1)
    assert (len(again.breakdown), again.more) == (1, 4)
    assert report.trimmed(9) == report
    assert report.trimmed(-1).more == 5


def test_left_out_sections_are_named() -> None:
    report = a_report().without("trend", "projection", "total_cost")
    assert (report.trend, report.omitted) == ((), ("trend",))
    assert report.total_cost == usd(11_042_544_850)


@pytest.mark.parametrize("model", [CostReport, PerformanceReport, UsageReport])
def test_sections_can_be_left_out(model: type[CostReport]) -> None:
    for section in model.SECTIONS:
        assert not model.model_fields[section].is_required()


def test_the_outline_schema_has_less_than_half_the_words() -> None:
    outline = json.dumps(PerformanceReport.outline_schema())
    whole = json.dumps(PerformanceReport.model_json_schema(mode="serialization"))
    assert len(outline) < len(whole) / 2
    assert PerformanceReport.outline_schema()["properties"]["p95_ms"] == {
        "type": ["number", "null"]
    }


def test_schemas_spend_no_words_on_titles() -> None:
    for model in (CostReport, PerformanceReport, UsageReport):
        assert '"title"' not in json.dumps(model.model_json_schema(mode="serialization"))


def test_reports_are_frozen_and_closed() -> None:
    with pytest.raises(ValidationError):
        a_report().more = 5
    with pytest.raises(ValidationError):
        Period(start="", end="", timezone="UTC", extra=1)  # type: ignore[call-arg]
