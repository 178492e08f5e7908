"""What one record costs beside what others ask for the same fact, and how fast records are drained.

Every variant notes one finished tool call: name, status, duration, session. Rounds of a few
hundred calls of each take turns, so that a machine that is slow for a while is slow for all; the
ratios are taken within each round.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import logging
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from contextframe_monitoring.core.records import OperationRecord, Origin
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.store.spool.writer import Spool

ROUNDS_MAX = 25
CALLS_PER_ROUND_MAX = 2_000
"""As many as OpenTelemetry's batch processor takes before it drops spans (2,048)."""
DRAINED_MAX = 100_000
DRAINS = 3
SPAN = "OpenTelemetry span, batch processor"
MAPPED = "record(), mapped"
TARGET_US, TARGET_RATIO = 3.0, 0.1
"""Of one record, and as a share of a span."""

_Note = Callable[[int], object]
_ORIGIN = Origin(
    server="bench",
    agent_id="agent",
    agent_source="client",
    session_id="session-1",
    transport="stdio",
    protocol_version="2026-07-28",
)


def run(records: int) -> dict[str, Any]:
    """Note `records` calls in each way, in interleaved rounds, then drain."""
    rounds = min(ROUNDS_MAX, max(records // 10, 1))
    calls = min(max(records // rounds, 1), CALLS_PER_ROUND_MAX)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="contextframe-")))
        ways = {name: stack.enter_context(make(folder)) for name, make in _WAYS.items()}
        present = {name: note for name, note in ways.items() if note is not None}
        took = _interleaved(present, rounds, calls)
    return {
        "rounds": rounds,
        "calls_per_round": calls,
        "ways": [_figures(name, took) for name in present],
        "missing": sorted(set(ways) - set(present)),
        "targets": {"us": TARGET_US, "ratio": TARGET_RATIO},
        "drain": _drain(min(2 * records, DRAINED_MAX)),
    }


def render(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    rounds, calls = result["rounds"], result["calls_per_round"]
    lines = [f"one tool call noted, median of {rounds} interleaved rounds of {calls}:"]
    for way in result["ways"]:
        ratio = way["ratio"]
        shown = "" if ratio is None else "  {:7.3f} x span ({:.3f} to {:.3f})".format(*ratio)
        low, high = way["us_quartiles"]
        lines.append(f"  {way['name']:38} {way['us']:8.2f} us ({low:.2f} to {high:.2f}){shown}")
    lines += [f"  {name}: not installed" for name in result["missing"]]
    lines.append(f"targets: {MAPPED} <= {TARGET_US} us, <= {TARGET_RATIO} x span")
    drain = result["drain"]
    lines.append(
        f"drain: {drain['records_per_second']:,.0f} records a second from spool to visible in "
        f"Lance (median of {drain['drains']} x {drain['records']:,})"
    )
    return "\n".join(lines)


def _interleaved(ways: dict[str, _Note], rounds: int, calls: int) -> dict[str, list[float]]:
    """Return the seconds per call of each way in each round; who begins changes every round."""
    names = list(ways)
    took: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        _seconds(ways[name], calls)  # warm up
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            took[name].append(_seconds(ways[name], calls))
    return took


def _seconds(note: _Note, calls: int) -> float:
    gc.collect()
    begun = time.perf_counter_ns()
    for number in range(calls):
        note(number)
    return (time.perf_counter_ns() - begun) / calls / 1e9


def _figures(name: str, took: dict[str, list[float]]) -> dict[str, Any]:
    low, middle, high = _quartiles([seconds * 1e6 for seconds in took[name]])
    ratio = None
    if SPAN in took and name != SPAN:
        pairs = zip(took[name], took[SPAN], strict=True)
        below, median, above = _quartiles([ours / span for ours, span in pairs])
        ratio = (median, below, above)
    return {"name": name, "us": middle, "us_quartiles": (low, high), "ratio": ratio}


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def _drain(records: int) -> dict[str, Any]:
    """Return how many records a second a keeper makes visible in fresh stores."""
    from contextframe_monitoring.keeper import Keeper
    from contextframe_monitoring.store.schemas import PERFORMANCE
    from contextframe_monitoring.store.store import Store

    rates = []
    for _ in range(DRAINS):
        with tempfile.TemporaryDirectory(prefix="contextframe-") as folder:
            store = Store(folder)
            spool = Spool(store.spool_root)
            note = _recording(Recorder(spool))
            for number in range(records):
                note(number)
            spool.close()
            keeper = Keeper(store)
            keeper.take()
            begun = time.perf_counter()
            keeper.drain()
            seen = store.tables.count(PERFORMANCE)
            rates.append(seen / (time.perf_counter() - begun))
            keeper.release()
            if store.engine is not None:
                store.engine.dispose()
    return {
        "records": records,
        "drains": DRAINS,
        "records_per_second": statistics.median(rates),
    }


# the ways; one that is not installed is None


def _recording(recorder: Recorder) -> _Note:
    def note(number: int) -> None:
        recorder.record(
            OperationRecord(
                time_us=1_795_000_000_000_000 + number,
                operation_type="tools/call",
                status="success",
                duration_ms=12.5,
                origin=_ORIGIN,
                target="search",
                operation_id=recorder.next_operation_id(),
                request_size=120,
                result_size=900,
            )
        )

    return note


@contextlib.contextmanager
def _recorder(folder: Path, backend: Literal["mmap", "write"]) -> Iterator[_Note]:
    recorder = Recorder(Spool(folder / backend, backend=backend))
    yield _recording(recorder)
    recorder.close()


@contextlib.contextmanager
def _span(_folder: Path) -> Iterator[_Note | None]:
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        yield None
        return
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("bench")

    def note(number: int) -> None:
        if number == 0:
            exporter.clear()
        attributes = {
            "mcp.method.name": "tools/call",
            "gen_ai.tool.name": "search",
            "mcp.session.id": "session-1",
            "network.transport": "pipe",
        }
        with tracer.start_as_current_span("tools/call search", attributes=attributes):
            pass

    yield note
    provider.shutdown()


@contextlib.contextmanager
def _prometheus(_folder: Path) -> Iterator[_Note]:
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    calls = Counter("calls", "Calls.", ["tool", "status"], registry=registry)
    seconds = Histogram("seconds", "Durations.", ["tool"], registry=registry)

    def note(_number: int) -> None:
        calls.labels("search", "success").inc()
        seconds.labels("search").observe(0.0125)

    yield note


@contextlib.contextmanager
def _sqlite(folder: Path) -> Iterator[_Note]:
    connection = sqlite3.connect(folder / "bench.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE calls (at_us, method, tool, session, status, duration_ms)")

    def note(number: int) -> None:
        row = (number, "tools/call", "search", "session-1", "success", 12.5)
        connection.execute("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?)", row)

    yield note
    connection.close()


@contextlib.contextmanager
def _logging(folder: Path) -> Iterator[_Note]:
    logger, handler = logging.getLogger(__name__), logging.FileHandler(folder / "bench.log")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)

    def note(number: int) -> None:
        facts = {
            "at_us": number,
            "method": "tools/call",
            "tool": "search",
            "session": "session-1",
            "status": "success",
            "duration_ms": 12.5,
        }
        logger.info(json.dumps(facts))

    yield note
    logger.removeHandler(handler)
    handler.close()


@contextlib.contextmanager
def _append(_folder: Path) -> Iterator[_Note]:
    kept: list[tuple[object, ...]] = []

    def note(number: int) -> None:
        if number == 0:
            kept.clear()
        kept.append((number, "tools/call", "search", "session-1", "success", 12.5))

    yield note


_WAYS: dict[str, Callable[[Path], contextlib.AbstractContextManager[_Note | None]]] = {
    MAPPED: lambda folder: _recorder(folder, "mmap"),
    "record(), written": lambda folder: _recorder(folder, "write"),
    SPAN: _span,
    "prometheus_client counter + histogram": _prometheus,
    "sqlite insert, WAL, NORMAL": _sqlite,
    "logging, a JSON line": _logging,
    "list.append, the floor": _append,
}
