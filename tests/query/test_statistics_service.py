"""`StatisticsService`, as an application asks it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from contextframe_monitoring import Monitor, StatisticsService
from contextframe_monitoring.core.errors import InvalidError
from tests.clocks import ManualClock


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    store = str(tmp_path / "store")
    with Monitor.open(store=store, start_keeper=False, clock=ManualClock()) as opened:
        yield opened


@pytest.mark.requirement("003:stats:get-cost-statistics", "003:stats:model-category")
async def test_costs_of_a_period_are_told_by_service_and_operation_the_highest_first(
    monitor: Monitor,
) -> None:
    await monitor.collector.track_cost("openai", "embedding", Decimal("0.01"))
    await monitor.collector.track_cost("openai", "gpt-4", Decimal("0.0456"), user_tier="pro")
    found = await StatisticsService(monitor).get_cost_statistics("today", "model")
    assert [(row.category, row.cost, row.count, row.percentage) for row in found.breakdown] == [
        ("openai_gpt-4", Decimal("0.0456"), 1, 82.0),
        ("openai_embedding", Decimal("0.01"), 1, 18.0),
    ]
    assert found.total_cost == Decimal("0.0556")
    tiers = await monitor.statistics.get_cost_statistics("month", "user_tier")
    assert [(row.category, row.cost) for row in tiers.breakdown] == [
        ("pro", Decimal("0.0456")),
        ("(none)", Decimal("0.01")),
    ]


@pytest.mark.requirement("000:event:llm-tokens", "000:event:estimated-cost")
async def test_an_event_may_say_what_a_model_used_and_cost_or_leave_it_unknown(
    monitor: Monitor,
) -> None:
    numbers = {"llm_tokens_used": 812, "estimated_cost_usd": 0.0021}
    monitor.usage.track_event("summary", "llm_enhanced", "ok", 1200.0, numbers)
    monitor.usage.track_event("summary", "rule_based", "ok", 40.0)
    query = monitor.reports.question("usage", since="1h", group_by=("category",))
    report = await monitor.in_thread(lambda: monitor.reports.usage(query))
    (event,) = report.events
    assert {number.number: (number.count, number.mean) for number in event.numbers} == {
        "estimated_cost_usd": (1, 0.0021),
        "llm_tokens_used": (1, 812.0),
    }


async def test_a_period_or_key_that_nobody_knows_is_refused(monitor: Monitor) -> None:
    with pytest.raises(InvalidError, match="fortnightly"):
        await monitor.statistics.get_cost_statistics("fortnightly", "model")
