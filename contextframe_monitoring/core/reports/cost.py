"""The shape of the cost report, in the words of the statistics seed."""

from __future__ import annotations

from pydantic import Field

from contextframe_monitoring.core.forecast import BudgetStatus
from contextframe_monitoring.core.reports.report import (
    BreakdownRow,
    Money,
    Part,
    Period,
    Report,
    Resolution,
    sometimes,
)


class Tokens(Part):
    """Sums of tokens. The columns don't overlap; reasoning tokens are part of the output."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class UnknownModel(Part):
    """A model whose facts could not be priced."""

    model: str
    provider: str
    count: int
    tokens: Tokens


class UnknownCost(Part):
    """Facts without a known cost; they are in no sum. `models` lists the most frequent."""

    count: int
    models: tuple[UnknownModel, ...] = ()


class CostRow(BreakdownRow):
    """Cost of one category; `percentage` of the total; `unknown` facts are not in `cost`."""

    cost: Money | None
    percentage: float | None
    count: int
    tokens: int
    unknown: int = Field(default=0, exclude_if=lambda count: count == 0)


class CostPoint(Part):
    """Cost of one day (or, for long windows, month)."""

    date: str
    cost: Money | None


class Projection(Part):
    """Where the period will end. The interval is meant to hold in `confidence` of the cases;
    `high` is None while the days say nothing about their spread.
    """

    estimated_total: Money
    low: Money
    high: Money | None
    confidence: float
    budget_status: BudgetStatus
    days_until_budget_limit: float | None
    budget: Money | None = sometimes()
    estimated_monthly: Money | None = sometimes()


class Mover(Part):
    """A category whose cost changed, now minus before."""

    category: str
    cost: Money
    previous_cost: Money
    change: Money


class PreviousCost(Part):
    """The window before. `complete` is False where rows don't reach back over all of it."""

    total_cost: Money | None
    change: Money | None
    change_percentage: float | None
    movers: tuple[Mover, ...]
    complete: bool


class ProvenanceShare(Part):
    """Where dollars come from. What was billed is shown, but never part of the total."""

    provenance: str
    cost: Money | None
    percentage: float | None
    count: int


class ToolContext(Part):
    """What a tool puts into the context of whoever may call it.

    `definition_growth` is how much its definition grew since it was first seen, `result_cost` what
    its results cost to be read once, None when the model or its price is not known. A tool that
    was never called in the window has 0 calls.
    """

    server: str | None
    tool: str
    definition_tokens: int | None
    definition_growth: int
    calls: int
    result_tokens: int | None
    result_cost: Money | None
    tokens_estimated: bool
    """False where a tokenizer's vocabulary counted all of them."""


class CostReport(Report):
    """What was spent, on what, and how sure that is."""

    SECTIONS = ("tools", "trend", "previous", "cache_savings", "provenance", "projection")

    period: Period
    total_cost: Money | None
    tokens: Tokens
    unknown: UnknownCost
    breakdown: tuple[CostRow, ...]
    more: int = 0
    trend: tuple[CostPoint, ...] = ()
    projection: Projection | None = None
    previous: PreviousCost | None = None
    cache_savings: Money | None = None
    provenance: tuple[ProvenanceShare, ...] = ()
    tools: tuple[ToolContext, ...] = sometimes(())
    tools_model: str | None = sometimes()
    resolution: Resolution
    note: str | None = sometimes()
    omitted: tuple[str, ...] = sometimes(())
