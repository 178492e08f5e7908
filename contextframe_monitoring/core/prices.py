"""A listed price, compiled to flat integers that price one call exactly in about two microseconds.

Exact: a rate is a fraction of a dollar per unit; the rates of one price are brought to one scale,
so that the cost of a call is an integer over that scale. It is rounded once, half-even, to
nano-dollars; the exact amount stays beside it. A tier by context size applies to ALL units of the
call once its input is above the threshold (the boundary itself is still below), which is how the
providers' lists read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from fractions import Fraction
from typing import NamedTuple

import msgspec

from contextframe_monitoring.core.money import NANO_PER_USD, USD_MAX, nano_usd_of_ratio
from contextframe_monitoring.core.price_columns import COLUMN, COLUMNS, MAIN, PARTS, RARE, Column
from contextframe_monitoring.core.token_usage import Usage

AMOUNT_NANO_MAX = int(USD_MAX) * NANO_PER_USD

_EXACT = Context(prec=60)
"""Digits enough for any bounded count times a listed rate; only rates per hour may be rounded."""


@dataclass(frozen=True, slots=True)
class Rate:
    """USD per listed unit; `tiers` are (above this many input tokens, rate), smallest first."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()

    def at(self, context_tokens: int) -> Decimal:
        """Return the rate for a call with so many input tokens."""
        chosen = self.base
        for above, rate in self.tiers:
            if context_tokens > above:
                chosen = rate
        return chosen

    def times(self, factor: Decimal) -> Rate:
        """Return the rate, tiers included, multiplied by `factor`."""
        tiers = tuple((above, _EXACT.multiply(rate, factor)) for above, rate in self.tiers)
        return Rate(_EXACT.multiply(self.base, factor), tiers)

    def __str__(self) -> str:
        """Return the rate as a person reads it."""
        above = [f"{rate:f} above {tokens:,} tokens" for tokens, rate in self.tiers]
        return ", ".join([f"{self.base:f}", *above])


Rates = Mapping[str, Rate]
"""Rates by price key (`input_mtok`, `web_searches_kcount`, ...)."""


