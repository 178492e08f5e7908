"""What metrics say that something more precise tells too: the sums of both, where they differ.

Metrics that are no longer counted stay in the state as evidence. Of a service and scope they are
held against its spans in the time that they cover; of a session of Claude Code, against the calls
that its transcript and events tell of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from contextframe_monitoring.ingest.transcripts.usage_fact import OTLP, Door, UsageFact
from contextframe_monitoring.store import facts as state
from contextframe_monitoring.store.facts import Connection, Engine

DIFFERENCES_MAX = 50
_PAGE_ROWS_MAX = 2000
_SLACK_US = 60_000_000
_SESSION = "session"
_METRIC_KEYS = (("otlp/scope/", "otlp/scope0"), ("claude-code/session/", "claude-code/session0"))
"""Ranges of the keys of metrics: `0` follows `/`."""
_FACT = msgspec.msgpack.Decoder(UsageFact)

_Source = tuple[str, str]
"""What is held against each other: a session, or a service and scope."""
_Tokens = tuple[int, int]
"""Input with the cached ones, and output."""


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
    """What the metrics of one source say, by model, and of what time."""

    service: str | None
    scope: str | None
    start_us: int
    end_us: int
    tokens: dict[str | None, _Tokens]


def differences(engine: Engine | None) -> list[Difference]:
    """Return where metrics and calls differ, at most `DIFFERENCES_MAX`, by service and model.

    Reads all facts where there are metrics that don't count; else next to nothing.
    """
    if engine is None or not state.has_facts(engine):
        return []
    with engine.connect() as connection:
        said = _said(connection)
        told = _told(connection, said) if said else {}
    found: dict[tuple[str | None, ...], Difference] = {}
    for source, one in said.items():
        models = told.get(source, {})
        for model in {**one.tokens, **models}:
            key = (one.service, one.scope, model)
            sums = found.setdefault(key, Difference(*key))
            said_tokens, told_tokens = one.tokens.get(model, (0, 0)), models.get(model, (0, 0))
            sums.said_input += said_tokens[0]
            sums.said_output += said_tokens[1]
            sums.told_input += told_tokens[0]
            sums.told_output += told_tokens[1]
    wrong = [
        one
        for _, one in sorted(found.items(), key=lambda item: str(item[0]))
        if (one.said_input, one.said_output) != (one.told_input, one.told_output)
    ]
    return wrong[:DIFFERENCES_MAX]


def _said(connection: Connection) -> dict[_Source, _Said]:
    found: dict[_Source, _Said] = {}
    for after, before in _METRIC_KEYS:
        for fact, counted in _facts(connection, after, before):
            if counted or fact.door is not Door.METRIC or not fact.usage_known:
                continue
            known = found.setdefault(
                _source(fact), _Said(fact.service, fact.scope, fact.line_us, fact.time_us, {})
            )
            known.start_us = min(known.start_us, fact.line_us)
            known.end_us = max(known.end_us, fact.time_us)
            _add(known.tokens, fact)
    return found


def _told(
    connection: Connection, said: dict[_Source, _Said]
) -> dict[_Source, dict[str | None, _Tokens]]:
    found: dict[_Source, dict[str | None, _Tokens]] = {}
    for fact, counted in _facts(connection, "", None):
        if fact.door > Door.SPAN or not fact.usage_known:
            continue
        source = _source(fact)
        one = said.get(source)
        if one is None:
            continue
        end_us = fact.end_us or fact.time_us
        in_time = one.start_us - _SLACK_US <= end_us <= one.end_us + _SLACK_US
        if counted if source[0] == _SESSION else in_time:
            _add(found.setdefault(source, {}), fact)
    return found


def _source(fact: UsageFact) -> _Source:
    if fact.source != OTLP and fact.session is not None:
        return (_SESSION, fact.session)
    return ("scope", f"{fact.service}\0{fact.scope}")


def _add(tokens: dict[str | None, _Tokens], fact: UsageFact) -> None:
    known = tokens.get(fact.model, (0, 0))
    tokens[fact.model] = (known[0] + fact.context_tokens, known[1] + fact.output_tokens)


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
