"""One line of `prices quote`: a model call described in JSON, checked and turned into columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from contextframe_monitoring.core.errors import InvalidError, UnknownKeyError
from contextframe_monitoring.core.price_columns import MAIN, MTOK, PARTS, RARE
from contextframe_monitoring.core.prices import Rate, Rates
from contextframe_monitoring.core.pricing_config import rate_usd
from contextframe_monitoring.core.token_usage import (
    COUNT_MAX,
    Usage,
    check_name,
    usage_from_totals,
)

_RENAMED: Final = {
    "output_reasoning_tokens": "reasoning_tokens",
    "cache_audio_read_tokens": "cache_read_audio_tokens",
    "cache_image_read_tokens": "cache_read_image_tokens",
    "output_citation_tokens": "citation_tokens",
}
"""genai-prices' names beside ours; both are understood."""
_TOTALS: Final = frozenset({"cache_write_tokens", *(column.name for column in MAIN + PARTS)})
_RARE: Final = frozenset(column.name for column in RARE if not column.name.endswith("_ms"))
_SECONDS: Final = {
    "audio_seconds": "audio_ms",
    "input_audio_seconds": "input_audio_ms",
    "output_audio_seconds": "output_audio_ms",
}
_TEXT_ONLY: Final = {"input_text_tokens": "input_tokens", "output_text_tokens": "output_tokens"}
"""Said for information: text is what is left of the tokens, so it only has to fit."""
_MODE: Final = frozenset({"batch", "service_tier", "speed"})
_CONTEXT: Final = frozenset({"search_context_size", "search_type", "inference_geo", "route"})
_LINE: Final = frozenset({"provider", "model", "at", "date", "usage", "rates_per_token", "context"})
_REMARKS: Final = frozenset({"id", "expected_usd", "source", "grade", "note"})
"""What a recorded case says beside the call; it changes nothing."""
_REMARK: Final = re.compile(r"\s+\([^)]*\)$")

_OWN_RATES: Final = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_5m": "cache_write_5m_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A call to price: `rates` are its own, where the line brings some."""

    provider: str | None
    model: str
    at: datetime
    usage: Usage
    rates: Rates | None = None


def read_quote(line: Mapping[str, Any], now: datetime) -> Quote:
    """Check one line and return the call; `now` stands in for a missing `at` (or `date`).

    Raises `InvalidError` or `UnknownKeyError` naming what is wrong.
    """
    if not isinstance(line, Mapping):
        raise InvalidError("quote", line, "an object with provider, model, at and usage")
    for key in line:
        if key not in _LINE | _MODE | _CONTEXT | _REMARKS:
            raise UnknownKeyError(str(key), _LINE | _MODE | _CONTEXT, "a quote")
    provider = line.get("provider")
    if provider is not None:
        check_name("provider", provider)
    usage = line.get("usage")
    if not isinstance(usage, Mapping):
        raise InvalidError("usage", usage, "an object with input_tokens, output_tokens ...")
    given = {key: line[key] for key in line if key in _MODE | _CONTEXT}
    rates = line.get("rates_per_token")
    return Quote(
        provider=provider,
        model=check_name("model", line.get("model")),
        at=_moment(line.get("at") or line.get("date"), now),
        usage=read_usage({**given, **usage}, _context(line.get("context"))),
        rates=None if rates is None else _own_rates(rates),
    )


def read_usage(usage: Mapping[str, Any], context: Mapping[str, str] | None = None) -> Usage:
    """Return the columns of a usage whose `input_tokens` INCLUDES the cache.

    Keys may be ours or genai-prices'.
    """
    totals: dict[str, Any] = {}
    more: dict[str, int] = {}
    circumstances = dict(context or {})
    for key, value in usage.items():
        name = _RENAMED.get(key, key)
        if value is None:
            continue
        if name in _TOTALS or name in _MODE:
            totals[name] = value
        elif name in _RARE:
            more[name] = value
        elif name in _SECONDS:
            more[_SECONDS[name]] = _milliseconds(name, value)
        elif name in _CONTEXT:
            circumstances[name] = check_name(name, value)
        elif name not in _TEXT_ONLY:
            known = _TOTALS | _RARE | _SECONDS.keys() | _TEXT_ONLY.keys() | _MODE | _CONTEXT
            raise UnknownKeyError(str(key), known, "usage")
    _take_parts_out(more)
    columns = usage_from_totals(
        **totals, more=tuple(sorted(more.items())), context=tuple(sorted(circumstances.items()))
    )
    for key, whole in _TEXT_ONLY.items():
        _check_text(key, usage.get(key), whole, totals, columns)
    return columns


def _check_text(
    key: str, count: object, whole: str, totals: Mapping[str, Any], columns: Usage
) -> None:
    if count is None:
        return
    limit = totals.get(whole, columns.context_tokens if whole == "input_tokens" else 0)
    if type(count) is not int or not 0 <= count <= limit:
        raise InvalidError(key, count, f"a whole number from 0 to {whole} = {limit}")


def _take_parts_out(more: dict[str, int]) -> None:
    """Make durations and pages disjoint: a total includes its directions and annotated pages."""
    for whole, parts in (
        ("audio_ms", ("input_audio_ms", "output_audio_ms")),
        ("input_document_pages", ("input_annotated_document_pages",)),
    ):
        inside = sum(more.get(part, 0) for part in parts if type(more.get(part, 0)) is int)
        if type(more.get(whole)) is int and inside:
            if inside > more[whole]:
                raise InvalidError(whole, more[whole], f"at least its parts, {inside}")
            more[whole] -= inside


def _milliseconds(name: str, seconds: object) -> int:
    allowed = f"a number of seconds from 0 to {COUNT_MAX}"
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float, Decimal)):
        raise InvalidError(name, seconds, allowed)
    exact = Decimal(repr(seconds)) if isinstance(seconds, float) else Decimal(seconds)
    if not exact.is_finite() or not 0 <= exact <= COUNT_MAX:
        raise InvalidError(name, seconds, allowed)
    return int((exact * 1_000).to_integral_value(ROUND_HALF_EVEN))


def _context(context: object) -> dict[str, str]:
    if context is None:
        return {}
    if not isinstance(context, Mapping):
        raise InvalidError("context", context, 'an object of texts, as in {"search_type": "fast"}')
    return {check_name("context key", key): check_name(str(key), context[key]) for key in context}


def _moment(at: object, now: datetime) -> datetime:
    """Return the event's time; a date is its first moment, a time without an offset is UTC."""
    if at is None:
        moment = now
    elif isinstance(at, datetime):
        moment = at
    elif isinstance(at, date):
        moment = datetime.combine(at, time(), UTC)
    else:
        try:
            moment = datetime.fromisoformat(at)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            allowed = "a time in ISO 8601, as in 2026-11-20T12:00:00Z"
            raise InvalidError("at", at, allowed) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _own_rates(rates: object) -> Rates:
    """Return rates given per token; a remark in parentheses may follow a number."""
    if not isinstance(rates, Mapping) or not rates:
        raise InvalidError("rates_per_token", rates, f"an object of {', '.join(_OWN_RATES)}")
    listed: dict[str, Rate] = {}
    for key, value in rates.items():
        if key not in _OWN_RATES:
            raise UnknownKeyError(str(key), _OWN_RATES, "rates_per_token")
        number = _REMARK.sub("", value) if isinstance(value, str) else value
        listed[_OWN_RATES[key]] = Rate(rate_usd(f"rates_per_token.{key}", number) * MTOK)
    return listed
