"""The price book: the base catalogue, our files, the user's files; the one home of genai_prices.

Nothing here touches the network or the library's global snapshot. A lookup goes by provider, model
and the time of the event; what it compiles is kept, so that a fact costs a few microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from contextframe_monitoring.core.errors import UnavailableError, shown
from contextframe_monitoring.core.model_names import candidates, matches
from contextframe_monitoring.core.money import usd
from contextframe_monitoring.core.price_explained import (
    Disagreement,
    Explanation,
    disagreements,
    explain,
)
from contextframe_monitoring.core.price_history import Entry, PriceHistory
from contextframe_monitoring.core.prices import Cost, Price, Unknown, compile_price
from contextframe_monitoring.core.pricing_config import PricingConfig
from contextframe_monitoring.core.quotes import read_quote
from contextframe_monitoring.core.service_prices import Quantity, ServiceKind, service_cost
from contextframe_monitoring.core.token_usage import Mode, Usage, check_name
from contextframe_monitoring.store.base_prices import FIRST_PARTIES, base_layer, find_model
from contextframe_monitoring.store.hand_prices import hand_rules
from contextframe_monitoring.store.price_rules import PriceRules, read_rules
from contextframe_monitoring.store.price_toml import PriceFileError

HISTORIES_MAX: Final = 4_096
"""Models, known or not, whose prices are kept: a sender of random names can't grow memory."""

_PACKAGE: Final = Path(__file__).resolve().parent.parent
_SHIPPED: Final = (_PACKAGE / "_data" / "pricing", _PACKAGE.parent / "pricing")
"""In a wheel; in a checkout."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Found = PriceHistory | Unknown


@dataclass(slots=True)
class _Book:
    """One consistent reading of all price files, swapped as a whole."""

    rules: tuple[PriceRules, ...]
    """The strongest first: rates by hand, the user's files, ours."""
    histories: dict[tuple[str | None, str], Found] = field(default_factory=dict)


