"""The prices of one model over time: dated entries in layers, compiled once per stretch of time.

A layer is one origin of prices (a user's folder, our files, the base catalogue). At the time of an
event the last entry of a layer that holds is the layer's answer; a layer without one lets the next
speak. How the call was served (batch, flex, fast, a search size) picks variants; where no variant
says what a mode costs, a factor may; where neither does, the price is unknown rather than the list
price.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from contextframe_monitoring.core.price_columns import TOKEN_KEYS
from contextframe_monitoring.core.prices import Price, Rate, Rates, Unknown, compile_price
from contextframe_monitoring.core.token_usage import Mode

SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US
WEEK_US: Final = 7 * DAY_US
_MONDAY_US: Final = 4 * DAY_US
"""The epoch was a Thursday; the first Monday came four days later."""

PRICED_MODES: Final = frozenset({"processing", "service_tier", "speed"})
"""Modes that always change the bill: a price that lists none for them is unknown."""

_COMPILED_MAX: Final = 1_024


def week_us(at_us: int) -> int:
    """Return the microseconds since Monday 00:00 UTC."""
    return (at_us - _MONDAY_US) % WEEK_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When a rate holds, in microseconds UTC: from, until (exclusive), hours of the week."""

    from_us: int | None = None
    until_us: int | None = None
    windows: tuple[tuple[int, int], ...] = ()

    def holds(self, at_us: int) -> bool:
        """Tell whether the rate holds at that time."""
        if self.from_us is not None and at_us < self.from_us:
            return False
        if self.until_us is not None and at_us >= self.until_us:
            return False
        if not self.windows:
            return True
        offset = week_us(at_us)
        return any(start <= offset < end for start, end in self.windows)


