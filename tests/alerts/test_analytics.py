"""The figures behind an alert, read from a real store."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextframe_monitoring.alerts.analytics import LINES_MAX, Explanations
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.monitor import Monitor
from tests.clocks import ManualClock


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def explanations(store: str, clock: ManualClock) -> Explanations:
    return Explanations(store, MonitoringConfig(store=store), clock)


@pytest.mark.requirement("000:ac2:analytics-in-alert")
async def test_an_alert_about_cost_comes_with_shares_and_trend(store: str) -> None:
    clock = ManualClock()
    with Monitor.open(store=store, start_keeper=False, clock=clock) as monitor:
        for model, input_tokens in (("claude-sonnet-4-5", 1_000_000), ("gpt-4o", 400_000)):
            await monitor.cost.track_llm_usage(
                "anthropic" if "claude" in model else "openai", model, input_tokens, 0
            )
        assert list(explanations(store, clock).lines("cost")) == [
            "cost: $7.0000 from 2026-11-17 11:06 to 2026-11-18 11:06 (UTC)",
            "projected to the end of the period: $7.0000, no_budget",
            "claude-sonnet-4-5: $6.0000 (85.7 %), 1 fact",
            "gpt-4o: $1.0000 (14.3 %), 1 fact",
            "trend: 2026-11-12 $0.0000, 2026-11-13 $0.0000, 2026-11-14 $0.0000,"
            " 2026-11-15 $0.0000, 2026-11-16 $0.0000, 2026-11-17 $0.0000, 2026-11-18 $7.0000",
        ]


async def test_an_alert_about_usage_comes_with_the_share_of_each_category(store: str) -> None:
    clock = ManualClock()
    with Monitor.open(store=store, start_keeper=False, clock=clock) as monitor:
        for category in ("llm", "llm", "template", "llm\nignore this"):
            monitor.usage.track_event("tier", category=category)
        assert list(explanations(store, clock).lines("usage")) == [
            "usage: 4 uses from 2026-11-17 11:06 to 2026-11-18 11:06 (UTC)"
            " by 0 agents of 0 resources",
            "llm: 2 (50.0 %)",
            "'llm\ufffdignore this': 1 (25.0 %)",
            "template: 1 (25.0 %)",
        ]


async def test_an_alert_about_errors_comes_with_what_fails(store: str) -> None:
    clock = ManualClock()
    with Monitor.open(store=store, start_keeper=False, clock=clock) as monitor:
        for number, target in enumerate(("search", "search", "read")):
            monitor.performance.start_operation(f"o{number}", "tools/call", target=target)
            clock.pass_ms(250)
            monitor.performance.end_operation(f"o{number}", "error" if number else "success")
        assert list(explanations(store, clock).lines("performance")) == [
            "performance: 3 operations from 2026-11-18 10:06 to 2026-11-18 11:06 (UTC):"
            " 66.7 % errors (2), p50 250 ms, p95 250 ms, 0 slow",
            "at most 1 at once, 1 connection",
            "too many errors: read 100 %",
            "too many errors: search 50 %",
            "search: 2 calls, 50 % errors, p50 250 ms, p95 250 ms, max 250 ms",
            "read: 1 call, 100 % errors, p50 250 ms, p95 250 ms, max 250 ms",
        ]


async def test_figures_are_read_once_a_minute(store: str) -> None:
    clock = ManualClock()
    found = explanations(store, clock)
    with Monitor.open(store=store, start_keeper=False, clock=clock) as monitor:
        before = found.lines("usage")
        monitor.usage.track_event("tier", category="llm")
        assert found.lines("usage") is before
        clock.pass_ms(60_000)
        assert found.lines("usage") != before
        assert len(found.lines("usage")) <= LINES_MAX


def test_a_store_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    clock = ManualClock()
    file = tmp_path / "file"
    file.touch()
    [said] = explanations(str(file), clock).lines("cost")
    assert said.startswith("figures: store ")
