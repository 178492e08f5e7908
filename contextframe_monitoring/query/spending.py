"""Spending by calendar day: the trend, and where the period will end against its budget."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from contextframe_monitoring.core.buckets import buckets
from contextframe_monitoring.core.forecast import (
    CONFIDENCE,
    Day,
    budget_nano_usd,
    budget_status,
    days_until,
    forecast,
)
from contextframe_monitoring.core.money import nano_usd, usd
from contextframe_monitoring.core.reports import CostPoint, Projection
from contextframe_monitoring.core.windows import Window, day_start_us, local
from contextframe_monitoring.query.cost_cube import CostSum

_TREND_DAYS_MAX = 400
_MONTH_CHARS = len("2026-11")


def trend(window: Window, by_day: Mapping[str, CostSum]) -> tuple[CostPoint, ...]:
    """Return the cost of each day of the window, of each month where there are over 400 days.

    A day without facts cost 0; one whose facts all have no price is not known.
    """
    days = buckets(window, "day").labels()
    if len(days) <= _TREND_DAYS_MAX:
        named = {day: [by_day[day]] if day in by_day else [] for day in days}
    else:
        named = {day[:_MONTH_CHARS]: [] for day in days}
        for day, found in by_day.items():
            named[day[:_MONTH_CHARS]].append(found)
    return tuple(CostPoint(date=name, cost=_cost(sums)) for name, sums in named.items())


def projection(
    window: Window, by_day: Mapping[str, CostSum], monthly_budget_usd: Decimal | None
) -> Projection:
    """Return where the window's period will end: a window without a period ends where it ends.

    A monthly budget counts for the part of its months that the period covers. How many days it
    lasts is only told for a calendar period in progress.
    """
    period = Window(window.start_us, window.period_end_us, window.timezone)
    days = _days(period, by_day)
    found = forecast(days, window.start_us, window.end_us, window.period_end_us)
    budget = None
    if monthly_budget_usd is not None:
        monthly = nano_usd(monthly_budget_usd, "monthly_budget", minimum=0)
        budget = budget_nano_usd(days, window.start_us, window.period_end_us, monthly)
    spent = sum(day.cost_nano_usd for day in days)
    in_progress = window.end_us < window.period_end_us
    high = found.high_nano_usd
    estimate = usd(found.estimated_nano_usd)
    return Projection(
        estimated_total=estimate,
        low=usd(found.low_nano_usd),
        high=None if high is None else usd(high),
        confidence=CONFIDENCE,
        budget_status=budget_status(found.estimated_nano_usd, budget),
        days_until_budget_limit=(
            days_until(budget, spent, found.rate_nano_usd_per_day) if in_progress else None
        ),
        budget=None if budget is None else usd(budget),
        estimated_monthly=estimate if window.period == "month" else None,
    )


def _days(period: Window, by_day: Mapping[str, CostSum]) -> list[Day]:
    cut = buckets(period, "day")
    last = local(period.end_us - 1, period.timezone).date()
    ends = [*cut.starts_us[1:], day_start_us(last + timedelta(days=1), period.timezone)]
    found = []
    for start_us, end_us, label in zip(cut.starts_us, ends, cut.labels(), strict=True):
        day = local(start_us, period.timezone).date()
        cost = by_day[label].nano_usd if label in by_day else 0
        month_days = monthrange(day.year, day.month)[1]
        found.append(Day(start_us, end_us, day.weekday(), month_days, cost))
    return found


def _cost(sums: list[CostSum]) -> Decimal | None:
    known = [found.known_nano_usd for found in sums]
    if known and all(amount is None for amount in known):
        return None
    return usd(sum(amount for amount in known if amount is not None))