class Catalogue:
    """Prices by provider, model and time. Open it once; `reload()` takes in changed files."""

    def __init__(self, config: PricingConfig | None = None, shipped: Path | None = None) -> None:
        """Read the price files of `config` and the package (`shipped`: another folder instead).

        Raises `PriceFileError` (file, line, what is allowed) or `UnavailableError` when there are
        no files.
        """
        self.config = config or PricingConfig()
        self.error: str | None = None
        """Why the last reload kept the prices of before; None when it did not."""
        self._shipped = shipped or shipped_folder()
        self._book = self._read()

    def _read(self) -> _Book:
        rules = [hand_rules(self.config)]
        if self.config.path is not None:
            rules.append(read_rules(self.config.path, "own"))
        rules.append(read_rules(self._shipped, "pricing", is_shipped=True))
        return _Book(tuple(rules))

    def reload(self) -> bool:
        """Read the files again; if one is wrong, keep the last good prices and note `error`."""
        try:
            self._book = self._read()
        except PriceFileError as error:
            self.error = str(error)
            return False
        self.error = None
        return True

    def status(self) -> dict[str, Any]:
        """Return what is in force: base catalogue, files, entries, and the last reload's error."""
        return {
            "base": catalogue_name(),
            "files": [f"{rules.name}/{file}" for rules in self._book.rules for file in rules.files],
            "entries": sum(len(rules.models) + len(rules.services) for rules in self._book.rules),
            "error": self.error,
        }

    def checked(self) -> date | None:
        """Return the last day on which somebody looked at a price of our own files."""
        days = [
            entry.checked
            for rules in self._book.rules
            for entry in (*(rule.what for rule in rules.models), *rules.services)
        ]
        return max((day for day in days if day is not None), default=None)

    def price(
        self, provider: str | None, model: str, at_us: int, mode: Mode = ()
    ) -> Price | Unknown:
        """Return the price for an event at `at_us` (microseconds UTC), or Unknown with the reason.

        Raises `InvalidError` for names that are empty or longer than 256 characters.
        """
        book = self._book
        found = book.histories.get((provider, model))
        if found is None:
            found = self._find(book, provider, model)
        return found if isinstance(found, Unknown) else found.price(at_us, mode)

    def cost(self, provider: str | None, model: str, usage: Usage, at_us: int) -> Cost:
        """Return what a call cost when it was made; None with a reason where that is unknown."""
        return self.price(provider, model, at_us, usage.mode).cost(usage)

    def service_cost(
        self,
        kind: ServiceKind,
        operation: str,
        quantity: Quantity,
        at_us: int,
        name: str = "default",
    ) -> Cost:
        """Return what storage, bandwidth (bytes), compute (seconds) or upstream API (calls) cost.

        Operations: storage read, write, delete, month (byte-months); bandwidth egress, ingress;
        compute second; api call. `name` is the service (`s3`, `openfda`).
        """
        check_name("name", name)
        layers = (rules.services for rules in self._book.rules)
        return service_cost(layers, kind, operation, quantity, name=name, at_us=at_us)

    def quote(self, line: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Answer one line of `prices quote`: `amount_usd`, `price_id` and `reason`.

        The amount is a Decimal of at most 9 places, None when unknown.

        `line` holds provider, model, at (missing: `now`), usage, and may bring its own
        `rates_per_token`. Raises `InvalidError` naming what is wrong with it.
        """
        asked = read_quote(line, now)
        if asked.rates is not None:
            price = compile_price(
                price_id="quote:rates_per_token", source="quote", checked=None, rates=asked.rates
            )
            cost = price.cost(asked.usage)
        else:
            cost = self.cost(asked.provider, asked.model, asked.usage, microseconds(asked.at))
        amount = None if cost.amount_nano_usd is None else usd(cost.amount_nano_usd)
        return {"amount_usd": amount, "price_id": cost.price_id, "reason": cost.reason}

    def explain(
        self, provider: str | None, model: str, at: datetime, mode: Mode = ()
    ) -> Explanation:
        """Say what a model costs at a time and why: which file and line, or which base entry."""
        found = self._find(self._book, provider, model)
        if isinstance(found, Unknown):
            return Explanation(provider=provider, model=model, at=at, why=found.reason)
        return explain(found, at, microseconds(at), mode)

    def models(self) -> Iterator[tuple[str, str]]:
        """Yield (provider, model) of the base catalogue and of what files name exactly."""
        listed = dict.fromkeys((one.id, model.id) for one in _providers() for model in one.models)
        for rules in self._book.rules:
            for rule in rules.models:
                names = (name for name in rule.patterns if "*" not in name)
                listed |= dict.fromkeys((rule.provider or "", name) for name in names)
        yield from listed

    def disagreements(self) -> Iterator[Disagreement]:
        """Yield where an override lists another rate than the base at the moment it begins.

        Left out are rates by hand, which have no beginning, and models without a base price.
        """
        for rules in self._book.rules:
            for rule in rules.models:
                if not isinstance(rule.what, Entry) or rule.what.span.from_us is None:
                    continue
                at_us = rule.what.span.from_us
                for name in _named(rule.provider, rule.patterns):
                    history = self._find(self._book, rule.provider, name)
                    base = _base_history(rule.provider, name)
                    if isinstance(history, PriceHistory) and rule.what in history.entries(at_us):
                        yield from disagreements(rule.what, history, base, at_us)

    def _find(self, book: _Book, provider: str | None, model: str) -> Found:
        if provider is not None and provider != "":
            check_name("provider", provider)
        check_name("model", model)
        names = list(candidates(provider, model))
        alone = (name for one, name in names if one is None)
        names += [(party, name) for name in alone for party in FIRST_PARTIES]
        hits = (_lookup(book, one, name) for one, name in names)
        by = f"of provider {shown(provider)} " if provider else ""
        unknown = Unknown(reason=f"model {shown(model)} {by}is in no price list")
        found: Found = next((hit for hit in hits if hit), unknown)
        if len(book.histories) >= HISTORIES_MAX:
            book.histories.clear()
        book.histories[(provider, model)] = found
        return found


def _lookup(book: _Book, provider: str | None, model: str) -> PriceHistory | None:
    """Return the prices of one candidate name, or None when no layer lists it."""
    if provider is None:
        provider = next((one for rules in book.rules if (one := rules.provider_of(model))), None)
    found = find_model(_providers(), provider, model)
    owner = found[2].id if found else None
    name = found[0].id if found else provider or ""
    layers = [rules.layer(name, model, owner) for rules in book.rules]
    if found:
        layers.append(base_layer(*found, catalogue_name()))
    if not any(layer.entries for layer in layers):
        return None
    return PriceHistory(provider=name, model=model, layers=tuple(layers))


def _base_history(provider: str | None, model: str) -> PriceHistory:
    found = find_model(_providers(), provider, model)
    layers = (base_layer(*found, catalogue_name()),) if found else ()
    return PriceHistory(provider=provider or "", model=model, layers=layers)


def _named(provider: str | None, patterns: tuple[str, ...]) -> Iterator[str]:
    """Yield the exact names among `patterns`, and the base's models for those with `*`."""
    for pattern in patterns:
        if "*" not in pattern:
            yield pattern
        else:
            ids = (model.id for one in _providers() if one.id == provider for model in one.models)
            yield from (name for name in ids if matches(pattern, name))


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since the epoch; without an offset it is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def shipped_folder() -> Path:
    """Return the folder of the shipped price files; `UnavailableError` when it is missing."""
    for folder in _SHIPPED:
        if folder.is_dir():
            return folder
    raise UnavailableError(
        "the price files of contextframe-monitoring are missing: reinstall the package"
    )


@cache
def _providers() -> tuple[Any, ...]:
    """Return the base catalogue's providers: the wheel's own data, read once, never updated."""
    from genai_prices.data import providers

    return tuple(providers)


@cache
def catalogue_name() -> str:
    """Return the base catalogue's name and release, which begins its price ids."""
    import genai_prices

    return f"genai-prices-{genai_prices.__version__}"
