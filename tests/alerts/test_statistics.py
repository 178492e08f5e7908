"""Alerts in figures."""

from __future__ import annotations

import pytest

from contextframe_monitoring.alerts.statistics import statistics
from contextframe_monitoring.core.reports.alerts import AlertStatistics, RuleCount
from contextframe_monitoring.query.alert_events import EventFact

MINUTE = 60_000_000


def fact(minute: int, alert: str, action: str, rule: str = "A", **more: str) -> EventFact:
    severity, group = more.get("severity", "warning"), more.get("group", "g")
    return EventFact(minute, minute * MINUTE, alert, action, rule, severity, (group,))


@pytest.mark.requirement("001:alerts:statistics")
@pytest.mark.requirement("alerts:life:statistics")
def test_counts_times_and_flapping() -> None:
    facts = [
        fact(0, "a1", "fired"),
        fact(10, "a1", "acknowledged"),
        fact(30, "a1", "resolved"),
        fact(40, "b1", "fired", "B", severity="critical"),
        fact(50, "a2", "fired"),
        fact(51, "a2", "resolved"),
        fact(60, "a3", "fired"),
        fact(61, "a3", "resolved"),
        fact(70, "a4", "fired"),
        fact(71, "c1", "fired", group="other"),
    ]
    assert statistics(facts) == AlertStatistics(
        fired=6,
        resolved=3,
        acknowledged=1,
        by_severity={"critical": 1, "warning": 5},
        by_rule=(
            RuleCount(
                rule="A", fired=5, flaps=3, minutes_to_acknowledge=10.0,
                minutes_to_resolve=10.667,
            ),
            RuleCount(
                rule="B", fired=1, flaps=0, minutes_to_acknowledge=None, minutes_to_resolve=None
            ),
        ),
        minutes_to_acknowledge=10.0,
        minutes_to_resolve=10.667,
        flapping=("A",),
    )  # fmt: skip


def test_nothing_has_no_figures() -> None:
    assert statistics([]) == AlertStatistics(
        fired=0, resolved=0, acknowledged=0, by_severity={}, by_rule=(),
        minutes_to_acknowledge=None, minutes_to_resolve=None, flapping=(),
    )  # fmt: skip
