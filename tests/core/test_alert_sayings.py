"""Alerts in words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.alert_sayings import (
    BANNER_CHARS_MAX,
    alert_line,
    banner,
    firing_words,
    say_alerts,
)
from contextframe_monitoring.core.reports.alerts import AlertRow, AlertsReport, IncidentRow

ROW = AlertRow(
    id="a-1",
    type="cost",
    rule="HighDailyCost",
    severity="critical",
    status="active",
    message="HighDailyCost: cost of today is 612 USD, above 500 USD",
    threshold_value=500.0,
    actual_value=612.0,
    unit="USD",
    created_at="2026-11-20T10:00:00+00:00",
    fired_at="2026-11-20T10:05:00+00:00",
    acknowledged_by="agent 'x\ny'",
    incident_id="i-1",
    revision=7,
)
INCIDENT = IncidentRow(
    incident_id="i-1",
    count=2,
    severity="critical",
    message=ROW.message,
    rules=("HighDailyCost",),
    since="2026-11-20T10:05:00+00:00",
)


def test_how_many_fire_comes_first_the_worst_named_first() -> None:
    report = AlertsReport(
        alerts=(ROW,),
        more=3,
        active={"critical": 1, "info": 3},
        incidents=(INCIDENT,),
        revision=9,
        evaluated_at=None,
        note="no rule was evaluated yet",
    )
    said = say_alerts(report)
    assert said.headline == "4 alerts firing: 1 critical, 3 info"
    assert said.lines == [
        "no rule was evaluated yet",
        "incident i-1: 2 alerts, HighDailyCost: cost of today is 612 USD, above 500 USD",
        alert_line(ROW),
        "3 more: ask again with next_cursor",
        "what changes from here on: since=9",
    ]


def test_an_alert_is_one_line_and_foreign_names_are_quoted() -> None:
    assert alert_line(ROW) == (
        "a-1 critical, active, taken on by \"agent 'x\\ny'\", since 2026-11-20T10:05:00+00:00: "
        "HighDailyCost: cost of today is 612 USD, above 500 USD"
    )


def test_nothing_and_one_are_said_in_words() -> None:
    assert firing_words({}) == "no alert is firing"
    assert firing_words({"error": 1}) == "1 alert firing: 1 error"


@given(st.text(max_size=2_000), st.integers(1, 10**9))
def test_a_banner_is_one_bounded_line(message: str, number: int) -> None:
    said = banner({"error": number, "critical": number}, message)
    assert len(said) <= BANNER_CHARS_MAX
    assert said.isprintable()
