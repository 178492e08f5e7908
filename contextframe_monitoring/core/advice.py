"""What a person should do about an alert, by what it is about."""

from __future__ import annotations

from typing import Literal, NamedTuple

Analytics = Literal["cost", "usage", "performance"]
"""The report whose figures explain an alert."""


class Advice(NamedTuple):
    """What to look at, and what to do."""

    analytics: Analytics | None
    recommendation: str


_COST = "see which model or tool it comes from: contextframe-monitoring report cost"
_ERRORS = "see what fails: contextframe-monitoring report performance --group-by target"
_SLOW = "see what is slow: contextframe-monitoring report performance --group-by target"
_USAGE = "see who uses what: contextframe-monitoring report usage"
_ITSELF = "see what is wrong with the monitoring itself: contextframe-monitoring doctor"

SIGNALS: dict[str, Advice] = {
    "cost": Advice("cost", _COST),
    "cost_rate": Advice("cost", _COST),
    "projected_cost": Advice("cost", _COST),
    "budget_used": Advice("cost", "lower the spending or raise the budget; " + _COST),
    "unknown_cost_share": Advice("cost", "add the missing prices: contextframe-monitoring prices"),
    "category_share": Advice(
        "usage", "review the code that chooses this category; " + _USAGE + " --group-by category"
    ),
    "usage_count": Advice("usage", _USAGE),
    "metric": Advice("usage", _USAGE),
    "error_rate": Advice("performance", _ERRORS),
    "error_count": Advice("performance", _ERRORS),
    "api_failures": Advice("performance", _ERRORS),
    "latency": Advice("performance", _SLOW),
    "slow_count": Advice("performance", _SLOW),
    "throughput": Advice("performance", _SLOW),
    "definition_tokens": Advice(
        "cost",
        "shorten the tools' definitions: contextframe-monitoring report cost --group-by tool",
    ),
    "no_data": Advice(None, "is the program still running, and does it still record?"),
    "records_lost": Advice(None, _ITSELF),
    "drain_lag": Advice(None, _ITSELF),
    "export_failures": Advice(
        None, "what it misses waits; see the reason: contextframe-monitoring export --list-targets"
    ),
    "rule_problems": Advice(None, "see which rule: contextframe-monitoring alerts rules"),
}
"""Signal of a rule -> advice."""
NO_ADVICE = Advice(None, "look at it: contextframe-monitoring alerts list")

VIOLATIONS = frozenset(
    name for name, advice in SIGNALS.items() if advice.analytics in {"cost", "usage"}
)
"""Signals about how much is spent and used: a program that violates them for long has to be looked
at by its authors.
"""
