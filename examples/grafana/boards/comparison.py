"""Period comparison: now against as long before, with a line above which growth is too much."""

from __future__ import annotations

from collections.abc import Callable

from examples.grafana import limits
from examples.grafana.expressions import (
    DURATIONS,
    NO_STREAM,
    OPERATIONS,
    REQUESTS,
    SERVER,
    STEP,
    STORE,
    TOKENS,
    change,
    cost,
    failed_share,
    quantile,
    total,
)
from examples.grafana.panels import Dashboard, Panel, Query, stat
from examples.grafana.rules import COST_1D, OPERATIONS_1D
from examples.grafana.variables import CHANGE_MAX, PERIOD, SERVERS, STORES

_BEFORE = "$period"
_Measure = Callable[[str, str], str]
"""From the window and how long ago it ended to an expression."""


def _requests(over: str, offset: str) -> str:
    return total(OPERATIONS, f"{SERVER},{REQUESTS}", over=over, offset=offset)


def _failed(over: str, offset: str) -> str:
    return failed_share(SERVER, over=over, offset=offset)


def _p95(over: str, offset: str) -> str:
    return quantile(0.95, DURATIONS, f"{SERVER},{NO_STREAM}", over=over, offset=offset)


def _cost(over: str, offset: str) -> str:
    return cost(STORE, over=over, function="rate", offset=offset)


def _cost_an_hour(over: str, offset: str) -> str:
    return f"3600 * ({_cost(over, offset)})"


def _tokens(over: str, offset: str) -> str:
    return total(TOKENS, STORE, over=over, offset=offset)


def _grown(title: str, measure: _Measure) -> Panel:
    now, before = measure("$period", ""), measure("$period", _BEFORE)
    text = "The last period against the one before: 50 % is half as much again"
    return stat(title, text, change(now, before), "percentunit", limits.COST_CHANGE)


def _beside(title: str, measure: _Measure, unit: str = "short") -> Panel:
    before = measure(STEP, _BEFORE)
    return Panel(
        title=title,
        text="Now, a period ago, and what would be too much",
        queries=[
            Query(measure(STEP, ""), "now"),
            Query(before, "$period ago"),
            Query(f"(1 + $change_max) * ({before})", "too much"),
        ],
        unit=unit,
        width=12,
    )


def _days(title: str, recorded: str, unit: str) -> Panel:
    return Panel(
        title=title,
        text="The day until then, and the same a week before; from the recording rules",
        queries=[
            Query(f"sum ({recorded}{{{STORE}}})", "day"),
            Query(f"sum ({recorded}{{{STORE}}} offset 7d)", "a week before"),
            Query(f"sum (avg_over_time({recorded}{{{STORE}}}[7d]))", "mean of a week"),
        ],
        unit=unit,
        width=12,
    )


DASHBOARD = Dashboard(
    name="comparison",
    title="Period comparison",
    text="What grew since the period before, and whether that is too much.",
    variables=[STORES, SERVERS, PERIOD, CHANGE_MAX],
    rows={
        "Growth": [
            _grown("Requests", _requests),
            _grown("Failed share", _failed),
            _grown("p95", _p95),
            _grown("Cost", _cost),
            _grown("Tokens", _tokens),
        ],
        "Side by side": [
            _beside("Requests", _requests, "reqps"),
            _beside("Failed share", _failed, "percentunit"),
            _beside("p95", _p95, "s"),
            _beside("Cost an hour", _cost_an_hour, "currencyUSD"),
        ],
        "Days": [
            _days("Requests a day", OPERATIONS_1D, "short"),
            _days("Cost a day", COST_1D, "currencyUSD"),
        ],
    },
    since="now-24h",
)
