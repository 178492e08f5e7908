"""The cost report: what was spent, on what, how it moves, where it will end, what is not known.

A fact without a price is counted as unknown and is in no sum. What a provider billed is shown
beside what we computed, but never added to it. Sums are exact to the nano-dollar.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from contextframe_monitoring.core.buckets import BUCKET_UNITS
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.money import usd
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.reports import (
    CostReport,
    CostRow,
    Mover,
    PreviousCost,
    ProvenanceShare,
    Tokens,
    UnknownCost,
    UnknownModel,
)
from contextframe_monitoring.query.breakdown import (
    CATEGORY_JOIN,
    category,
    page,
    period,
    resolution,
    shown,
)
from contextframe_monitoring.query.cost_cube import (
    BILLED,
    COST_MEASURES,
    TOKENS,
    CostCube,
    CostSum,
    GroupLabels,
    PricedKey,
)
from contextframe_monitoring.query.keys import Key
from contextframe_monitoring.query.scan import Scan
from contextframe_monitoring.query.source import RowSource
from contextframe_monitoring.query.spending import projection, trend
from contextframe_monitoring.store.rollup import UNPRICED
from contextframe_monitoring.store.schemas import COST

MOVERS_MAX = 5
MODELS_MAX = 20
_DIMENSIONS = ("provenance", "provider", "model")
_PRICED = "#priced"


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Tokens that a model read from and wrote to its cache on one day, to put a price on."""

    provider: str | None
    model: str | None
    day: str
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int


CacheSavings = Callable[[CacheUse], Decimal | None]
"""Returns the dollars that a cache saved against paying for plain input, less what writing it
cost more; None when the prices are not known."""


def cost_report(
    source: RowSource,
    query: ReportQuery,
    config: MonitoringConfig,
    *,
    monthly_budget: Decimal | None = None,
    savings: CacheSavings | None = None,
) -> CostReport:
    """Return the cost report of a query. Raises `InvalidError` or `LimitedError`.

    `monthly_budget` in dollars feeds the projection. `savings` prices what the cache saved;
    without it that is not known. A movement is told by the keys of the query that are no time
    unit, else by type.
    """
    movers = _mover_keys(query)
    names = (*query.group_by, *_DIMENSIONS)
    names = (*names, "day", *movers) if query.detail else names
    scan = Scan(source, COST, query)
    cube = _read(scan, names)
    total = cube.by()[()]
    breakdown, more = _breakdown(query, cube, total)
    sections: dict[str, Any] = {}
    if query.detail:
        by_day = {labels[0] or "": found for labels, found in cube.by("day").items()}
        sections = {
            "trend": trend(query.window, by_day),
            "projection": projection(query.window, by_day, monthly_budget),
            "previous": _previous(scan, total, cube.by(*movers)),
            "cache_savings": _savings(cube, savings),
            "provenance": _provenance(cube, total),
        }
    return CostReport(
        period=period(query.window),
        total_cost=_dollars(total),
        tokens=_tokens(total),
        unknown=_unknown(cube, total),
        breakdown=breakdown,
        more=more,
        resolution=resolution(scan),
        note=_note(scan, total, config),
        **sections,
    )


def _read(scan: Scan, names: tuple[str, ...]) -> CostCube:
    keys: dict[str, Key] = {name: scan.key(name) for name in names}
    cube = CostCube({**keys, _PRICED: PricedKey()})
    for rows in scan.rows(cube.columns, COST_MEASURES):
        cube.add(rows)
    return cube


def _mover_keys(query: ReportQuery) -> tuple[str, ...]:
    return tuple(name for name in query.group_by if name not in BUCKET_UNITS) or ("type",)


def _dollars(found: CostSum) -> Decimal | None:
    known = found.known_nano_usd
    return None if known is None else usd(known)


def _percentage(part: int | None, whole: int) -> float | None:
    """Return the part in percent with one decimal; 0 of nothing."""
    if part is None:
        return None
    return round(float(Fraction(part, whole) * 100), 1) if whole else 0.0


def _tokens(found: CostSum) -> Tokens:
    return Tokens(**dict(zip(TOKENS, found.tokens, strict=True)))


