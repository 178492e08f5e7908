"""From the tables of a price file to entries, factors and service prices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from contextframe_monitoring.core.model_names import canonical_provider
from contextframe_monitoring.core.price_columns import COLUMNS, PRICE_KEYS, TOKEN_KEYS
from contextframe_monitoring.core.price_history import (
    DAY_US,
    SECOND_US,
    WEEK_US,
    Entry,
    Factor,
    Span,
    Variant,
)
from contextframe_monitoring.core.prices import Rate
from contextframe_monitoring.core.service_prices import UNITS, ServiceEntry, ServiceKind
from contextframe_monitoring.core.token_usage import Mode
from contextframe_monitoring.store.price_toml import Table

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_HOURS: Final = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))$")
_HOURS_WORDS: Final = 'a list of hours in UTC, as in ["16:30-00:30"]'
_WHEN_WORDS: Final = (
    'a table of what the call was, as in { batch = true } or { service_tier = "flex" }'
)
_MINUTE_US: Final = 60 * SECOND_US
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OUTPUT_KEYS: Final = frozenset(key for one in COLUMNS if one.is_output for key in one.keys)
_DATED: Final = ("from", "until", "source", "checked", "note")


def model_entry(table: Table, file: str) -> tuple[str, tuple[str, ...], Entry]:
    """Return the provider, the model patterns and the price of one `[[llm]]` table."""
    provider, patterns = _covered(table)
    span = _span(table, is_dated=True)
    inherits = table.flag("inherit")
    rates = _rates(table)
    variants = tuple(_variant(one) for one in table.tables("variant"))
    if not inherits:
        _check_parents(table, rates)
    if not rates and not variants:
        table.refuse(None, "[[llm]] holds no rate: give at least one, such as input_mtok")
    entry = Entry(
        price_id=f"{file}:{provider}/{patterns[0]}@{_start(span)}",
        source=_source(table),
        checked=table.day("checked"),
        origin=table.origin,
        covers=f"{provider}/{'|'.join(patterns)}",
        rates=rates,
        variants=variants,
        span=span,
        inherits=inherits,
    )
    _finish(table, PRICE_KEYS)
    return provider, patterns, entry


def model_factor(table: Table, file: str) -> tuple[str, tuple[str, ...], Factor]:
    """Return the provider, the model patterns and the factor of one `[[factor]]` table."""
    provider, patterns = _covered(table)
    when = _when(table)
    if not when:
        table.refuse("when", f"when is missing in [[factor]]: {_WHEN_WORDS}")
    by = table.amounts(("tokens", *sorted(TOKEN_KEYS)))
    if "tokens" not in by:
        table.refuse("tokens", "tokens is missing in [[factor]]: what to multiply token rates with")
    span = _span(table, is_dated=True)
    tokens = by.pop("tokens")
    factor = Factor(
        factor_id=f"{file}:{_words(when)}@{_start(span)}",
        source=_source(table),
        checked=table.day("checked"),
        origin=table.origin,
        when=when,
        tokens=tokens,
        by=tuple(by.items()),
        span=span,
    )
    _finish(table, TOKEN_KEYS)
    return provider, patterns, factor


def service_entry(table: Table, file: str, kind: ServiceKind) -> ServiceEntry:
    """Return the price of one `[[storage]]`, `[[bandwidth]]`, `[[compute]]` or `[[api]]` table."""
    keys = [key for pairs in UNITS[kind].values() for key, _ in pairs]
    names = table.texts("names", 'a list of names or patterns, as in ["*"]')
    rates = table.amounts(keys)
    if not rates:
        table.refuse(None, f"[[{kind}]] holds no rate: give at least one of {', '.join(keys)}")
    span = _span(table, is_dated=True)
    entry = ServiceEntry(
        kind=kind,
        names=tuple(name.lower() for name in names),
        price_id=f"{file}:{kind}/{names[0]}@{_start(span)}",
        source=_source(table),
        checked=table.day("checked"),
        origin=table.origin,
        rates=tuple(rates.items()),
        span=span,
    )
    _finish(table, keys)
    return entry


def _covered(table: Table) -> tuple[str, tuple[str, ...]]:
    allowed = "the name of who bills the call, as in 'anthropic'"
    provider = canonical_provider(table.text("provider", allowed))
    if provider is None:
        table.refuse(
            "provider", f"provider = {table.values['provider']!r} is not allowed: {allowed}"
        )
    patterns = table.texts("models", 'a list of names or patterns, as in ["gpt-5", "gpt-5-*"]')
    return provider, tuple(pattern.lower() for pattern in patterns)


def _source(table: Table) -> str:
    return table.text("source", "the address or document that the price was read from")


def _finish(table: Table, rate_keys: frozenset[str] | list[str]) -> None:
    if table.has("note"):
        table.text("note", "a remark")
    table.finish((*_DATED, *rate_keys))


def _rates(table: Table) -> dict[str, Rate]:
    """Return the rates of a table and of its tiers by context size."""
    base = table.amounts(sorted(PRICE_KEYS))
    tiers: dict[str, list[tuple[int, object]]] = {key: [] for key in base}
    last = 0
    for tier in table.tables("tier"):
        above = tier.whole("above_input_tokens", "a number of tokens, as in 200_000")
        if above <= last:
            tier.refuse("above_input_tokens", f"tiers must rise: {above} comes after {last}")
        last = above
        amounts = tier.amounts(sorted(PRICE_KEYS))
        for key, rate in amounts.items():
            if key not in base:
                tier.refuse(key, f"{key} has a tier but no base rate in [[{table.kind}]]")
            tiers[key].append((above, rate))
        tier.finish(PRICE_KEYS)
    return {
        key: Rate(rate, tuple(tiers[key]))  # type: ignore[arg-type]
        for key, rate in base.items()
    }


def _variant(table: Table) -> Variant:
    when = _when(table)
    span = _span(table, is_dated=False)
    if not when and not span.windows:
        table.refuse(None, f"[[{table.kind}]] needs when ({_WHEN_WORDS}) or hours_utc or days")
    rates = _rates(table)
    if not rates:
        table.refuse(None, f"[[{table.kind}]] holds no rate: give those that differ")
    table.finish({"hours_utc", "days", *PRICE_KEYS})
    return Variant(when=when, rates=rates, span=span)


def _when(table: Table) -> Mode:
    """Return the mode; `batch = true` is the base catalogue's `processing = batch`."""
    pairs: dict[str, str] = {}
    for key, value in table.pairs("when", _WHEN_WORDS).items():
        if key == "batch" and value is True:
            pairs["processing"] = "batch"
        elif isinstance(value, str) and value and key != "batch":
            pairs[key] = value.lower()
        else:
            table.refuse("when", f"when.{key} = {str(value).lower()} is not allowed: {_WHEN_WORDS}")
    return tuple(sorted(pairs.items()))


