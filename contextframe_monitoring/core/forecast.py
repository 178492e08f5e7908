"""Where spending will stand at the end of its period, and what that means for a budget.

Money is integer nano-dollars; shares of days are fractions, so nothing is rounded before the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from contextframe_monitoring.core.clock import US_PER_DAY

BudgetStatus = Literal["no_budget", "under_budget", "on_track", "over_budget"]

CONFIDENCE = 0.8
"""The share of cases in which the interval is meant to hold the outcome."""
_T_TENTHS = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372)
"""90 % points of Student's t for 1 to 10 degrees of freedom (two sides: 80 %)."""
_T_MANY = 1.2816
_WEEKDAY_DAYS_MIN = 14
_WARNING_SHARE = Fraction(8, 10)
_ELAPSED_MIN = Fraction(1, 24)
"""A rate is never taken over less than an hour."""


@dataclass(frozen=True, slots=True)
class Day:
    """One calendar day that belongs to the period: where it starts and ends, its weekday (0 is
    Monday), the number of days of its month, and what it cost up to now.
    """

    start_us: int
    end_us: int
    weekday: int
    month_days: int
    cost_nano_usd: int = 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the period will cost, nano-dollars. `high_nano_usd` is None where the days so far say
    nothing about their spread.
    """

    estimated_nano_usd: int
    low_nano_usd: int
    high_nano_usd: int | None
    rate_nano_usd_per_day: Fraction


def forecast(days: Sequence[Day], start_us: int, now_us: int, end_us: int) -> Forecast:
    """Project the cost of a period that runs from `start_us` to `end_us`.

    What is spent stays; each day to come adds the mean of the days so far (today counted by its
    part that has passed), or of its weekday once there are 14 complete days. The interval is that
    of a sum of so many further days with the spread of the complete ones; it needs two of them.
    """
    spent = sum(day.cost_nano_usd for day in days)
    elapsed = sum((_part(day, start_us, now_us) for day in days), Fraction())
    rate = spent / max(elapsed, _ELAPSED_MIN)
    left = [(day, _part(day, now_us, end_us)) for day in days]
    remaining = sum((part for _, part in left), Fraction())
    if not remaining:
        return Forecast(spent, spent, spent, rate)
    complete = [day for day in days if start_us <= day.start_us and day.end_us <= now_us]
    means, degrees = _means(complete, rate)
    estimate = spent + sum((part * means[day.weekday] for day, part in left), Fraction())
    if degrees < 1:
        return Forecast(round(estimate), min(spent, round(estimate)), None, rate)
    squares = sum(((day.cost_nano_usd - means[day.weekday]) ** 2 for day in complete), Fraction())
    spread = squares / degrees * (remaining + remaining**2 / len(complete))
    half = _t(degrees) * math.isqrt(round(spread))
    low = max(estimate - half, Fraction(min(spent, round(estimate))))
    return Forecast(round(estimate), round(low), round(estimate + half), rate)


def budget_nano_usd(days: Sequence[Day], start_us: int, end_us: int, monthly_nano_usd: int) -> int:
    """Return the part of a monthly budget that falls to a period: each day carries its month's
    budget divided by the days of that month.
    """
    months = (Fraction(_part(day, start_us, end_us), day.month_days) for day in days)
    return round(monthly_nano_usd * sum(months, Fraction()))


def budget_status(estimated_nano_usd: int, budget: int | None) -> BudgetStatus:
    """Return where the estimate stands: under 80 % of the budget, under 100 %, or above."""
    if budget is None:
        return "no_budget"
    if estimated_nano_usd < budget * _WARNING_SHARE:
        return "under_budget"
    return "on_track" if estimated_nano_usd < budget else "over_budget"


def days_until(budget: int | None, spent: int, rate: Fraction) -> float | None:
    """Return the days until the budget is spent at this rate: 0 when it is, None when never."""
    if budget is None:
        return None
    if spent >= budget:
        return 0.0
    return round(float((budget - spent) / rate), 1) if rate > 0 else None


def _part(day: Day, start_us: int, end_us: int) -> Fraction:
    """Return which part of the day lies between the two times."""
    inside = min(day.end_us, end_us) - max(day.start_us, start_us)
    return Fraction(max(inside, 0), day.end_us - day.start_us or US_PER_DAY)


def _means(complete: Sequence[Day], rate: Fraction) -> tuple[list[Fraction], int]:
    """Return the expected cost by weekday, and the degrees of freedom of the spread around it."""
    if len(complete) < _WEEKDAY_DAYS_MIN:
        return [rate] * 7, len(complete) - 1
    by_weekday = [[d.cost_nano_usd for d in complete if d.weekday == wd] for wd in range(7)]
    return [Fraction(sum(costs), len(costs)) for costs in by_weekday], len(complete) - 7


def _t(degrees: int) -> Fraction:
    return Fraction(_T_TENTHS[degrees - 1] if degrees <= len(_T_TENTHS) else _T_MANY)
