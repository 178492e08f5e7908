"""Why a price is what it is, what it overrules, and where our files and the base differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from contextframe_monitoring.core.price_history import Entry, PriceHistory, Variant
from contextframe_monitoring.core.prices import Rate, Rates, Unknown
from contextframe_monitoring.core.token_usage import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The price of a model at a time and where it comes from; without rates, why there is none.

    `origin` is the file and line, or the catalogue's entry. `overruled` are the entries below it
    that it wins over, `inherited` those that it completes itself from.
    """

    provider: str | None
    model: str
    at: datetime
    why: str
    price_id: str | None = None
    origin: str | None = None
    source: str | None = None
    checked: date | None = None
    since_us: int | None = None
    until_us: int | None = None
    rates: Rates | None = None
    variants: tuple[Variant, ...] = ()
    inherited: tuple[str, ...] = ()
    overruled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One rate that an override and the base catalogue list differently; None: not listed."""

    provider: str
    model: str
    mode: Mode
    since_us: int | None
    price_id: str
    origin: str
    base_price_id: str | None
    key: str
    ours: Rate | None
    base: Rate | None


def explain(history: PriceHistory, at: datetime, at_us: int, mode: Mode) -> Explanation:
    """Say which entry is in force for a model at a time, and why."""
    price = history.price(at_us, mode)
    entries = history.entries(at_us)
    if not entries:
        reason = price.reason if isinstance(price, Unknown) else ""
        return Explanation(provider=history.provider, model=history.model, at=at, why=reason)
    top = entries[0]
    depth = next((n for n, entry in enumerate(entries) if not entry.inherits), len(entries) - 1)
    return Explanation(
        provider=history.provider,
        model=history.model,
        at=at,
        why=price.reason if isinstance(price, Unknown) else _why(top, entries),
        price_id=price.price_id,
        origin=top.origin,
        source=top.source if isinstance(price, Unknown) else price.source,
        checked=top.checked if isinstance(price, Unknown) else price.checked,
        since_us=top.span.from_us,
        until_us=top.span.until_us,
        rates=None if isinstance(price, Unknown) else price.rates,
        variants=top.variants,
        inherited=tuple(entry.price_id for entry in entries[1 : depth + 1]),
        overruled=tuple(entry.price_id for entry in entries[depth + 1 :]),
    )


def _why(top: Entry, entries: tuple[Entry, ...]) -> str:
    words = f"{top.origin} lists {top.covers}"
    if len(entries) > 1:
        words += "; it completes itself from" if top.inherits else "; it wins over"
        words += f" {entries[1].origin}"
    return words


def disagreements(
    entry: Entry, overlaid: PriceHistory, base: PriceHistory, at_us: int
) -> Iterator[Disagreement]:
    """Yield each rate that an override and the base list differently, variants included."""
    modes = dict.fromkeys([(), *(variant.when for variant in entry.variants)])
    for mode in modes:
        ours, theirs = overlaid.price(at_us, mode), base.price(at_us, mode)
        our_rates = {} if isinstance(ours, Unknown) else ours.rates
        their_rates = {} if isinstance(theirs, Unknown) else theirs.rates
        if not their_rates:
            continue
        for key in sorted({*our_rates, *their_rates}):
            if our_rates.get(key) != their_rates.get(key):
                yield Disagreement(
                    provider=overlaid.provider,
                    model=overlaid.model,
                    mode=mode,
                    since_us=entry.span.from_us,
                    price_id=entry.price_id,
                    origin=entry.origin,
                    base_price_id=theirs.price_id,
                    key=key,
                    ours=our_rates.get(key),
                    base=their_rates.get(key),
                )
