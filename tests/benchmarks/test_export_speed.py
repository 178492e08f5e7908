"""What it takes to export; run with -s to see the figures (nothing is asserted of them)."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.export.exporter import MetricsExporter
from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.export.metrics.totals import Totals
from contextframe_monitoring.export.prometheus import PrometheusExposition
from contextframe_monitoring.export.targets.post import Post, Trust
from contextframe_monitoring.store.export_totals import TotalsBook
from contextframe_monitoring.store.schemas import PERFORMANCE, PERFORMANCE_SCHEMA
from tests.clocks import ManualClock
from tests.export.stores import NOW_US, Filled
from tests.export.targets.receivers import receiver

ROWS = 200_000
TOOLS = 100
ROUNDS = 20
_VALUES = {
    "operation_type": ["tools/call"],
    "target": [f"tool{n}" for n in range(TOOLS)],
    "status": ["success"],
    "direction": ["in"],
    "kind": ["request"],
    "transport": ["stdio"],
    "server": ["git"],
    "agent_id": [f"agent{n}" for n in range(5)],
    "session_id": [f"{n:032x}" for n in range(500)],
    "protocol_version": ["2026-07-28"],
}


def operations(rows: int, seed: int = 1) -> pa.Table:
    """Rows as `wrap` records them: ids, trace ids, sizes, durations of a lognormal shape."""
    random = np.random.default_rng(seed)
    ids = [f"00112233445566778899-o{n}" for n in range(rows)]
    numbers = {
        "timestamp": NOW_US + np.arange(rows) * 1000,
        "duration_ms": random.lognormal(2, 2, rows),
        "weight": np.ones(rows, np.int64),
        "seq": np.arange(1, rows + 1),
        **{
            name: random.integers(1, 100_000, rows)
            for name in ("request_size", "result_size", "request_tokens", "result_tokens")
        },
    }
    columns = []
    for field in PERFORMANCE_SCHEMA:
        if field.name in numbers:
            columns.append(pa.array(numbers[field.name]).cast(field.type))
        elif field.name in ("operation_id", "correlation_id"):
            columns.append(pa.array(ids))
        elif field.name in _VALUES:
            words = pa.array(_VALUES[field.name])
            at = pa.array(random.integers(0, len(words), rows).astype(np.int32))
            column = pa.DictionaryArray.from_arrays(at, words)
            columns.append(column.cast(field.type))
        else:
            columns.append(pa.nulls(rows, field.type))
    return pa.Table.from_arrays(columns, schema=PERFORMANCE_SCHEMA)


def test_rows_a_second_of_every_format(tmp_path: Path) -> None:
    filled = Filled(tmp_path).append({PERFORMANCE: operations(ROWS)}, ROWS)
    exporter = MetricsExporter(filled.store, MonitoringConfig())
    for name in ("csv", "csv-excel", "jsonl", "json", "parquet", "arrow"):
        best = float("inf")
        for _ in range(3):
            started = time.perf_counter()
            exported = exporter.export("performance", name, output=tmp_path / "x")
            best = min(best, time.perf_counter() - started)
        mebibytes = exported.size_bytes / 2**20
        print(f"{name:10} {exported.rows / best:12,.0f} rows/s {mebibytes / best:8.0f} MiB/s")


def test_a_scrape_of_a_hundred_tools_with_fourteen_buckets(tmp_path: Path) -> None:
    filled = Filled(tmp_path).append({PERFORMANCE: operations(ROWS)}, ROWS)
    totals = Totals(filled.store, Limits(), kept=True)
    exposition = PrometheusExposition(filled.store, clock=ManualClock(NOW_US), totals=totals)
    openmetrics = "application/openmetrics-text"
    started = time.perf_counter()
    exposition.exposition()
    first = time.perf_counter() - started
    print(f"first look at {ROWS:,} rows {first * 1e3:6.1f} ms")
    for case, accept in (("text", ""), ("OpenMetrics", openmetrics)):
        for new in (0, 100):
            times = []
            for turn in range(ROUNDS):
                if new:
                    filled.append({PERFORMANCE: operations(new, turn)}, new)
                started = time.perf_counter()
                _, body = exposition.exposition(accept)
                times.append(time.perf_counter() - started)
            lines, median = body.count(b"\n"), sorted(times)[ROUNDS // 2]
            print(f"{case:12} {lines} lines, {new:3} new rows: {median * 1e3:6.1f} ms")


def test_a_restart_goes_on_from_kept_totals(tmp_path: Path) -> None:
    filled = Filled(tmp_path).append({PERFORMANCE: operations(ROWS)}, ROWS)
    Totals(filled.store, Limits(), kept=True).families(NOW_US)
    for name, kept in (("all rows", False), ("kept totals", True)):
        started = time.perf_counter()
        families = Totals(filled.store, Limits(), kept=kept).families(NOW_US)
        took = time.perf_counter() - started
        print(f"{name:12} {sum(len(f.points) for f in families)} series {took * 1e3:6.1f} ms")
    engine = filled.store.engine
    assert engine is not None
    kept_totals = TotalsBook(engine).load()
    assert kept_totals is not None
    print(f"kept totals take {len(kept_totals.body) / 1024:.1f} KiB")


def test_five_hundred_series_over_otlp(tmp_path: Path) -> None:
    from contextframe_monitoring.export.targets.otlp_metrics import Span, requests

    filled = Filled(tmp_path).append({PERFORMANCE: operations(ROWS)}, ROWS)
    families = Totals(filled.store, Limits()).families(NOW_US)
    histograms = [family for family in families if family.kind == "histogram"]
    counters = [family for family in families if family.kind == "counter"]
    chosen = [*histograms, *counters]
    span = Span(start_us=NOW_US, end_us=NOW_US + 1, delta=False)
    with receiver() as collector:
        post = Post(collector.url, key="x", headers={}, timeout_seconds=10, trust=Trust(),
                    compressed=True)  # fmt: skip
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            points = 0
            for count, body in requests([(span, chosen)], {"service.name": "x"}):
                post.send(body, "application/x-protobuf")
                points += count
            times.append(time.perf_counter() - started)
    each = sorted(times)[ROUNDS // 2] / points
    print(f"OTLP {points} series: {each * points * 1e3:.1f} ms, 500 series {each * 5e5:.1f} ms")
