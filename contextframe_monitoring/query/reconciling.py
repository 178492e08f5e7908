"""What we counted, beside what was billed: the same days, the same provider, in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from contextframe_monitoring.core.bills import BillPage, plain_model
from contextframe_monitoring.core.model_names import canonical_provider
from contextframe_monitoring.core.money import usd
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.reconciliation import (
    Counted,
    Difference,
    Place,
    billed_by_place,
    differences,
)
from contextframe_monitoring.core.reports.reconciliation import (
    ReconciliationReport,
    difference_row,
)
from contextframe_monitoring.core.windows import Window, to_us
from contextframe_monitoring.query.breakdown import period
from contextframe_monitoring.query.cost_cube import CostCube
from contextframe_monitoring.query.scan import Scan
from contextframe_monitoring.query.source import RowSource
from contextframe_monitoring.store.schemas import COST

_KEYS = ("day", "provider", "model", "provenance", "type")


def reconciliation(
    source: RowSource,
    provider: str,
    pages: Sequence[BillPage],
    *,
    tolerance_nano_usd: int,
    stored: int = 0,
    notes: Iterable[str] = (),
) -> ReconciliationReport:
    """Return how the pages of one provider's bill stand against what was computed."""
    window = bill_window(pages)
    computed = _computed(source, window, provider)
    lines = (line for page in pages for _, lines in page.buckets for line in lines)
    found = differences(computed, billed_by_place(lines), tolerance_nano_usd)
    amounts = [one.billed.nano_usd for one in found if one.billed.nano_usd is not None]
    ours = sum(one.computed.nano_usd for one in found)
    return ReconciliationReport(
        period=period(window),
        provider=provider,
        computed=usd(ours),
        billed=usd(sum(amounts)) if amounts else None,
        difference=usd(sum(amounts) - ours) if amounts else None,
        findings=sum(not one.is_within for one in found),
        stored=stored,
        breakdown=tuple(difference_row(one) for one in _largest_first(found)),
        notes=tuple(notes),
    )


def bill_window(pages: Sequence[BillPage]) -> Window:
    """Return the UTC days that the pages cover."""
    start = min(page.start for page in pages).replace(hour=0, minute=0, second=0, microsecond=0)
    end: datetime = max(page.end for page in pages)
    return Window(to_us(start), to_us(end), "UTC")


def _computed(source: RowSource, window: Window, provider: str) -> dict[Place, Counted]:
    """Return the sums of what we counted of model calls by day and model; bills are left out."""
    scan = Scan(source, COST, ReportQuery(window=window, include_own=True))
    cube = CostCube({name: scan.key(name) for name in _KEYS})
    for rows in scan.rows(cube.columns):
        cube.add(rows)
    found: dict[Place, Counted] = {}
    for (day, paid, model, kind), sums in cube.by("day", "provider", "model", "type").items():
        if kind != "llm" or paid is None or canonical_provider(paid) != provider:
            continue
        place = (day or "", plain_model(model))
        before = found.get(place, Counted())
        plain, read, short, long, output, _ = sums.tokens
        new = (plain, read, short + long, output)
        first, second, third, fourth = (a + b for a, b in zip(before.tokens, new, strict=True))
        found[place] = Counted(
            nano_usd=before.nano_usd + sums.nano_usd,
            count=before.count + sums.count,
            unknown=before.unknown + sums.unknown,
            tokens=(first, second, third, fourth),
        )
    return found


def _largest_first(found: Iterable[Difference]) -> list[Difference]:
    return sorted(found, key=lambda one: (one.is_within, -abs(one.difference_nano_usd or 0)))
