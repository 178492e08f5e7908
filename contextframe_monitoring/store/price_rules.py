"""The price files of one layer as rules: which provider and models each dated entry covers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contextframe_monitoring.core.model_names import specificity
from contextframe_monitoring.core.price_history import Entry, Factor, Layer
from contextframe_monitoring.core.service_prices import UNITS, ServiceEntry
from contextframe_monitoring.store.price_entries import model_entry, model_factor, service_entry
from contextframe_monitoring.store.price_toml import Document, PriceFileError, Table

FILES_MAX: Final = 200
TABLES_MAX: Final = 20_000
"""Entries of one layer: a price list of every model there is stays well below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRule:
    """An entry or a factor, and the provider (None: any) and model patterns that it is for."""

    provider: str | None
    patterns: tuple[str, ...]
    what: Entry | Factor


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRules:
    """All rules of one layer."""

    name: str
    models: tuple[ModelRule, ...] = ()
    services: tuple[ServiceEntry, ...] = ()
    files: tuple[str, ...] = ()

    def layer(self, provider: str, model: str, owner: str | None = None) -> Layer:
        """Return what these rules say about a model, the most exact pattern winning.

        `owner` is the provider whose prices another one's models fall back to (azure -> openai):
        its entries rank below the provider's own, its factors do not count.
        """
        entries: list[tuple[tuple[bool, int, int], Entry]] = []
        factors: list[tuple[tuple[int, int], Factor]] = []
        for rule in self.models:
            is_own = rule.provider in {provider, None}
            fit = specificity(rule.patterns, model) if is_own or rule.provider == owner else None
            if fit is None:
                continue
            start = rule.what.span.from_us or 0
            if isinstance(rule.what, Entry):
                entries.append(((is_own, fit, start), rule.what))
            elif is_own:
                factors.append(((fit, start), rule.what))
        entries.sort(key=lambda pair: pair[0])
        factors.sort(key=lambda pair: pair[0], reverse=True)
        return Layer(
            name=self.name,
            entries=tuple(entry for _, entry in entries),
            factors=tuple(factor for _, factor in factors),
        )

    def provider_of(self, model: str) -> str | None:
        """Return the provider for whom a model of exactly this name is listed."""
        listed = (rule for rule in self.models if isinstance(rule.what, Entry))
        return next((rule.provider for rule in listed if model in rule.patterns), None)


def read_rules(path: Path, name: str, *, is_shipped: bool = False) -> PriceRules:
    """Read one price file, or every `*.toml` of a folder; `PriceFileError` says what is wrong.

    `name` is the layer's; price ids carry it with the file's name, never the folder (they are
    stored with every fact).
    """
    try:
        files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    except OSError as error:
        raise PriceFileError(str(path), None, f"can't be read: {error.strerror}") from error
    if not files:
        raise PriceFileError(
            str(path), None, "holds no *.toml file: name a price file or a folder of them"
        )
    if len(files) > FILES_MAX:
        raise PriceFileError(str(path), None, f"holds {len(files)} files: at most {FILES_MAX}")
    models: list[ModelRule] = []
    services: list[ServiceEntry] = []
    for file in files:
        short = f"{name}/{file.name}"
        root = Table(Document.read(file, short if is_shipped else str(file)), (), {})
        root.values = root.document.root
        models += _models(root, short)
        services += (
            service_entry(table, short, kind) for kind in UNITS for table in root.tables(kind)
        )
        root.finish()
    if len(models) + len(services) > TABLES_MAX:
        raise PriceFileError(str(path), None, f"holds more than {TABLES_MAX} entries")
    _refuse_twins(models, services)
    return PriceRules(
        name=name,
        models=tuple(models),
        services=tuple(services),
        files=tuple(file.name for file in files),
    )


def _models(root: Table, short: str) -> Iterator[ModelRule]:
    for table in root.tables("llm"):
        provider, patterns, entry = model_entry(table, short)
        yield ModelRule(provider=provider, patterns=patterns, what=entry)
    for table in root.tables("factor"):
        provider, patterns, factor = model_factor(table, short)
        yield ModelRule(provider=provider, patterns=patterns, what=factor)


def _refuse_twins(models: list[ModelRule], services: list[ServiceEntry]) -> None:
    """Refuse two entries for one thing from one moment: prices are appended, never overwritten."""
    seen: dict[tuple[object, ...], str] = {}
    for rule in models:
        when = rule.what.when if isinstance(rule.what, Factor) else None
        for pattern in rule.patterns:
            _once(seen, (rule.provider, pattern, when, rule.what.span.from_us), rule.what.origin)
    for service in services:
        for name in service.names:
            for key, _ in service.rates:
                _once(seen, (service.kind, name, key, service.span.from_us), service.origin)


def _once(seen: dict[tuple[object, ...], str], key: tuple[object, ...], origin: str) -> None:
    if key in seen:
        file, _, line = origin.rpartition(", line ")
        what = f"{key[0]}/{key[1]}"
        raise PriceFileError(
            file,
            int(line) if line.isdigit() else None,
            f"a second price of {what} from the same moment as in {seen[key]}:"
            " append one with a later from",
        )
    seen[key] = origin
