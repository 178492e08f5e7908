"""The door into a real store, and sums of what came through it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.records import CostRecord, Record
from contextframe_monitoring.ingest.otlp.door import Answer
from contextframe_monitoring.ingest.transcripts.settlement import calls_of
from contextframe_monitoring.web.otlp import door_of
from tests.ingest.otlp.payloads import JSON, encoded
from tests.support import recorded

TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
GROUPS = ("provider", "model", "amount_is_known", "attributes")


class Desk:
    """A monitor with its door."""

    def __init__(self, store: Path, **settings: Any) -> None:
        self.monitor = Monitor.open(store=str(store), start_keeper=False, name="desk", **settings)
        self.door = door_of(self.monitor)
        self._store = store

    def send(self, signal: Any, document: Mapping[str, Any], media: str = JSON) -> Answer:
        return self.door.receive(signal, encoded(signal, document, media), media)

    def take(self, *sent: tuple[str, Mapping[str, Any]], media: str = JSON) -> None:
        for signal, document in sent:
            answer = self.send(signal, document, media)
            assert (answer.status, answer.body) in ((200, b"{}"), (200, b"")), answer

    @property
    def records(self) -> list[Record]:
        return recorded(self._store)

    @property
    def costs(self) -> list[CostRecord]:
        return [record for record in self.records if isinstance(record, CostRecord)]


@contextmanager
def desk(store: Path, **settings: Any) -> Iterator[Desk]:
    found = Desk(store, **settings)
    try:
        yield found
    finally:
        found.monitor.close()


def totals(records: list[CostRecord]) -> dict[str, int]:
    """Sums over all records: tokens, nano-dollars, calls, calls without a price."""
    found: Counter[str] = Counter(dict.fromkeys((*TOKENS, "amount_nano_usd", "calls"), 0))
    for record in records:
        for name in (*TOKENS, "amount_nano_usd"):
            found[name] += getattr(record, name) or 0
        found["calls"] += calls_of(record.metadata)
        found["unknown"] += calls_of(record.metadata) if record.amount_nano_usd is None else 0
    return dict(found)


def calls(records: list[CostRecord]) -> list[tuple[Any, ...]]:
    """What is left of the records when corrections are set off: one row for each call."""
    sums: dict[tuple[Any, ...], Counter[str]] = {}
    for record in records:
        key = (
            record.model,
            record.amount_nano_usd is None,
            record.provenance,
            record.source,
            record.correlation_id,
            record.attributes,
            record.fact_id,
        )
        row = sums.setdefault(key, Counter())
        row["calls"] += calls_of(record.metadata)
        for name in (*TOKENS, "amount_nano_usd", "reported_nano_usd"):
            row[name] += getattr(record, name) or 0
    return sorted(
        (str(key), tuple(sorted(row.items()))) for key, row in sums.items() if any(row.values())
    )
