"""The shape of a reconciliation, for `reconcile --json`."""

from __future__ import annotations

from contextframe_monitoring.core.money import usd
from contextframe_monitoring.core.reconciliation import Difference
from contextframe_monitoring.core.reports.report import BreakdownRow, Money, Period, Report


class DifferenceRow(BreakdownRow):
    """One model on one UTC day. `difference` is billed less computed, None where no amount was
    billed; `within` the tolerance or not.
    """

    day: str
    model: str | None
    computed: Money
    billed: Money | None
    difference: Money | None
    percentage: float | None
    within: bool
    facts: int
    unknown: int
    reason: str | None


class ReconciliationReport(Report):
    """A provider's bill against what was computed."""

    period: Period
    provider: str
    computed: Money
    billed: Money | None
    difference: Money | None
    findings: int
    stored: int
    breakdown: tuple[DifferenceRow, ...]
    notes: tuple[str, ...] = ()
    more: int = 0
    omitted: tuple[str, ...] = ()


def difference_row(one: Difference) -> DifferenceRow:
    """Return a difference in dollars."""
    billed, gap = one.billed.nano_usd, one.difference_nano_usd
    return DifferenceRow(
        category=f"{one.day} {one.model or '(no model)'}",
        day=one.day,
        model=one.model,
        computed=usd(one.computed.nano_usd),
        billed=None if billed is None else usd(billed),
        difference=None if gap is None else usd(gap),
        percentage=round(gap / billed * 100, 1) if gap is not None and billed else None,
        within=one.is_within,
        facts=one.computed.count,
        unknown=one.computed.unknown,
        reason=one.reason,
    )