def _span(table: Table, *, is_dated: bool) -> Span:
    start, end = table.moment("from"), table.moment("until")
    if start is None and is_dated:
        table.refuse(
            "from", f"from is missing in [[{table.kind}]]: the date since when the price holds"
        )
    if start and end and end <= start:
        table.refuse("until", f"until = {end.date()} is not allowed: a time after from")
    return Span(
        from_us=None if start is None else _us(start),
        until_us=None if end is None else _us(end),
        windows=() if is_dated else _windows(table),
    )


def _windows(table: Table) -> tuple[tuple[int, int], ...]:
    """Return hours of the week in microseconds since Monday 00:00 UTC.

    A window past midnight belongs to the day on which it began.
    """
    if not table.has("hours_utc") and not table.has("days"):
        return ()
    days = table.texts("days", f"some of {', '.join(DAYS)}") if table.has("days") else DAYS
    hours = table.texts("hours_utc", _HOURS_WORDS) if table.has("hours_utc") else ("00:00-24:00",)
    windows: list[tuple[int, int]] = []
    for name in days:
        if name not in DAYS:
            table.refuse("days", f"days = {name!r} is not allowed: some of {', '.join(DAYS)}")
        for text in hours:
            windows += _window(table, DAYS.index(name) * DAY_US, text)
    return tuple(sorted(windows))


def _window(table: Table, day_us: int, text: str) -> Iterator[tuple[int, int]]:
    found = _HOURS.match(text)
    if not found:
        table.refuse("hours_utc", f"hours_utc = {text!r} is not allowed: {_HOURS_WORDS}")
    numbers = [int(part) for part in found.groups() if part is not None]
    start = day_us + (numbers[0] * 60 + numbers[1]) * _MINUTE_US
    end = day_us + (numbers[2] * 60 + numbers[3]) * _MINUTE_US
    end += DAY_US if end <= start else 0
    yield start, min(end, WEEK_US)
    if end > WEEK_US:
        yield 0, end - WEEK_US


def _check_parents(table: Table, rates: dict[str, Rate]) -> None:
    """Refuse a part without its whole: a cache rate alone prices no call."""
    for key in rates:
        parent = "output_mtok" if key in _OUTPUT_KEYS else "input_mtok"
        if key in TOKEN_KEYS and parent not in rates:
            table.refuse(key, f"{key} needs {parent} beside it (or inherit = true)")


def _start(span: Span) -> str:
    moment = _EPOCH + timedelta(microseconds=span.from_us or 0)
    is_day = (span.from_us or 0) % DAY_US == 0
    return moment.date().isoformat() if is_day else moment.strftime("%Y-%m-%dT%H:%MZ")


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _words(when: Mode) -> str:
    return "+".join(f"{key}={value}" for key, value in when)
