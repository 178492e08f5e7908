"""Which facts of a group tell of one call, and what the call is when all that they know is put
together.

The same call may come in by a transcript, by log events, by the spans of several instrumentations
and, within a sum, by a metric. It counts once: the most precise fact stands for it, the others
complete it and are its witnesses. Everything here depends on the set of facts only, never on the
order in which they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from contextframe_monitoring.ingest.transcripts.usage_fact import (
    UNKNOWN,
    Door,
    UsageFact,
    counted_keys,
)

WITNESSES_MAX = 8
_COMPLETED = ("reasoning_tokens", "service_tier", "trace", "message_id", "request_id")
_COMPLETED_BY_TELEMETRY = (*_COMPLETED, "reported_nano_usd", "agent", "session", "operation")
_SAME_TRACE = "otlp/trace/"
_SLACK_US = 60_000_000
"""A series begins when its first point is measured: a moment after the span that it tells of."""


def counted_calls(members: Iterable[UsageFact]) -> dict[str, UsageFact]:
    """Return the calls of one group by the key of the fact that stands for each."""
    known = sorted(members, key=lambda fact: (fact.time_us, fact.key))
    if len(known) == 1 and known[0].door <= Door.SPAN:
        return {known[0].key: known[0]}
    marks = [fact for fact in known if fact.door is Door.MARK]
    points = [fact for fact in known if fact.door is Door.METRIC and fact.usage_known]
    calls = [fact for fact in known if fact.door <= Door.SPAN]
    counted = {
        point.key: point for point in points if not any(_was_seen(mark, point) for mark in marks)
    }
    if calls and calls[0].group.startswith(_SAME_TRACE):
        groups = _nested(calls, marks)
    else:
        groups = _met(calls)
    bests = [_completed(group) for group in groups]
    keys = counted_keys(bests)
    return counted | {best.key: best for best in bests if best.key in keys}


def _was_seen(mark: UsageFact, point: UsageFact) -> bool:
    """Whether a better source told of the interval of a metric's point: of a session as a whole."""
    if mark.session is not None:
        return True
    begins_us, ends_us = point.line_us - _SLACK_US, point.time_us + _SLACK_US
    return mark.time_us <= ends_us and begins_us <= (mark.end_us or mark.time_us)


def _met(facts: Sequence[UsageFact]) -> list[list[UsageFact]]:
    """Part the facts of one response id by call.

    Facts with request ids belong together when these are equal. A span without one belongs to the
    transcript; where there is none, to spans that it overlaps in time: local servers use an id for
    many calls, one after the other.
    """
    groups = [[fact] for fact in facts if fact.door is Door.TRANSCRIPT]
    transcripts = list(groups)
    by_request = {g[0].request_id: g for g in groups if g[0].request_id is not None}
    for fact in facts:
        if fact.door is Door.TRANSCRIPT:
            continue
        found = by_request.get(fact.request_id) if fact.request_id is not None else None
        if found is None and fact.request_id is None and transcripts:
            found = next((g for g in transcripts if not g[0].is_sidechain), transcripts[0])
        if found is None:
            found = next((group for group in groups if _overlaps(group, fact)), None)
        if found is None:
            found = []
            groups.append(found)
        found.append(fact)
        if fact.request_id is not None:
            by_request.setdefault(fact.request_id, found)
    return groups


def _overlaps(group: Sequence[UsageFact], fact: UsageFact) -> bool:
    """Whether a span, which begins after those of `group`, begins before one of them has ended."""
    requests = {other.request_id for other in group if other.request_id is not None}
    if fact.request_id is not None and requests and fact.request_id not in requests:
        return False
    ends = [other.end_us for other in group if other.end_us is not None]
    return fact.end_us is not None and any(fact.time_us <= end for end in ends)