def _breakdown(
    query: ReportQuery, cube: CostCube, total: CostSum
) -> tuple[tuple[CostRow, ...], int]:
    if not query.group_by:
        return (), 0
    sums = cube.by(*query.group_by)
    labels, found = list(sums), list(sums.values())

    def size(group: int) -> float | int:
        known = found[group].known_nano_usd
        return -math.inf if known is None else known

    groups, more = page(query, labels, range(len(labels)), size)
    rows = tuple(
        CostRow(
            **category(query, labels[group]),
            cost=_dollars(found[group]),
            percentage=_percentage(found[group].known_nano_usd, total.nano_usd),
            count=found[group].count,
            tokens=found[group].tokens_total,
            unknown=found[group].unknown,
        )
        for group in groups
    )
    return rows, more


def _unknown(cube: CostCube, total: CostSum) -> UnknownCost:
    if not total.unknown:
        return UnknownCost(count=0)
    found = [
        (labels[1:], sums)
        for labels, sums in cube.by(_PRICED, "provider", "model").items()
        if labels[0] == UNPRICED and sums.count
    ]
    found.sort(key=lambda item: (-item[1].count, tuple(map(shown, item[0]))))
    models = tuple(
        UnknownModel(
            model=shown(model), provider=shown(provider), count=sums.count, tokens=_tokens(sums)
        )
        for (provider, model), sums in found[:MODELS_MAX]
    )
    return UnknownCost(count=total.unknown, models=models)


def _provenance(cube: CostCube, total: CostSum) -> tuple[ProvenanceShare, ...]:
    found = [*cube.by("provenance").items(), *cube.by("provenance", billed=True).items()]
    found.sort(key=lambda item: (item[0][0] == BILLED, -item[1].nano_usd, shown(item[0][0])))
    return tuple(
        ProvenanceShare(
            provenance=shown(name),
            cost=_dollars(sums),
            percentage=(
                None if name == BILLED else _percentage(sums.known_nano_usd, total.nano_usd)
            ),
            count=sums.count,
        )
        for (name,), sums in found
    )


def _savings(cube: CostCube, savings: CacheSavings | None) -> Decimal | None:
    """Add up what is known; None without prices, or when no cache use has one."""
    if savings is None:
        return None
    amounts = []
    for (provider, model, day), sums in cube.by("provider", "model", "day").items():
        _, read, write_5m, write_1h, *_ = sums.tokens
        if read or write_5m or write_1h:
            use = CacheUse(provider, model, day or "", read, write_5m, write_1h)
            amounts.append(savings(use))
    known = [amount for amount in amounts if amount is not None]
    return None if amounts and not known else sum(known, Decimal(0))


def _previous(
    scan: Scan, now: CostSum, by_mover: Mapping[GroupLabels, CostSum]
) -> PreviousCost | None:
    """Return the window before; None when no rows reach into it."""
    query = scan.query
    window, oldest = query.window.previous(), scan.reached_us
    if window is None or oldest is None or oldest >= window.end_us:
        return None
    movers = _mover_keys(query)
    before_query = replace(query.over(window).ungrouped(), group_by=movers)
    earlier = Scan(scan.source, COST, before_query, strict=False)
    cube = _read(earlier, (*movers, "provenance"))
    before = cube.by()[()]
    total, now_total = before.known_nano_usd, now.known_nano_usd
    change = None if total is None or now_total is None else now_total - total
    return PreviousCost(
        total_cost=_dollars(before),
        change=None if change is None else usd(change),
        change_percentage=_percentage(change, total) if total else None,
        movers=_movers(by_mover, cube.by(*movers)),
        complete=oldest <= window.start_us,
    )


def _movers(
    now: Mapping[GroupLabels, CostSum], before: Mapping[GroupLabels, CostSum]
) -> tuple[Mover, ...]:
    changes = []
    for labels in {**now, **before}:
        cost = now[labels].nano_usd if labels in now else 0
        previous = before[labels].nano_usd if labels in before else 0
        if cost != previous:
            name = CATEGORY_JOIN.join(map(shown, labels))
            changes.append((-abs(cost - previous), name, cost, previous))
    return tuple(
        Mover(
            category=name,
            cost=usd(cost),
            previous_cost=usd(previous),
            change=usd(cost - previous),
        )
        for _, name, cost, previous in sorted(changes)[:MOVERS_MAX]
    )


def _note(scan: Scan, total: CostSum, config: MonitoringConfig) -> str | None:
    notes = scan.notes("no costs in this window")
    if not config.track_costs:
        notes.append("costs are not recorded now: track_costs is false")
    if total.unknown > 0:
        notes.append(f"{total.unknown} facts have no known price and are in no sum")
    return "; ".join(notes) or None
