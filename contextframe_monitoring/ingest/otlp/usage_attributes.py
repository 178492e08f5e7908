"""What the attributes of a span say was used, in columns that don't overlap.

Every flavour that was seen counts cache reads and writes into its input tokens; they are taken out
here. The names are those of the OpenTelemetry conventions old and new, of openllmetry, pydantic-ai,
logfire, openinference and the Anthropic SDK.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from contextframe_monitoring.ingest.otlp.values import Attributes, checked_count, count

_INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
)
_OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
)
_READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "llm.token_count.prompt_details.cache_read",
)
_WRITE = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.details.cache_creation_input_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
)
_WRITE_1H = (
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
    "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
    "gen_ai.usage.details.ephemeral_1h_input_tokens",
)
_WRITE_5M = (
    "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
    "gen_ai.usage.cache_creation.ephemeral_5m_input_tokens",
    "gen_ai.usage.details.ephemeral_5m_input_tokens",
)
_REASONING = (
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.details.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)
_RAW = "gen_ai.usage.raw"
"""A provider's own usage object as JSON (logfire)."""
_RAW_PLACES = (
    (_READ[0], ("cache_read_input_tokens",)),
    (_READ[0], ("prompt_tokens_details", "cached_tokens")),
    (_READ[0], ("input_tokens_details", "cached_tokens")),
    (_WRITE[0], ("cache_creation_input_tokens",)),
    (_WRITE_1H[0], ("cache_creation", "ephemeral_1h_input_tokens")),
    (_WRITE_5M[0], ("cache_creation", "ephemeral_5m_input_tokens")),
    (_REASONING[0], ("completion_tokens_details", "reasoning_tokens")),
    (_REASONING[0], ("output_tokens_details", "reasoning_tokens")),
)


class SpanUsage(NamedTuple):
    """Exclusive token columns; `reasoning_tokens` lie inside the output."""

    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    reasoning_tokens: int | None


def span_usage(found: Attributes) -> SpanUsage | None:
    """Return what was used, None when nothing is said about it.

    Raises `InvalidError` for a count that can't be.
    """
    total, output = count(found, *_INPUT), count(found, *_OUTPUT)
    if total is None and output is None:
        return None
    known = {**_raw(found), **found}
    read = count(known, *_READ) or 0
    write_1h, write_5m = count(known, *_WRITE_1H) or 0, count(known, *_WRITE_5M) or 0
    write = max(count(known, *_WRITE) or 0, write_1h + write_5m)
    cached = read + write
    uncached = (total or 0) - cached
    reasoning = count(known, *_REASONING)
    return SpanUsage(
        input_tokens=uncached if uncached >= 0 else total or 0,  # then it didn't include the cache
        cache_read_tokens=read,
        cache_write_5m_tokens=write - write_1h,
        cache_write_1h_tokens=write_1h,
        output_tokens=output or 0,
        reasoning_tokens=None if reasoning is None else min(reasoning, output or 0),
    )


def _raw(found: Attributes) -> dict[str, Any]:
    """Return what the provider's own usage object says under the names that spans use."""
    blob = found.get(_RAW)
    if not isinstance(blob, str):
        return {}
    try:
        usage = msgspec.json.decode(blob)
    except (msgspec.DecodeError, RecursionError):
        return {}
    told: dict[str, Any] = {}
    for name, path in _RAW_PLACES:
        value: Any = usage
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None and name not in told:
            told[name] = checked_count(f"{_RAW}.{'.'.join(path)}", value)
    return told
