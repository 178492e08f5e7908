"""Projections: what is spent stays, the rest follows the days so far."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.forecast import (
    Day,
    budget_nano_usd,
    budget_status,
    days_until,
    forecast,
)


def month(costs: list[int], days: int = 30) -> list[Day]:
    """The month starts on a Monday; days without a cost are still to come."""
    costs = costs + [0] * (days - len(costs))
    return [
        Day(i * US_PER_DAY, (i + 1) * US_PER_DAY, i % 7, days, cost) for i, cost in enumerate(costs)
    ]


def at(days: float) -> int:
    return int(days * US_PER_DAY)


@pytest.mark.requirement("003:stats:projection")
def test_the_estimate_is_the_daily_mean_times_the_days() -> None:
    found = forecast(month([100, 200, 300]), 0, at(3), at(30))
    assert (found.estimated_nano_usd, found.rate_nano_usd_per_day) == (200 * 30, 200)


def test_today_counts_by_the_part_that_has_passed() -> None:
    found = forecast(month([100, 100, 50]), 0, at(2.5), at(30))
    assert found.estimated_nano_usd == 3_000


def test_the_interval_widens_with_the_spread_and_never_goes_below_what_is_spent() -> None:
    calm = forecast(month([100, 101, 99, 100]), 0, at(4), at(30))
    wild = forecast(month([10, 300, 20, 70]), 0, at(4), at(30))
    assert calm.high_nano_usd is not None
    assert wild.high_nano_usd is not None
    assert calm.high_nano_usd - calm.low_nano_usd < wild.high_nano_usd - wild.low_nano_usd
    assert wild.low_nano_usd == 400


@pytest.mark.requirement("cost:report:projection", "003:ok:projection", "003:desc:predictive")
def test_the_interval_is_that_of_a_sum_of_further_days() -> None:
    found = forecast(month([100, 300]), 0, at(2), at(4))
    spread = (2 * 100**2) ** 0.5 * (2 + 2**2 / 2) ** 0.5  # one degree of freedom
    assert found.estimated_nano_usd == 800
    assert found.high_nano_usd == pytest.approx(800 + 3.078 * spread, abs=4)
    assert found.low_nano_usd == 400


@pytest.mark.requirement("cost:report:projection", "002:future:predictive-cost")
def test_from_two_weeks_on_each_day_follows_its_weekday() -> None:
    costs = [100, 100, 100, 100, 100, 0, 0] * 2
    found = forecast(month(costs, 28), 0, at(14), at(28))
    assert (found.estimated_nano_usd, found.low_nano_usd, found.high_nano_usd) == (
        2_000, 2_000, 2_000,
    )  # fmt: skip
    weekend = forecast(month(costs, 28)[:16], 0, at(14), at(16))
    assert weekend.estimated_nano_usd == 1_200


@pytest.mark.requirement("cost:report:edges")
def test_on_the_first_day_the_upper_end_is_not_known() -> None:
    found = forecast(month([10]), 0, at(0.5), at(30))
    assert (found.estimated_nano_usd, found.low_nano_usd, found.high_nano_usd) == (600, 10, None)


@pytest.mark.requirement("003:stats:zero-safe")
def test_at_the_very_start_nothing_is_divided_by_zero() -> None:
    assert forecast(month([]), 0, 1, at(30)).estimated_nano_usd == 0
    assert forecast(month([24]), 0, 1, at(30)).rate_nano_usd_per_day == 24 * 24


def test_a_period_that_is_over_has_no_interval() -> None:
    found = forecast(month([5] * 30), 0, at(30), at(30))
    assert (found.estimated_nano_usd, found.low_nano_usd, found.high_nano_usd) == (150, 150, 150)


@given(
    st.lists(st.integers(0, 10**15), max_size=30),
    st.floats(0.001, 29.9),
)
def test_an_estimate_lies_in_its_interval_above_what_is_spent(
    costs: list[int], passed: float
) -> None:
    costs = costs[: int(passed) + 1]
    found = forecast(month(costs), 0, at(passed), at(30))
    assert sum(costs) <= found.low_nano_usd <= found.estimated_nano_usd
    assert found.high_nano_usd is None or found.estimated_nano_usd <= found.high_nano_usd


def test_each_day_carries_its_part_of_a_months_budget() -> None:
    days = month([])
    assert budget_nano_usd(days, 0, at(30), 3_000) == 3_000
    assert budget_nano_usd(days, 0, at(7), 3_000) == 700
    assert budget_nano_usd(days, at(0.5), at(1), 3_000) == 50


@pytest.mark.parametrize(
    ("estimate", "status"),
    [(0, "under_budget"), (799, "under_budget"), (800, "on_track"), (999, "on_track"),
     (1_000, "over_budget"), (5_000, "over_budget")],
)  # fmt: skip
def test_the_budget_is_judged_by_the_estimate(estimate: int, status: str) -> None:
    assert budget_status(estimate, 1_000) == status


def test_without_a_budget_there_is_nothing_to_judge() -> None:
    assert budget_status(5, None) == "no_budget"
    assert days_until(None, 5, Fraction(1)) is None


@pytest.mark.parametrize(
    ("spent", "rate", "days"),
    [(0, 100, 10.0), (950, 100, 0.5), (1_000, 100, 0.0), (2_000, 100, 0.0), (0, 0, None),
     (0, -5, None)],
)  # fmt: skip
def test_days_until_the_budget_is_spent(spent: int, rate: int, days: float | None) -> None:
    assert days_until(1_000, spent, Fraction(rate)) == days
