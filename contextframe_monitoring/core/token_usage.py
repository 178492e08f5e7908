"""What one model call used, in columns that do not overlap; conversion from totals with cache."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from contextframe_monitoring.core.errors import InvalidError, LimitedError
from contextframe_monitoring.core.price_columns import COLUMN, PARTS, RARE

COUNT_MAX: Final = 10**12
"""A single call (or a day of calls) that counts more than this is a mistake of the sender."""
NAME_CHARS_MAX: Final = 256
CONTEXT_PAIRS_MAX: Final = 8

Mode = tuple[tuple[str, str], ...]
"""How a call was served, where that changes its price: sorted pairs, `("processing", "batch")`."""

STANDARD_TIERS: Final = frozenset(
    {"", "standard", "default", "auto", "on_demand", "on-demand", "standard_only", "none", "normal"}
)
"""Service tiers and speeds that are billed at the listed price."""

_COUNTS: Final = 14
"""The first fields of `Usage` are counts."""
_MAIN_COUNTS: Final = 7
"""The first of those stand for themselves, the others are parts of them."""
_WHOLE: Final = {int}
_RARE_NAMES: Final = frozenset(column.name for column in RARE)
_WHOLE_COUNT: Final = f"a whole number from 0 to {COUNT_MAX}"


class Usage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Token columns that do not overlap, and what else is priced; a Usage that exists is valid.

    `input_tokens` are the uncached ones. A field named in `PARTS` is a part of its main column:
    reasoning, audio, image and video tokens of the output lie inside `output_tokens`, those of the
    input inside `input_tokens` (uncached) or `cache_read_tokens`. `more` holds the rare columns of
    `RARE` as (name, count) pairs, `context` other circumstances that a price list may name, as
    (key, value) pairs (`("inference_geo", "us")`).
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    web_searches: int = 0
    requests: int = 1
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    cache_read_audio_tokens: int = 0
    cache_read_image_tokens: int = 0
    output_audio_tokens: int = 0
    output_image_tokens: int = 0
    batch: bool = False
    service_tier: str | None = None
    speed: str | None = None
    more: tuple[tuple[str, int], ...] = ()
    context: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be: `InvalidError` names the column."""
        counts = msgspec.structs.astuple(self)[:_COUNTS]
        if set(map(type, counts)) != _WHOLE or min(counts) < 0 or max(counts) > COUNT_MAX:
            self._refuse(counts)
        if self.more or self.context or type(self.batch) is not bool:
            self._check_rare()
        if self.more or any(counts[_MAIN_COUNTS:]):
            self._check_parts()
        for name, text in (("service_tier", self.service_tier), ("speed", self.speed)):
            if text is not None:
                check_name(name, text)

    def _refuse(self, counts: tuple[Any, ...]) -> None:
        for name, count in zip(self.__struct_fields__, counts, strict=False):
            if type(count) is not int or not 0 <= count <= COUNT_MAX:
                raise InvalidError(name, count, _WHOLE_COUNT)

    def _check_rare(self) -> None:
        if type(self.batch) is not bool:
            raise InvalidError("batch", self.batch, "true or false")
        if len({name for name, _ in self.more}) != len(self.more):
            raise InvalidError("more", self.more, "each column once")
        for name, count in self.more:
            if name not in _RARE_NAMES:
                raise InvalidError("more", name, f"one of {', '.join(sorted(_RARE_NAMES))}")
            if type(count) is not int or not 0 <= count <= COUNT_MAX:
                raise InvalidError(name, count, _WHOLE_COUNT)
        if len(self.context) > CONTEXT_PAIRS_MAX:
            raise LimitedError(
                "context", len(self.context), CONTEXT_PAIRS_MAX, "send what changes the price"
            )
        for key, value in self.context:
            check_name("context key", key)
            if value != "":
                check_name(key, value)

    def _check_parts(self) -> None:
        inside: dict[str, int] = {}
        found = [(column.name, getattr(self, column.name)) for column in PARTS]
        for name, count in (*found, *self.more):
            whole = COLUMN[name].part_of
            if count and whole:
                inside[whole] = inside.get(whole, 0) + count
                limit: int = getattr(self, whole)
                if inside[whole] > limit:
                    raise InvalidError(name, count, f"with its siblings at most {whole} = {limit}")

    @property
    def context_tokens(self) -> int:
        """Return all input tokens, cached or not: what a tier by context size looks at."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
        )

    @property
    def mode(self) -> Mode:
        """Return how the call was served; empty for a call at the listed price."""
        if not (self.batch or self.service_tier or self.speed or self.context):
            return ()
        return _mode(self.batch, self.service_tier or "", self.speed or "", self.context)

    def uncached(self) -> Usage:
        """Return the same call without a cache: what it costs more is what the cache saved."""
        return msgspec.structs.replace(
            self,
            input_tokens=self.context_tokens,
            cache_read_tokens=0,
            cache_write_5m_tokens=0,
            cache_write_1h_tokens=0,
            cache_read_audio_tokens=0,
            cache_read_image_tokens=0,
            input_audio_tokens=self.input_audio_tokens + self.cache_read_audio_tokens,
            input_image_tokens=self.input_image_tokens + self.cache_read_image_tokens,
        )


@lru_cache(maxsize=256)
def _mode(batch: bool, service_tier: str, speed: str, context: tuple[tuple[str, str], ...]) -> Mode:
    pairs = {key: value.lower() for key, value in context if value}
    tier = service_tier.lower()
    if batch or tier == "batch":
        pairs["processing"] = "batch"
    elif tier not in STANDARD_TIERS:
        pairs["service_tier"] = tier
    if speed.lower() not in STANDARD_TIERS:
        pairs["speed"] = speed.lower()
    return tuple(sorted(pairs.items()))


def check_name(name: str, text: object, chars_max: int = NAME_CHARS_MAX) -> str:
    """Return `text` if it has 1 to `chars_max` characters, else raise `InvalidError`."""
    if not isinstance(text, str) or not text.strip() or len(text) > chars_max:
        raise InvalidError(name, text, f"a text of 1 to {chars_max} characters")
    return text


def usage_from_totals(
    *,
    input_tokens: int | None = None,
    cache_read_tokens: int = 0,
    cache_write_tokens: int | None = None,
    cache_write_5m_tokens: int | None = None,
    cache_write_1h_tokens: int | None = None,
    **rest: Any,
) -> Usage:
    """Build a Usage from totals: `input_tokens` INCLUDES cache reads and writes.

    So count OpenAI, Gemini, OpenTelemetry and `prices quote`. Without a split, cache writes are
    5-minute writes. Without `input_tokens`, the input is what the cache columns hold. `rest` are
    other fields of `Usage`; audio and image tokens of the input include their cached ones. Raises
    `InvalidError` where the cache is larger than the input or the split larger than the writes.
    """
    check_counts(
        {
            "input_tokens": input_tokens,
            "cache_read_tokens": cache_read_tokens,
            "cache_write_tokens": cache_write_tokens,
            "cache_write_5m_tokens": cache_write_5m_tokens,
            "cache_write_1h_tokens": cache_write_1h_tokens,
        }
    )
    short, long = _split_writes(cache_write_tokens, cache_write_5m_tokens, cache_write_1h_tokens)
    cached = cache_read_tokens + short + long
    total = cached if input_tokens is None else input_tokens
    if cached > total:
        allowed = f"at most input_tokens = {total}, which includes them"
        if cache_read_tokens > total:
            raise InvalidError("cache_read_tokens", cache_read_tokens, allowed)
        raise InvalidError("cache_read_tokens + cache_write_tokens", cached, allowed)
    return Usage(
        input_tokens=total - cached,
        cache_read_tokens=cache_read_tokens,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
        **_without_cached(rest),
    )


def _without_cached(fields: dict[str, Any]) -> dict[str, Any]:
    """Take the cached audio and image tokens out of those of the input, which include them."""
    for kind in ("audio", "image"):
        whole, part = f"input_{kind}_tokens", f"cache_read_{kind}_tokens"
        total, cached = fields.get(whole, 0), fields.get(part, 0)
        check_counts({whole: total, part: cached})
        if cached > total:
            raise InvalidError(part, cached, f"at most {whole} = {total}, which includes them")
        fields[whole] = total - cached
    return fields


def check_counts(counts: Mapping[str, object]) -> None:
    """Raise `InvalidError` for the first count that is neither None nor a bounded whole number."""
    for name, count in counts.items():
        if count is not None and (type(count) is not int or not 0 <= count <= COUNT_MAX):
            raise InvalidError(name, count, _WHOLE_COUNT)


def _split_writes(total: int | None, short: int | None, long: int | None) -> tuple[int, int]:
    """Return (5-minute, 1-hour) writes: what the split leaves over counts as 5-minute writes."""
    split = (short or 0) + (long or 0)
    if total is None or short is None or long is None:
        total = split if total is None else total
    elif split != total:
        raise InvalidError(
            "cache_write_tokens", total, f"the sum of its 5m and 1h parts, {short} + {long}"
        )
    if split > total:
        raise InvalidError("cache_write_tokens", total, f"at least its parts, {split}")
    return total - (long or 0), long or 0
