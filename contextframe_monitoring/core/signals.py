"""The signals that a rule can watch, what each is measured in, and which rows it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Signal = Literal[
    "cost", "cost_rate", "projected_cost", "unknown_cost_share", "budget_used", "error_rate",
    "error_count", "api_failures", "latency", "slow_count", "throughput", "usage_count", "metric",
    "category_share", "no_data", "anomaly", "definition_tokens", "records_lost", "drain_lag",
    "rule_problems", "export_failures",
]  # fmt: skip
Family = Literal["cost", "performance", "usage", "own", "series"]
"""The rows that a signal reads: those of one table, the monitor's own figures, or the rows of the
signal whose course it judges.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalKind:
    """What is fixed about a signal."""

    family: Family
    unit: str
    meaning: str
    comparison: Literal["above", "below"] = "above"
    threshold: float | None = None
    """The bound of a rule that gives none; None: it must give one."""
    is_share: bool = False
    is_windowed: bool = True
    """Whether it can be asked about another window, and so be compared with one."""
    has_window: bool = True
    """Whether its window means anything."""
    adds_up: bool = False
    """Whether twice the window holds about twice as much: a baseline is then scaled to it."""


SIGNALS: Mapping[Signal, SignalKind] = {
    "cost": SignalKind(family="cost", unit="USD", meaning="known cost in the window", adds_up=True),
    "cost_rate": SignalKind(family="cost", unit="USD/h", meaning="known cost per hour"),
    "projected_cost": SignalKind(
        family="cost",
        unit="USD",
        meaning="where the cost of the calendar period will end",
        is_windowed=False,
        has_window=False,
    ),
    "unknown_cost_share": SignalKind(
        family="cost", unit="share", meaning="facts without a known price", is_share=True
    ),
    "budget_used": SignalKind(
        family="cost",
        unit="share",
        meaning="cost of this month / budget.monthly_usd; 1 is all of it",
        is_windowed=False,
        has_window=False,
    ),
    "error_rate": SignalKind(
        family="performance", unit="share", meaning="errors / (successes + errors)", is_share=True
    ),
    "error_count": SignalKind(
        family="performance", unit="errors", meaning="operations that failed", adds_up=True
    ),
    "api_failures": SignalKind(
        family="performance",
        unit="failures",
        meaning="operations that failed, timeouts and calls that went out among them",
        adds_up=True,
    ),
    "latency": SignalKind(
        family="performance", unit="ms", meaning="duration of operations, p95 by default"
    ),
    "slow_count": SignalKind(
        family="performance", unit="operations", meaning="operations that took long", adds_up=True
    ),
    "throughput": SignalKind(
        family="performance", unit="operations/s", meaning="operations per second"
    ),
    "usage_count": SignalKind(
        family="usage", unit="uses", meaning="rows of use: accesses, queries, events", adds_up=True
    ),
    "metric": SignalKind(family="usage", unit="", meaning="a custom metric"),
    "category_share": SignalKind(
        family="usage", unit="share", meaning="rows that match share_of", is_share=True
    ),
    "no_data": SignalKind(
        family="series",
        unit="records",
        meaning="records that came; with group_by: of groups seen on the day before",
        comparison="below",
        threshold=1.0,
        is_windowed=False,
    ),
    "anomaly": SignalKind(
        family="series",
        unit="deviations",
        meaning="robust distance from what this time of day is usually like",
        threshold=6.0,
        is_windowed=False,
        has_window=False,
    ),
    "definition_tokens": SignalKind(
        family="usage",
        unit="tokens",
        meaning="growth of a tool's definition since it was first seen",
        is_windowed=False,
        has_window=False,
    ),
    "records_lost": SignalKind(
        family="own",
        unit="records",
        meaning="records that could not be stored",
        threshold=0.0,
        is_windowed=False,
    ),
    "drain_lag": SignalKind(
        family="own",
        unit="s",
        meaning="age of the oldest record that waits in a spool",
        threshold=30.0,
        is_windowed=False,
        has_window=False,
    ),
    "rule_problems": SignalKind(
        family="own",
        unit="problems",
        meaning="rules that can't be evaluated, are slow, or have too many groups",
        threshold=0.0,
        is_windowed=False,
        has_window=False,
    ),
    "export_failures": SignalKind(
        family="own",
        unit="failures",
        meaning="failures in a row of a target that metrics are sent to",
        threshold=4.0,
        is_windowed=False,
        has_window=False,
    ),
}
