"""From the models of genai-prices to our dated entries, so that one rule picks a price from either.

Works on the library's objects without importing it; the catalogue, which does, hands them in.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from contextframe_monitoring.core.price_columns import PRICE_KEYS
from contextframe_monitoring.core.price_history import (
    ALWAYS,
    DAY_US,
    SECOND_US,
    Entry,
    Layer,
    Span,
    Variant,
)
from contextframe_monitoring.core.prices import Rate

FIRST_PARTIES: Final = (
    *("anthropic", "openai", "google", "mistral", "cohere", "deepseek", "x-ai", "voyageai"),
    *("perplexity", "moonshotai", "minimax", "zai"),
)
"""Who is asked, in this order, when a model's name comes alone and says nothing of its provider."""

_WHISPER_MS_MIN: Final = 10_000
"""Groq bills at least ten seconds of audio: the library's one rule that is not in its data."""
_WHISPERS: Final = frozenset({"whisper-large-v3", "whisper-large-v3-turbo"})


def find_model(
    providers: Iterable[Any], provider: str | None, name: str
) -> tuple[Any, Any, Any] | None:
    """Return (provider, model, provider who lists it) of the base catalogue, or None."""
    known = {one.id: one for one in providers}
    if provider is not None:
        one = known.get(provider) or _by_match(known.values(), provider)
        return one and _model_of(one, name, known)
    speaking = (one for one in known.values() if one.model_match is not None)
    named = (one for one in speaking if one.model_match.is_match(name))
    return next((found for one in named if (found := _model_of(one, name, known))), None)


def _by_match(providers: Iterable[Any], name: str) -> Any | None:
    for one in providers:
        if one.provider_match is not None and one.provider_match.is_match(name):
            return one
    return None


def _model_of(provider: Any, name: str, known: dict[str, Any]) -> tuple[Any, Any, Any] | None:
    model = provider.find_model(name, all_providers=list(known.values()))
    if model is None:
        return None
    owners = (provider, *(known[one] for one in provider.fallback_model_providers or ()))
    owner = next(one for one in owners if any(model is listed for listed in one.models))
    return provider, model, owner


def base_layer(provider: Any, model: Any, owner: Any, catalogue: str) -> Layer:
    """Return the layer of one model. `catalogue` names the release (`genai-prices-0.2.3`).

    Modes are priced by who serves the model: prices taken over from another provider come without
    its variants.
    """
    prices = model.prices
    listed = prices if isinstance(prices, list) else [None]
    variants = tuple(_variant(one) for one in model.price_variants or () if provider is owner)
    covers = f"{owner.id}/{model.id}"
    urls = owner.pricing_urls or [owner.id]
    is_whisper = provider.id == "groq" and model.id in _WHISPERS
    entries = []
    for index, one in enumerate(listed):
        constraint = one.constraint if one is not None and index else None
        span = _span(constraint)
        entries.append(
            Entry(
                price_id=f"{catalogue}:{covers}{_since(constraint)}",
                source=urls[0],
                checked=None,
                origin=f"{catalogue}, {covers}",
                covers=covers,
                rates=_rates(prices if one is None else one.prices),
                variants=variants,
                span=span,
                audio_ms_min=_WHISPER_MS_MIN if is_whisper else 0,
            )
        )
    return Layer(name=catalogue, entries=tuple(entries))


def _variant(variant: Any) -> Variant:
    return Variant(
        when=tuple(sorted((key, value.lower()) for key, value in variant.when.items())),
        rates=_rates(variant.prices),
        span=_span(variant.constraint),
    )


def _rates(prices: Any) -> dict[str, Rate]:
    rates: dict[str, Rate] = {}
    for key, value in vars(prices).items():
        if value is None or key not in PRICE_KEYS:
            continue
        if isinstance(value, Decimal):
            rates[key] = Rate(value)
        else:
            rates[key] = Rate(value.base, tuple((tier.start, tier.price) for tier in value.tiers))
    return rates


def _span(constraint: Any) -> Span:
    if constraint is None:
        return ALWAYS
    start: date | None = getattr(constraint, "start_date", None)
    if start is not None:
        moment = datetime(start.year, start.month, start.day, tzinfo=UTC)
        return Span(from_us=int(moment.timestamp()) * SECOND_US)
    first, last = _day_us(constraint.start_time), _day_us(constraint.end_time)
    ends = ((first, last),) if first <= last else ((0, last), (first, DAY_US))
    return Span(
        windows=tuple((day * DAY_US + a, day * DAY_US + b) for day in range(7) for a, b in ends)
    )


def _day_us(moment: time) -> int:
    """Return the microseconds since midnight UTC; a time without a zone is UTC."""
    offset = moment.utcoffset()
    at = ((moment.hour * 60 + moment.minute) * 60 + moment.second) * SECOND_US + moment.microsecond
    return (at - (0 if offset is None else int(offset.total_seconds()) * SECOND_US)) % DAY_US


def _since(constraint: Any) -> str:
    if constraint is None:
        return ""
    start = getattr(constraint, "start_date", None)
    if start is not None:
        return f"@{start.isoformat()}"
    return f"@{constraint.start_time:%H:%M}-{constraint.end_time:%H:%M}"