class Cost(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What something cost, and why: either an amount with its price, or None with a reason.

    `amount_nano_usd` is rounded half-even; the exact amount is `numerator / scale` USD.
    """

    amount_nano_usd: int | None
    price_id: str | None = None
    source: str | None = None
    checked: date | None = None
    reason: str | None = None
    numerator: int = 0
    scale: int = 1

    @property
    def amount_usd(self) -> Decimal | None:
        """Return the exact amount (a rate per hour, which may have no end, is cut at 60 digits)."""
        if self.amount_nano_usd is None:
            return None
        return _EXACT.divide(Decimal(self.numerator), Decimal(self.scale))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """No price, and the reason in words; `price_id` where the model is known but has no rate."""

    reason: str
    price_id: str | None = None

    def cost(self, usage: object = None) -> Cost:  # noqa: ARG002 - the same shape as Price.cost
        """Return a cost that is unknown."""
        return Cost(amount_nano_usd=None, price_id=self.price_id, reason=self.reason)


class _Band(NamedTuple):
    """The rates of one context size as integers over the price's scale."""

    input: int
    read: int
    write_5m: int
    write_1h: int
    output: int
    search: int
    request: int
    parts: tuple[tuple[str, int], ...]
    """(part, what one of it costs more than its main column), where that is not 0."""
    rare: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One price, ready to use. Build it with `compile_price`."""

    price_id: str
    source: str
    checked: date | None
    rates: Rates
    scale: int
    base: _Band
    tiers: tuple[tuple[int, _Band], ...]
    """(above this many input tokens, rates), largest first."""
    unpriced: tuple[str, ...]
    """Columns of `Usage` without a rate: a call that counts some has no known cost."""
    unpriced_rare: frozenset[str]
    audio_ms_min: int = 0

    def cost(self, usage: Usage) -> Cost:
        """Return what `usage` costs; unknown where it counts something that this price does not."""
        for name in self.unpriced:
            if getattr(usage, name):
                return self._unknown(name)
        band = self.base
        if self.tiers:
            context_tokens = usage.context_tokens
            for above, tier in self.tiers:
                if context_tokens > above:
                    band = tier
                    break
        total = (
            usage.input_tokens * band.input
            + usage.cache_read_tokens * band.read
            + usage.cache_write_5m_tokens * band.write_5m
            + usage.cache_write_1h_tokens * band.write_1h
            + usage.output_tokens * band.output
            + usage.web_searches * band.search
            + usage.requests * band.request
        )
        for name, surcharge in band.parts:
            total += getattr(usage, name) * surcharge
        for name, count in usage.more:
            if count and name in self.unpriced_rare:
                return self._unknown(name)
            total += self._billed(name, count) * band.rare[name]
        return _cost(total, self.scale, self.price_id, self.source, self.checked)

    def _billed(self, name: str, count: int) -> int:
        return max(count, self.audio_ms_min) if count and name.endswith("audio_ms") else count

    def _unknown(self, name: str) -> Cost:
        return Unknown(
            reason=f"{self.price_id} has no rate for {name}", price_id=self.price_id
        ).cost()

    def breakdown(self, usage: Usage) -> dict[str, Decimal]:
        """Return the exact USD of each column that counts something; they add up to the cost."""
        counts = {column.name: getattr(usage, column.name) for column in MAIN + PARTS}
        counts |= {name: self._billed(name, count) for name, count in usage.more}
        for name, count in tuple(counts.items()):
            whole = COLUMN[name].part_of
            if whole:
                counts[whole] -= count
        rates = _unit_rates(self.rates, usage.context_tokens)
        shares = {name: (rates[name] or 0) * count for name, count in counts.items() if count}
        return {name: _decimal(share) for name, share in shares.items() if share}


def cost_of(amount: Fraction, *, price_id: str, source: str, checked: date | None) -> Cost:
    """Return the cost of an exact amount that was worked out elsewhere."""
    return _cost(amount.numerator, amount.denominator, price_id, source, checked)


def _cost(numerator: int, scale: int, price_id: str, source: str, checked: date | None) -> Cost:
    """Return a known cost; an amount that no table can hold is a mistake, not money."""
    nano = nano_usd_of_ratio(numerator, scale)
    if nano > AMOUNT_NANO_MAX:
        reason = f"an amount above {USD_MAX} USD is a mistake in what was counted"
        return Unknown(reason=reason, price_id=price_id).cost()
    return Cost(
        amount_nano_usd=nano,
        price_id=price_id,
        source=source,
        checked=checked,
        numerator=numerator,
        scale=scale,
    )


def compile_price(
    *, price_id: str, source: str, checked: date | None, rates: Rates, audio_ms_min: int = 0
) -> Price | Unknown:
    """Bring the rates of one price to one scale; Unknown when it lists no rate at all."""
    if not rates:
        return Unknown(reason=f"{price_id} is listed without a price", price_id=price_id)
    thresholds = sorted({above for rate in rates.values() for above, _ in rate.tiers})
    by_size = {above: _unit_rates(rates, above + 1) for above in thresholds}
    base = _unit_rates(rates, 0)
    scale = math.lcm(
        *(rate.denominator for unit in (base, *by_size.values()) for rate in unit.values() if rate)
    )
    unpriced = tuple(column.name for column in COLUMNS if base[column.name] is None)
    return Price(
        price_id=price_id,
        source=source,
        checked=checked,
        rates=rates,
        scale=scale,
        base=_band(base, scale),
        tiers=tuple((above, _band(by_size[above], scale)) for above in reversed(thresholds)),
        unpriced=tuple(name for name in unpriced if COLUMN[name] in MAIN and name != "requests"),
        unpriced_rare=frozenset(name for name in unpriced if COLUMN[name] in RARE),
        audio_ms_min=audio_ms_min,
    )


def _unit_rates(rates: Rates, context_tokens: int) -> dict[str, Fraction | None]:
    """Return USD per single unit of each column, None where the price says nothing about it.

    A price that lists tokens of one direction only (embeddings) does not charge those of the other.
    """
    listed = {True: False, False: False}
    for column in COLUMNS:
        if column.is_tokens and _first(column.keys, rates):
            listed[column.is_output] = True
    units: dict[str, Fraction | None] = {}
    for column in COLUMNS:
        key = _first(column.keys, rates)
        if key:
            units[column.name] = Fraction(rates[key].at(context_tokens)) / column.per
        elif column.is_tokens and not listed[column.is_output] and listed[not column.is_output]:
            units[column.name] = Fraction(0)
        else:
            units[column.name] = None
    return units


def _first(keys: Iterable[str], rates: Rates) -> str | None:
    return next((key for key in keys if key in rates), None)


def _band(units: Mapping[str, Fraction | None], scale: int) -> _Band:
    flat = {name: int((rate or 0) * scale) for name, rate in units.items()}
    return _Band(
        input=flat["input_tokens"],
        read=flat["cache_read_tokens"],
        write_5m=flat["cache_write_5m_tokens"],
        write_1h=flat["cache_write_1h_tokens"],
        output=flat["output_tokens"],
        search=flat["web_searches"],
        request=flat["requests"],
        parts=tuple(
            (column.name, surcharge) for column in PARTS if (surcharge := _surcharge(column, flat))
        ),
        rare={column.name: _surcharge(column, flat) for column in RARE},
    )


def _surcharge(column: Column, flat: Mapping[str, int]) -> int:
    return flat[column.name] - (flat[column.part_of] if column.part_of else 0)


def _decimal(amount: Fraction) -> Decimal:
    return _EXACT.divide(Decimal(amount.numerator), Decimal(amount.denominator))
