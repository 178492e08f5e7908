"""What one model call used, and the rules by which several lines become one fact.

Nothing of the conversation is here: counts, ids, the model, times, flags and the names of tools.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import msgspec

OTLP = "otlp"
"""Source of facts that a program's telemetry tells; the others are named after a coding agent."""
UNKNOWN = "unknown"
"""The provider of a call that no telemetry names one for."""
TOOLS_MAX = 32
TOKENS_MAX = 1_000_000_000
"""Of one call in one column; the largest context windows hold 10 million."""
NAME_CHARS_MAX = 128
"""Of ids and of names of tools."""
MODEL_CHARS_MAX = 256
PROJECT_CHARS_MAX = 256

_WEIGHTS = (20, 2, 25, 40, 100)
"""Relative list prices of input, cache read, cache write 5 m, cache write 1 h and output at
Anthropic: 1, 0.1, 1.25, 2 and 5 for all its models. They order two lines of equal tokens by cost
without a price list that changes."""


class Door(IntEnum):
    """Where a fact came in, the most precise first; a mark says of others that they were there."""

    TRANSCRIPT = 0
    EVENT = 1
    SPAN = 2
    METRIC = 3
    MARK = 4


class UsageFact(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One model call. Token columns don't overlap; `reasoning_tokens` are part of the output.

    `time_us` is when the first of its lines was written, `line_us` when the line that was kept was:
    a message that grows stays where it began. `group` holds the facts that may be replays of each
    other; `forks` is how many copies away from the call its file is. Like the records, its fields
    are positional where it is stored: append new ones at the end, with a default.
    """

    key: str
    group: str
    source: str
    provider: str
    time_us: int
    line_us: int
    model: str | None
    input_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    reasoning_tokens: int | None = None
    reported_nano_usd: int | None = None
    service_tier: str | None = None
    speed: str | None = None
    web_searches: int = 0
    is_sidechain: bool = False
    message_id: str | None = None
    request_id: str | None = None
    session: str | None = None
    project: str | None = None
    subagent: str | None = None
    tools: tuple[str, ...] = ()
    forks: int = 0
    door: Door = Door.TRANSCRIPT
    end_us: int | None = None
    usage_known: bool = True
    parts_known: bool = True
    operation: str | None = None
    service: str | None = None
    agent: str | None = None
    trace: str | None = None
    span: str | None = None
    parent: str | None = None
    scope: str | None = None
    witnesses: tuple[str, ...] = ()
    disagreeing: tuple[str, ...] = ()
    recorded: UsageFact | None = None

    @property
    def context_tokens(self) -> int:
        """All tokens of the input, cached or not."""
        return self.total_tokens - self.output_tokens

    @property
    def cache_write_tokens(self) -> int:
        """All tokens written to the cache."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def total_tokens(self) -> int:
        """All tokens, each once."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
            + self.output_tokens
        )


def merged(one: UsageFact, other: UsageFact) -> UsageFact:
    """Return the fact that two lines of one key make.

    The better line (see `_rank`) gives everything but the time, which is the earliest, and the
    tools, which are those of both. The result doesn't depend on the order or on how lines are
    grouped, and merging a line again changes nothing.
    """
    if one == other:
        return one
    if one.door is Door.MARK:
        return _both_marks(one, other)
    best = one if _stands_above(one, other) else other
    time_us = min(one.time_us, other.time_us)
    tools = one.tools
    if other.tools != tools:
        tools = tuple(sorted({*tools, *other.tools})[:TOOLS_MAX])
    if (time_us, tools) == (best.time_us, best.tools):
        return best
    return msgspec.structs.replace(best, time_us=time_us, tools=tools)


def _both_marks(one: UsageFact, other: UsageFact) -> UsageFact:
    ends = [fact.end_us for fact in (one, other) if fact.end_us is not None]
    start = min(one.time_us, other.time_us)
    return msgspec.structs.replace(
        one, time_us=start, line_us=start, end_us=max(ends, default=None)
    )


def counted_keys(facts: Iterable[UsageFact]) -> set[str]:
    """Return the keys that count of the facts of one group.

    A sidechain that repeats a message of its parent under another request id is a replay. Where no
    parent is known, the best of the replays stands for it.
    """
    known = list(facts)
    if len(known) == 1:
        return {known[0].key}
    parents = {fact.key for fact in known if not fact.is_sidechain}
    if parents or not known:
        return parents
    best = known[0]
    for fact in known[1:]:
        best = fact if _stands_above(fact, best) else best
    return {best.key}


def _stands_above(one: UsageFact, other: UsageFact) -> bool:
    rank, other_rank = _rank(one), _rank(other)
    if rank != other_rank:
        return rank > other_rank
    return _content(one) > _content(other)


def _rank(fact: UsageFact) -> tuple[object, ...]:
    """Not a sidechain, more tokens, the higher cost, one that has `speed`, earlier, no copy."""
    counts = (
        fact.input_tokens,
        fact.cache_read_tokens,
        fact.cache_write_5m_tokens,
        fact.cache_write_1h_tokens,
        fact.output_tokens,
    )
    return (
        not fact.is_sidechain,
        fact.total_tokens,
        -1 if fact.reported_nano_usd is None else fact.reported_nano_usd,
        sum(weight * count for weight, count in zip(_WEIGHTS, counts, strict=True)),
        fact.speed is not None,
        -fact.line_us,
        -fact.forks,
    )


def _content(fact: UsageFact) -> bytes:
    """What decides between lines of equal rank: anything that is the same on every machine."""
    return msgspec.json.encode(msgspec.structs.replace(fact, time_us=0, tools=()))