def _nested(facts: Sequence[UsageFact], marks: Sequence[UsageFact]) -> list[list[UsageFact]]:
    """Part the spans of one trace that have no response id: a child that repeats its parent is the
    same call. Those that repeat a span with a response id are counted with that one.
    """
    spans = {fact.span: fact for fact in (*marks, *facts) if fact.span is not None}
    top: dict[str, str] = {}

    def found(name: str) -> str:
        while top.get(name, name) != name:
            name = top[name]
        return name

    for name, fact in spans.items():
        parent = spans.get(fact.parent) if fact.parent is not None else None
        if parent is not None and parent.span is not None and _repeats(fact, parent):
            top[found(name)] = found(parent.span)
    elsewhere = {found(mark.span) for mark in marks if mark.span is not None}
    groups: dict[str, list[UsageFact]] = {}
    for fact in facts:
        groups.setdefault(found(fact.span or fact.key), []).append(fact)
    return [group for name, group in groups.items() if name not in elsewhere]


def _repeats(one: UsageFact, other: UsageFact) -> bool:
    if one.model != other.model and None not in (one.model, other.model):
        return False
    return not (one.usage_known and other.usage_known) or _told(one) == _told(other)


def _told(fact: UsageFact) -> tuple[int, int]:
    return fact.context_tokens, fact.output_tokens


def _completed(group: Sequence[UsageFact]) -> UsageFact:
    """Return the best of the facts of one call with what only the others know."""
    if len(group) == 1:
        return group[0]
    ranked = sorted(group, key=_precision, reverse=True)
    best, others = ranked[0], ranked[1:]
    told: dict[str, Any] = {}
    names = _COMPLETED if best.door is Door.TRANSCRIPT else _COMPLETED_BY_TELEMETRY
    for name in names:
        if getattr(best, name) is None:
            told[name] = next((v for o in others if (v := getattr(o, name)) is not None), None)
    if told.get("reasoning_tokens") is not None:
        told["reasoning_tokens"] = min(told["reasoning_tokens"], best.output_tokens)
    if best.provider == UNKNOWN:
        told["provider"] = next((o.provider for o in others if o.provider != UNKNOWN), UNKNOWN)
    if best.cache_write_1h_tokens == 0:
        told |= _split(best, others)
    label = _label(best)
    witnesses = {_label(other) for other in others} - {label}
    disagreeing = {
        _label(other)
        for other in others
        if best.usage_known and other.usage_known and _told(other) != _told(best)
    }
    return msgspec.structs.replace(
        best,
        **told,
        witnesses=tuple(sorted(witnesses)[:WITNESSES_MAX]),
        disagreeing=tuple(sorted(disagreeing)[:WITNESSES_MAX]),
    )


def _split(best: UsageFact, others: Sequence[UsageFact]) -> dict[str, int]:
    """Return the cache writes by duration, as far as only another fact knows them."""
    for other in others:
        if other.cache_write_1h_tokens and other.cache_write_tokens == best.cache_write_tokens:
            return {
                "cache_write_5m_tokens": other.cache_write_5m_tokens,
                "cache_write_1h_tokens": other.cache_write_1h_tokens,
            }
    return {}


def _label(fact: UsageFact) -> str:
    """Name a door, and of spans the instrumentation too."""
    name = fact.door.name.lower()
    return f"{name}:{fact.scope}" if fact.door is Door.SPAN and fact.scope else name


def _precision(fact: UsageFact) -> tuple[Any, ...]:
    """Order the facts of one call: what a provider reported with a request id before what an
    instrumentation made of it; of a call that is told while it grows, the larger.
    """
    return (
        fact.usage_known,
        not fact.is_sidechain,
        fact.door <= Door.EVENT,
        fact.total_tokens,
        -fact.door,
        fact.cache_write_1h_tokens,
        fact.cache_read_tokens + fact.cache_write_tokens,
        fact.reported_nano_usd is not None,
        fact.reasoning_tokens is not None,
        -fact.time_us,
        fact.key,
    )
