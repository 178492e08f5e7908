"""What the tests of transcripts share: lines, an importer with its state, sums of its records."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.ingest.transcripts.books import Books
from contextframe_monitoring.ingest.transcripts.dialect import Dialect
from contextframe_monitoring.ingest.transcripts.import_report import ImportReport
from contextframe_monitoring.ingest.transcripts.importer import Importer
from contextframe_monitoring.ingest.transcripts.settlement import calls_of, revision_of
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact
from contextframe_monitoring.store.facts import create_tables

OPUS, SONNET, HAIKU = "claude-opus-4-6", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"
NANO_PER_TOKEN = {
    # input, cache read, cache write 5 m (1.25 x input), 1 h (2 x input), output
    OPUS: (5000, 500, 6250, 10_000, 25_000),
    SONNET: (3000, 300, 3750, 6000, 15_000),
    HAIKU: (1000, 100, 1250, 2000, 5000),
    "gpt-5.2-codex": (1750, 175, 0, 0, 14_000),
    "gpt-5.3-codex": (1750, 175, 0, 0, 14_000),
}
TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)


def price(fact: UsageFact) -> tuple[int | None, str | None]:
    """The prices of the data's expected.json, exact in nano-dollars."""
    rates = NANO_PER_TOKEN.get(fact.model or "")
    if rates is None:
        return None, None
    counts = [getattr(fact, name) for name in TOKENS]
    return sum(
        rate * count for rate, count in zip(rates, counts, strict=True)
    ), f"test/{fact.model}"


def line(
    message: str | None = "msg_1",
    request: str | None = "req_1",
    *,
    output: int = 10,
    model: str | None = OPUS,
    when: str = "2026-02-10T21:54:55.364Z",
    usage: Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A line of a Claude Code transcript."""
    counts = {
        "input_tokens": 2,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 1000,
        "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
        "output_tokens": output,
        "service_tier": "standard",
    }
    inner = {"id": message, "model": model, "usage": {**counts, **(usage or {})}, "content": []}
    entry = {
        "type": "assistant",
        "timestamp": when,
        "sessionId": "session-1",
        "requestId": request,
        "isSidechain": False,
        "version": "2.1.39",
        "message": {name: value for name, value in inner.items() if value is not None},
        **fields,
    }
    return {name: value for name, value in entry.items() if value is not None}


def progress(wrapped: Mapping[str, Any], agent: str = "a1") -> dict[str, Any]:
    """The same line as its parent's transcript wraps it."""
    names = ("timestamp", "requestId", "message")
    message = {name: wrapped[name] for name in names if name in wrapped}
    return {
        "type": "progress",
        "timestamp": wrapped["timestamp"],
        "sessionId": wrapped.get("sessionId", "session-1"),
        "isSidechain": False,
        "version": "2.1.39",
        "data": {"type": "agent_progress", "agentId": agent, "message": message},
    }


def written(path: Path, *entries: Mapping[str, Any] | bytes) -> Path:
    """Append lines to a transcript; bytes are written as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(b"".join(as_bytes(entry) for entry in entries))
    return path


def as_bytes(entry: Mapping[str, Any] | bytes) -> bytes:
    if isinstance(entry, bytes):
        return entry
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def memory_engine() -> Engine:
    """State that lives as long as the engine."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    create_tables(engine)
    return engine


class Desk:
    """An importer, its state, and a list that stands for spool and store: what is in it is safe."""

    def __init__(self, dialect: Dialect, *paths: Path, engine: Engine | None = None) -> None:
        self.dialect, self.paths = dialect, paths
        self.engine = engine or memory_engine()
        self.records: list[CostRecord] = []
        self.price: Callable[[UsageFact], tuple[int | None, str | None]] = price
        self.accepts: Callable[[CostRecord], bool] = lambda _: True
        self.batch_facts_max = 2000

    @property
    def books(self) -> Books:
        return Books(
            self.engine,
            price=self.price,
            record=self.record,
            stored_facts=self.stored_facts,
        )

    def importer(self) -> Importer:
        return Importer(self.dialect, self.paths, self.books, batch_facts_max=self.batch_facts_max)

    def run(self) -> ImportReport:
        return self.importer().run()

    def record(self, record: CostRecord) -> bool:
        accepted = self.accepts(record)
        if accepted:
            self.records.append(record)
        return accepted

    def stored_facts(self, keys: Collection[str]) -> dict[str, int]:
        highest: dict[str, int] = {}
        for record in self.records:
            if record.fact_id in keys:
                revision = revision_of(record.metadata)
                highest[record.fact_id] = max(highest.get(record.fact_id, 0), revision)
        return highest

    def totals(self) -> dict[str, int]:
        return totals(self.records)


def totals(records: Collection[CostRecord]) -> dict[str, int]:
    """Sums over records, whatever they are corrections of."""
    names = ("amount_nano_usd", "units", *TOKENS)
    sums = {name: sum(getattr(record, name) or 0 for record in records) for name in names}
    assert sums.pop("units") == sum(sums[name] for name in TOKENS)
    return {"calls": sum(calls_of(record.metadata) for record in records), **sums}


def grouped(
    records: Collection[CostRecord], key: Callable[[CostRecord], Any]
) -> dict[Any, dict[str, int]]:
    """The sums of each group that is not empty."""
    groups: dict[Any, list[CostRecord]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    sums = {name: totals(members) for name, members in groups.items()}
    return {name: values for name, values in sums.items() if any(values.values())}


def dimensions(record: CostRecord) -> tuple[Any, ...]:
    """Everything that a report can group by, and the flags."""
    details = msgspec.json.decode(record.metadata or "{}")
    details.pop("revision", None)
    details.pop("calls", None)
    return (
        record.time_us,
        record.provider,
        record.model,
        record.provenance,
        record.source,
        record.operation_id,
        record.origin,
        record.attributes,
        tuple(sorted(details.items())),
    )


def by_dimensions(records: Collection[CostRecord]) -> dict[Any, dict[str, int]]:
    return grouped(records, dimensions)


def tool_use(*names: str) -> list[dict[str, Any]]:
    """The content of a message that calls tools."""
    return [{"type": "tool_use", "id": "toolu_1", "name": name, "input": {}} for name in names]


def with_content(entry: dict[str, Any], content: object) -> dict[str, Any]:
    return {**entry, "message": {**entry["message"], "content": content}}
