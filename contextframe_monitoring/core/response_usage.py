"""What a model call used, read from the raw body of the provider's answer.

Three dialects: Anthropic messages (input tokens exclude the cache), OpenAI chat completions,
responses and embeddings (they include it; so do the many providers that speak the same), Gemini
(they include it, thoughts come beside the candidates). Of a stream, give the last chunk that
carries usage. Only counts and names are read; bodies come from outside and are checked like any
other input.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from contextframe_monitoring.core.errors import InvalidError, LimitedError, shown
from contextframe_monitoring.core.token_usage import (
    Usage,
    check_counts,
    check_name,
    usage_from_totals,
)

BODY_BYTES_MAX = 64 << 20
_SHAPES = (
    "the body of an Anthropic message, an OpenAI chat completion, response or embedding, or a "
    "Gemini generateContent answer"
)
_MODALITIES = ("audio", "image")


class ResponseUsage(NamedTuple):
    """What a body says. `usage` is None where it carries none: then its cost is unknown."""

    provider: str
    model: str
    usage: Usage | None
    response_id: str | None
    reported_cost_usd: Decimal | None


def response_usage(
    body: Mapping[str, Any] | str | bytes, provider: str | None = None, model: str | None = None
) -> ResponseUsage:
    """Read a body; `provider` and `model` win over what it says.

    Raises `InvalidError` for a body of another shape and for counts that can't be.
    """
    found = _table_of(body)
    spoken, counted, read = _dialect(found)
    name = model or found.get("model") or found.get("modelVersion")
    identity = found.get("id") or found.get("responseId")
    counts = found.get(counted)
    if counts is not None and not isinstance(counts, Mapping):
        raise InvalidError(counted, counts, "expected an object")
    return ResponseUsage(
        provider=check_name("provider", provider or spoken),
        model=check_name("model", name),
        usage=read(counts, found) if counts else None,
        response_id=identity if isinstance(identity, str) else None,
        reported_cost_usd=_reported(provider, counts),
    )


def _table_of(body: Mapping[str, Any] | str | bytes) -> Mapping[str, Any]:
    found: Any = body
    if isinstance(body, str | bytes):
        if len(body) > BODY_BYTES_MAX:
            raise LimitedError("size of body", len(body), BODY_BYTES_MAX, "give its usage only")
        try:
            found = json.loads(body, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise InvalidError("body", body[:40], f"expected JSON, {_SHAPES}") from None
    if not isinstance(found, Mapping):
        raise InvalidError("body", type(found).__name__, f"expected {_SHAPES}")
    return found


_Read = Callable[[Mapping[str, Any], Mapping[str, Any]], Usage]


def _dialect(body: Mapping[str, Any]) -> tuple[str, str, _Read]:
    """Return whose shape it is, the key of its counts, and what reads them."""
    kind = body.get("object")
    if "usageMetadata" in body or "modelVersion" in body:
        return "google", "usageMetadata", _gemini
    if body.get("type") == "message":
        return "anthropic", "usage", _anthropic
    usage = body.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    if kind == "response" or "input_tokens_details" in counts:
        return "openai", "usage", _openai_response
    if "prompt_tokens" in counts or isinstance(kind, str):
        return "openai", "usage", _openai_chat
    raise InvalidError("body", sorted(map(str, body))[:8], f"expected {_SHAPES}")


def _anthropic(counts: Mapping[str, Any], _: Mapping[str, Any]) -> Usage:
    split = _part(counts, "cache_creation")
    writes = _count(counts, "cache_creation_input_tokens")
    long = _count(split, "ephemeral_1h_input_tokens")
    short = _count(split, "ephemeral_5m_input_tokens")
    if short + long > writes and "cache_creation_input_tokens" in counts:
        raise InvalidError(
            "cache_creation_input_tokens", writes, f"at least its parts, {short + long}"
        )
    geography = counts.get("inference_geo")
    return Usage(
        input_tokens=_count(counts, "input_tokens"),
        cache_read_tokens=_count(counts, "cache_read_input_tokens"),
        cache_write_5m_tokens=max(writes, short + long) - long,
        cache_write_1h_tokens=long,
        output_tokens=_count(counts, "output_tokens"),
        web_searches=_count(_part(counts, "server_tool_use"), "web_search_requests"),
        service_tier=_name(counts, "service_tier"),
        speed=_name(counts, "speed"),
        context=(("inference_geo", "us"),) if geography == "us" else (),
    )


def _openai_chat(counts: Mapping[str, Any], body: Mapping[str, Any]) -> Usage:
    return _openai(counts, body, "prompt_tokens", "completion_tokens")


def _openai_response(counts: Mapping[str, Any], body: Mapping[str, Any]) -> Usage:
    return _openai(counts, body, "input_tokens", "output_tokens")


def _openai(counts: Mapping[str, Any], body: Mapping[str, Any], read: str, wrote: str) -> Usage:
    inside, outside = _part(counts, f"{read}_details"), _part(counts, f"{wrote}_details")
    total, cached = _count(counts, read), _count(inside, "cached_tokens")
    audio = _count(inside, "audio_tokens")
    return usage_from_totals(
        input_tokens=total,
        cache_read_tokens=cached,
        output_tokens=_count(counts, wrote),
        reasoning_tokens=_count(outside, "reasoning_tokens"),
        input_audio_tokens=audio,
        cache_read_audio_tokens=max(audio - max(total - cached, 0), 0),
        output_audio_tokens=_count(outside, "audio_tokens"),
        service_tier=_name(body, "service_tier"),
    )


def _gemini(counts: Mapping[str, Any], _: Mapping[str, Any]) -> Usage:
    thoughts = _count(counts, "thoughtsTokenCount")
    read = _modalities(counts, ("promptTokensDetails", "toolUsePromptTokensDetails"))
    cached = _modalities(counts, ("cacheTokensDetails",))
    wrote = _modalities(counts, ("candidatesTokensDetails",))
    return usage_from_totals(
        input_tokens=_count(counts, "promptTokenCount") + _count(counts, "toolUsePromptTokenCount"),
        cache_read_tokens=_count(counts, "cachedContentTokenCount"),
        output_tokens=_count(counts, "candidatesTokenCount") + thoughts,
        reasoning_tokens=thoughts,
        **{f"input_{kind}_tokens": read[kind] for kind in _MODALITIES},
        **{f"cache_read_{kind}_tokens": cached[kind] for kind in _MODALITIES},
        **{f"output_{kind}_tokens": wrote[kind] for kind in _MODALITIES},
    )


def _modalities(counts: Mapping[str, Any], names: Iterable[str]) -> dict[str, int]:
    found = dict.fromkeys(_MODALITIES, 0)
    for name in names:
        for part in counts.get(name) or ():
            if not isinstance(part, Mapping):
                raise InvalidError(name, part, "expected an object")
            kind = str(part.get("modality")).lower()
            if kind in found:
                found[kind] += _count(part, "tokenCount")
    return found


def _count(table: Mapping[str, Any], name: str) -> int:
    """Return a count; one that is missing or null is 0: these bodies leave out what is not used."""
    value = table.get(name)
    check_counts({name: value})
    return value or 0


def _part(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise InvalidError(name, value, "expected an object")
    return value or {}


def _name(table: Mapping[str, Any], name: str) -> str | None:
    value = table.get(name)
    return None if value is None else check_name(name, value)


def _reported(provider: str | None, counts: Mapping[str, Any] | None) -> Decimal | None:
    """Return the cost that a gateway says: OpenRouter's is in USD."""
    if provider != "openrouter" or counts is None or counts.get("cost") is None:
        return None
    cost = counts["cost"]
    if isinstance(cost, bool) or not isinstance(cost, int | float | Decimal):
        raise InvalidError("cost", shown(cost), "expected a number of USD")
    return Decimal(str(cost))
