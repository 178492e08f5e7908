"""What metrics say that something more precise tells too: the sums of both, where they differ.

Metrics that are no longer counted stay in the state as evidence. Of a service and scope they are
held against its spans in the time that they cover; of a session of Claude Code, against the calls
that its transcript and events tell of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from contextframe_monitoring.ingest.transcripts.usage_fact import Door, UsageFact
from contextframe_monitoring.store import facts as state
from contextframe_monitoring.store.facts import Connection, Engine

DIFFERENCES_MAX = 50
_PAGE_ROWS_MAX = 2000
_SLACK_US = 60_000_000
_METRIC_KEYS = (("otlp/scope/", "otlp/scope0"), ("claude-code/session/", "claude-code/session0"))
"""Ranges of the keys of metrics: `0` follows `/`."""
_FACT = msgspec.msgpack.Decoder(UsageFact)

_Subject = tuple[str | None, str | None, str | None]
"""Session; or service and scope; and the model."""


@dataclass(slots=True)
class Difference:
    """Tokens of one model: what metrics say, and what the calls tell that are counted."""

    service: str | None
    scope: str | None
    model: str | None
    said_input: int = 0
    said_output: int = 0
    told_input: int = 0
    told_output: int = 0

    def __str__(self) -> str:
        """Say both."""
        return (
            f"metrics of {self.service} ({self.scope}) say {self.said_input} input and"
            f" {self.said_output} output tokens of {self.model}, its calls tell of"
            f" {self.told_input} and {self.told_output}"
        )


@dataclass(slots=True)
class _Said:
    service: str | None
    scope: str | None
    start_us: int
    end_us: int
    tokens: tuple[int, int] = (0, 0)


def differences(engine: Engine | None) -> list[Difference]:
    """Return where metrics and calls differ, at most `DIFFERENCES_MAX`, by service and model.

    Reads all facts where there are metrics that don't count; else next to nothing.
    """
    if engine is None or not state.has_facts(engine):
        return []
    with engine.connect() as connection:
        said = _said(connection)
        told = _told(connection, said) if said else {}
    found: dict[_Subject, Difference] = {}
    for subject, one in said.items():
        key = (one.service, one.scope, subject[2])
        sums = found.setdefault(key, Difference(*key))
        sums.said_input += one.tokens[0]
        sums.said_output += one.tokens[1]
        sums.told_input += told.get(subject, (0, 0))[0]
        sums.told_output += told.get(subject, (0, 0))[1]
    wrong = [
        one
        for _, one in sorted(found.items(), key=lambda item: str(item[0]))
        if (one.said_input, one.said_output) != (one.told_input, one.told_output)
    ]
    return wrong[:DIFFERENCES_MAX]


def _said(connection: Connection) -> dict[_Subject, _Said]:
    found: dict[_Subject, _Said] = {}
    for after, before in _METRIC_KEYS:
        for fact, counted in _facts(connection, after, before):
            if counted or fact.door is not Door.METRIC or not fact.usage_known:
                continue
            subject = _subject(fact)
            known = found.get(subject)
            if known is None:
                known = _Said(fact.service, fact.scope, fact.line_us, fact.time_us)
                found[subject] = known
            known.start_us = min(known.start_us, fact.line_us)
            known.end_us = max(known.end_us, fact.time_us)
            known.tokens = _sum(known.tokens, fact)
    return found


def _told(connection: Connection, said: dict[_Subject, _Said]) -> dict[_Subject, tuple[int, int]]:
    found: defaultdict[_Subject, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for fact, counted in _facts(connection, "", None):
        if fact.door > Door.SPAN or not fact.usage_known:
            continue
        subject = _subject(fact)
        one = said.get(subject)
        if one is None or (subject[0] is not None and not counted):
            continue
        end_us = fact.end_us or fact.time_us
        in_time = one.start_us - _SLACK_US <= end_us <= one.end_us + _SLACK_US
        if in_time or subject[0] is not None:
            found[subject] = _sum(found[subject], fact)
    return found


def _subject(fact: UsageFact) -> _Subject:
    if fact.source == "claude-code" and fact.session is not None:
        return (fact.session, None, fact.model)
    return (None, f"{fact.service}\0{fact.scope}", fact.model)


def _sum(tokens: tuple[int, int], fact: UsageFact) -> tuple[int, int]:
    return tokens[0] + fact.context_tokens, tokens[1] + fact.output_tokens


def _facts(
    connection: Connection, after: str, before: str | None
) -> Iterator[tuple[UsageFact, bool]]:
    while True:
        page = state.read_keys_from(connection, after, before, _PAGE_ROWS_MAX)
        for row in page:
            yield _FACT.decode(row.body), row.counted
        if len(page) < _PAGE_ROWS_MAX:
            return
        after = page[-1].key