ALWAYS: Final = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Rates that replace the listed ones for a mode, or for some hours (then `when` is empty)."""

    when: Mode
    rates: Rates
    span: Span = ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A listed price with its dates. `inherits` keeps what it does not name from the layer below.

    `origin` says where it stands (`pricing/deepseek.toml, line 12`), `covers` which provider and
    model pattern it is for.
    """

    price_id: str
    source: str
    checked: date | None
    origin: str
    covers: str
    rates: Rates
    variants: tuple[Variant, ...] = ()
    span: Span = ALWAYS
    inherits: bool = False
    audio_ms_min: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """What a mode multiplies token rates with where no variant lists it; `by` names keys apart."""

    factor_id: str
    source: str
    checked: date | None
    origin: str
    when: Mode
    tokens: Decimal
    by: tuple[tuple[str, Decimal], ...] = ()
    span: Span = ALWAYS

    def applied(self, rates: Rates) -> dict[str, Rate]:
        """Return the rates as this mode bills them: searches, requests and hours stay as listed."""
        named = dict(self.by)
        return {
            key: rate.times(named.get(key, self.tokens)) if key in TOKEN_KEYS else rate
            for key, rate in rates.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One origin's entries for a model, later ones winning; of its factors earlier ones win."""

    name: str
    entries: tuple[Entry, ...]
    factors: tuple[Factor, ...] = ()

    def entry(self, at_us: int) -> Entry | None:
        """Return the entry that holds at that time."""
        return next((entry for entry in reversed(self.entries) if entry.span.holds(at_us)), None)


@dataclass(slots=True)
class PriceHistory:
    """All that is known about the price of one model, the uppermost layer first."""

    provider: str
    model: str
    layers: tuple[Layer, ...]
    _instants: list[int] = field(init=False, repr=False)
    _offsets: list[int] = field(init=False, repr=False)
    _compiled: dict[tuple[int, int, Mode], Price | Unknown] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Find the moments at which a price can change: between them one compiled price serves."""
        spans = tuple(self._spans())
        self._instants = sorted(
            {at for span in spans for at in (span.from_us, span.until_us) if at is not None}
        )
        self._offsets = sorted({at for span in spans for pair in span.windows for at in pair})

    def _spans(self) -> Iterator[Span]:
        for layer in self.layers:
            for entry in layer.entries:
                yield entry.span
                yield from (variant.span for variant in entry.variants)
            yield from (factor.span for factor in layer.factors)

    def price(self, at_us: int, mode: Mode = ()) -> Price | Unknown:
        """Return the price at the time of an event, for a call served in that mode."""
        offset = bisect_right(self._offsets, week_us(at_us)) if self._offsets else 0
        cell = (bisect_right(self._instants, at_us), offset, mode)
        found = self._compiled.get(cell)
        if found is None:
            if len(self._compiled) >= _COMPILED_MAX:
                self._compiled.clear()
            found = self._compiled[cell] = self._compile(at_us, mode)
        return found

    def entries(self, at_us: int) -> tuple[Entry, ...]:
        """Return each layer's entry for that time, the uppermost first."""
        found = (layer.entry(at_us) for layer in self.layers)
        return tuple(entry for entry in found if entry is not None)

    def _compile(self, at_us: int, mode: Mode) -> Price | Unknown:
        entries = self.entries(at_us)
        if not entries:
            return Unknown(reason=f"no price of {self.provider}/{self.model} holds at that time")
        chain = _chain(entries)
        listed = {key: rate for entry in reversed(chain) for key, rate in entry.rates.items()}
        top = chain[0]
        wanted = {pair for pair in mode if pair[0] in PRICED_MODES or pair in self._named_pairs()}
        rates, met = _with_variants(listed, chain, at_us, mode)
        rates, factors = self._with_factors(rates, at_us, wanted - met)
        if missing := sorted(wanted - met - {pair for one in factors for pair in one.when}):
            return Unknown(
                reason=f"{top.price_id} has no rate for {_words(missing)} at that time",
                price_id=top.price_id,
            )
        return compile_price(
            price_id="".join(
                [top.price_id, *(f"+{value}" for _, value in sorted(met & wanted))]
                + [f"*{factor.factor_id}" for factor in factors]
            ),
            source="; ".join(dict.fromkeys([top.source, *(one.source for one in factors)])),
            checked=_earliest(top.checked, *(factor.checked for factor in factors)),
            rates=rates,
            audio_ms_min=chain[-1].audio_ms_min,
        )

    def _named_pairs(self) -> set[tuple[str, str]]:
        pairs: set[tuple[str, str]] = set()
        for layer in self.layers:
            pairs.update(pair for factor in layer.factors for pair in factor.when)
            for entry in layer.entries:
                pairs.update(pair for variant in entry.variants for pair in variant.when)
        return pairs

    def _with_factors(
        self, rates: Rates, at_us: int, open_pairs: set[tuple[str, str]]
    ) -> tuple[Rates, list[Factor]]:
        """Apply, for each mode that no variant lists, the first factor that does."""
        used: list[Factor] = []
        for layer in self.layers:
            for factor in layer.factors:
                if open_pairs and open_pairs >= set(factor.when) and factor.span.holds(at_us):
                    rates = factor.applied(rates)
                    open_pairs = open_pairs - set(factor.when)
                    used.append(factor)
        return rates, used


def _chain(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return the entry in force and those it inherits from."""
    for index, entry in enumerate(entries):
        if not entry.inherits:
            return entries[: index + 1]
    return entries


def _with_variants(
    rates: Rates, chain: tuple[Entry, ...], at_us: int, mode: Mode
) -> tuple[Rates, set[tuple[str, str]]]:
    """Lay matching variants over the rates, first naming a key wins; return the modes met."""
    over: dict[str, Rate] = {}
    met: set[tuple[str, str]] = set()
    for entry in chain:
        for variant in entry.variants:
            if set(variant.when) <= set(mode) and variant.span.holds(at_us):
                over = {**variant.rates, **over}
                met.update(variant.when)
    return {**rates, **over}, met


def _words(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in pairs)


def _earliest(*dates: date | None) -> date | None:
    """Return the earliest date; None when one of them is unknown."""
    known = [day for day in dates if day is not None]
    return min(known) if len(known) == len(dates) else None
