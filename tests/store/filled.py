"""Stores with known contents, and what they answer: shared by the tests of the store."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from contextframe_monitoring.core.records import (
    CostRecord,
    EventRecord,
    MetricRecord,
    OperationRecord,
    Origin,
    Record,
    UsageRecord,
)
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.store.schemas import RAW_TABLES
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.writer import Spool
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US

ORIGINS = tuple(
    Origin(
        server=f"server-{n % 3}",
        agent_id=f"agent-{n % 5}",
        agent_source="client",
        session_id=f"session-{n}",
        transport="stdio",
        protocol_version="2026-07-28",
    )
    for n in range(7)
)


def some_records(count: int, seed: int = 1) -> Iterator[Record]:
    """Yield records of all kinds, the same ones for the same seed."""
    rng = random.Random(seed)
    for number in range(count):
        at, origin = NOW_US + number * 10_000, ORIGINS[number % len(ORIGINS)]
        kind = number % 5
        if kind == 0:
            yield UsageRecord(
                time_us=at, metric_type="document_access", resource_id=f"doc-{number % 9}",
                operation="read", value=1.0, origin=origin, category="papers",
            )  # fmt: skip
        elif kind == 1:
            yield CostRecord(
                time_us=at, cost_type="llm", provider="anthropic", provenance="computed",
                amount_nano_usd=rng.choice([None, rng.randrange(10**9)]), model=f"m-{number % 4}",
                input_tokens=rng.randrange(10_000), output_tokens=rng.randrange(2000),
                origin=origin, attributes=("feature=search", "user_tier=pro"),
            )  # fmt: skip
        elif kind == 2:
            yield EventRecord(
                time_us=at, name="routed", category="tier", outcome=f"o-{number % 3}",
                numbers={"score": rng.random()}, duration_ms=rng.random(), origin=origin,
            )  # fmt: skip
        elif kind == 3:
            yield MetricRecord(time_us=at, name=f"queue-{number % 2}", value=rng.uniform(-2, 50))
        else:
            yield OperationRecord(
                time_us=at, operation_type="tools/call", target=f"tool-{number % 11}",
                status=rng.choice(["success", "error"]), duration_ms=rng.expovariate(0.1),
                origin=origin, request_size=100 + number, result_size=None,
            )  # fmt: skip


def recorded_into(store: Store, count: int, seed: int = 1, *, close: bool = True) -> Recorder:
    """Record `count` records as one writer; an open one goes on living."""
    recorder = Recorder(Spool(store.spool_root, label="filled"))
    assert all(recorder.record(record) for record in some_records(count, seed))
    if close:
        recorder.close()
    return recorder


def seen_by_a_reader(snapshot: Snapshot) -> Counter[tuple[str, int]]:
    """Return how often a reader sees each (writer, seq)."""
    seen: Counter[tuple[str, int]] = Counter()
    for table in RAW_TABLES:
        for batch in snapshot.batches(table, ["writer", "seq"], None, None):
            writers = batch.column(0).cast("string").to_pylist()
            seen.update(zip(writers, batch.column(1).to_pylist(), strict=True))
    return seen


def stored_in(store: Store) -> Counter[tuple[str, int]]:
    """Return how often each (writer, seq) stands in the raw tables, done or not."""
    stored: Counter[tuple[str, int]] = Counter()
    for table in RAW_TABLES:
        for batch in store.tables.scan(table, ["writer", "seq"]):
            writers = batch.column(0).cast("string").to_pylist()
            stored.update(zip(writers, batch.column(1).to_pylist(), strict=True))
    return stored


def once(recorder: Recorder) -> Counter[tuple[str, int]]:
    """Return every record of a writer that lost nothing, once."""
    return Counter({(recorder.writer, seq): 1 for seq in range(1, recorder.recorded + 1)})


def store_in(folder: Path) -> Store:
    """Return the store that tests keep below a folder."""
    return Store(str(folder / "store"))
