"""What a report costs over raw rows in Lance; run with -s to see the figures (nothing is asserted
of them). REPORT_BENCH_ROWS sets the number of rows: 200,000 by default, 10,000,000 needs 0.4 GB.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.cost import cost_report
from contextframe_monitoring.query.performance import performance_report
from contextframe_monitoring.query.usage import usage_report
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, SCHEMAS, USAGE
from tests.query.row_sources import LanceFolder

ROWS = int(os.environ.get("REPORT_BENCH_ROWS", "200000"))
PART = 1_000_000
ROUNDS = 5
START = 1_700_000_000_000_000
DAYS = 30
SPAN = DAYS * 86_400_000_000
WINDOW = Window(START, START + SPAN)
CONFIG = MonitoringConfig()


def labels(rng: Any, rows: int, *names: str, p: Any = None) -> pa.Array:
    codes = rng.choice(len(names), rows, p=p).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names))


def many(name: str, count: int) -> list[str]:
    return [f"{name}_{i}" for i in range(count)]


def common(rng: Any, rows: int) -> dict[str, Any]:
    sessions = np.array([f"{i:032x}" for i in range(200)])
    return {
        "writer": labels(rng, rows, *many("writer", 20)),
        "server": labels(rng, rows, *many("server", 5)),
        "agent_id": labels(rng, rows, *many("agent", 20)),
        "session_id": pa.array(sessions[rng.integers(0, 200, rows)]),
        "attributes": pa.array([["region=eu"]] * rows),
        "batch": pa.array(np.ones(rows, np.int64)),
    }


def performance(rng: Any, rows: int) -> dict[str, Any]:
    statuses = ("success", "error", "timeout", "cancelled")
    return {
        "operation_type": labels(rng, rows, "tools/call", "resources/read", p=[0.8, 0.2]),
        "duration_ms": pa.array(np.exp(rng.normal(3, 1, rows))),
        "status": labels(rng, rows, *statuses, p=[0.95, 0.03, 0.01, 0.01]),
        "target": labels(rng, rows, *many("tool", 50)),
        "direction": labels(rng, rows, "in"),
        "kind": labels(rng, rows, "request", "notification", p=[0.95, 0.05]),
        "request_size": pa.array(rng.integers(100, 2_000, rows)),
        "result_size": pa.array(rng.integers(100, 100_000, rows)),
        "result_tokens": pa.array(rng.integers(10, 20_000, rows)),
        "weight": pa.array(np.ones(rows, np.int32)),
        **common(rng, rows),
    }


def cost(rng: Any, rows: int) -> dict[str, Any]:
    return {
        "cost_type": labels(rng, rows, "llm", "storage", p=[0.9, 0.1]),
        "provider": labels(rng, rows, "anthropic", "openai"),
        "model": labels(rng, rows, *many("model", 6)),
        "provenance": labels(rng, rows, "computed", "reported"),
        "amount_nano_usd": pa.array(rng.integers(1_000, 10**9, rows)),
        "units": pa.array(rng.integers(1, 10**5, rows)),
        "input_tokens": pa.array(rng.integers(1, 10**5, rows)),
        "output_tokens": pa.array(rng.integers(1, 10**4, rows)),
        **common(rng, rows),
    }


def usage(rng: Any, rows: int) -> dict[str, Any]:
    documents = np.array(many("document", 5_000))
    return {
        "metric_type": labels(rng, rows, "document_access"),
        "resource_id": pa.array(documents[rng.integers(0, 5_000, rows)]),
        "operation": labels(rng, rows, "read", "search_hit"),
        "value": pa.array(np.ones(rows)),
        "category": labels(rng, rows, *many("collection", 10)),
        **common(rng, rows),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import lance

    place = tmp_path_factory.mktemp("report_speed")
    rng = np.random.default_rng(1)
    for table, columns in ((PERFORMANCE, performance), (COST, cost), (USAGE, usage)):
        parts = max(ROWS // PART, 1)
        for part in range(parts):
            rows = min(ROWS, PART)
            times = np.sort(rng.integers(0, SPAN // parts, rows)) + START + part * SPAN // parts
            made = {"timestamp": pa.array(times), **columns(rng, rows)}
            arrays = [
                made[field.name].cast(field.type)
                if field.name in made
                else pa.nulls(rows, field.type)
                for field in SCHEMAS[table]
            ]
            lance.write_dataset(
                pa.Table.from_arrays(arrays, schema=SCHEMAS[table]),
                place / f"{table}.lance",
                mode="append",
                data_storage_version="2.2",
            )
        lance.dataset(place / f"{table}.lance").create_scalar_index("timestamp", "ZONEMAP")
    return place


class Rows(LanceFolder):
    """Leaves the look for the oldest row out of the figures."""

    def oldest_us(self, table: str) -> int | None:
        return START


def milliseconds(work: Any) -> tuple[float, float]:
    wall, cpu = [], []
    for _ in range(ROUNDS):
        started, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    return sorted(wall)[ROUNDS // 2] * 1e3, sorted(cpu)[ROUNDS // 2] * 1e3


@pytest.mark.requirement("cost:well:report-speed")
def test_reports_over_thirty_days(folder: Path) -> None:
    source = Rows(folder)
    day = Window(START, START + SPAN // DAYS)
    questions = {
        "operations by target, p50-p99": (performance_report, ("target",), WINDOW, False),
        "the same with all sections": (performance_report, ("target",), WINDOW, True),
        "operations by target, one day": (performance_report, ("target",), day, False),
        "operations by hour and agent": (performance_report, ("hour", "agent"), WINDOW, False),
        "cost by model": (cost_report, ("model",), WINDOW, False),
        "cost by model, all sections": (cost_report, ("model", "agent"), WINDOW, True),
        "usage by collection": (usage_report, ("collection",), WINDOW, False),
        "usage, all sections": (usage_report, ("collection",), WINDOW, True),
    }
    print(f"\n{ROWS:,} rows in each table, {DAYS} days: median ms (wall, cpu)")
    for name, (report, keys, window, detail) in questions.items():
        query = ReportQuery(window=window, group_by=keys, detail=detail)

        def work(report: Any = report, query: ReportQuery = query) -> None:
            report(source, query, CONFIG)

        wall, cpu = milliseconds(work)
        print(f"{name:32} {wall:8.1f} {cpu:8.1f}")
