"""Marks: facts that cost nothing and tell a less precise source that a better one was there.

A metric is a sum over calls. It counts only where nothing told of the calls themselves: no
transcript or event of its session, no span or event of its service and scope in its interval.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from contextframe_monitoring.ingest.transcripts.usage_fact import OTLP, Door, UsageFact, merged

CLAUDE_CODE = "claude-code"
_HOUR_US = 3_600_000_000


def with_marks(facts: Iterable[UsageFact]) -> list[UsageFact]:
    """Return `facts`, and the marks that they leave, each once."""
    found = list(facts)
    marks: dict[str, UsageFact] = {}
    for fact in found:
        if fact.source == CLAUDE_CODE and fact.session is not None and fact.door <= Door.EVENT:
            group = session_group(fact.session)
            if group not in marks:  # of a session it matters that it was seen, not when
                marks[group] = _mark(fact, group, session=fact.session)
        if fact.door is Door.EVENT or fact.door is Door.SPAN:
            for mark in _marks(fact):
                known = marks.get(mark.key)
                marks[mark.key] = mark if known is None else merged(known, mark)
    return [*found, *marks.values()]


def session_group(session: str) -> str:
    """Return the group of what metrics tell of one session of Claude Code."""
    return f"{CLAUDE_CODE}/session/{session}"


def scope_group(service: str | None, scope: str | None, time_us: int) -> str:
    """Return the group of what metrics of a service and scope tell of the hour of `time_us`."""
    name = f"{service or ''}\0{scope or ''}".encode("utf-8", "replace")
    digest = hashlib.blake2b(name, digest_size=12).hexdigest()
    return f"otlp/scope/{digest}/{time_us // _HOUR_US}"


def trace_group(trace: str) -> str:
    """Return the group of the spans of a trace that have no response id."""
    return f"otlp/trace/{trace}"


def operation_mark(key: str, time_us: int) -> UsageFact:
    """Return what remembers an operation, so that a span that is sent again is none."""
    return UsageFact(
        key=key,
        group=key,
        source=OTLP,
        provider="",
        time_us=time_us,
        line_us=time_us,
        model=None,
        input_tokens=0,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=0,
        door=Door.MARK,
    )


def _marks(fact: UsageFact) -> Iterator[UsageFact]:
    if fact.scope is not None:
        end_us = fact.end_us or fact.time_us
        for moment_us in (end_us, end_us + _HOUR_US):
            yield _mark(fact, scope_group(fact.service, fact.scope, moment_us), end_us=end_us)
    if fact.span is not None and fact.trace is not None and fact.message_id is not None:
        yield _nested_mark(fact, trace_group(fact.trace))


def _mark(
    fact: UsageFact, group: str, *, session: str | None = None, end_us: int | None = None
) -> UsageFact:
    time_us = fact.time_us if end_us is None else end_us
    return UsageFact(
        key=f"{group}/seen",
        group=group,
        source=fact.source,
        provider=fact.provider,
        time_us=time_us,
        line_us=time_us,
        end_us=time_us,
        model=None,
        input_tokens=0,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=0,
        session=session,
        door=Door.MARK,
    )


def _nested_mark(fact: UsageFact, group: str) -> UsageFact:
    """Stand for a span with a response id among the spans of its trace that have none."""
    return UsageFact(
        key=f"{group}/{fact.span}/seen",
        group=group,
        source=fact.source,
        provider=fact.provider,
        time_us=fact.time_us,
        line_us=fact.time_us,
        end_us=fact.end_us,
        model=fact.model,
        input_tokens=fact.context_tokens,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=fact.output_tokens,
        usage_known=fact.usage_known,
        span=fact.span,
        parent=fact.parent,
        door=Door.MARK,
    )
