"""The reports behind the seeds' method names, and reports over real Lance tables."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.records import CostRecord, OperationRecord, Origin, UsageRecord
from contextframe_monitoring.core.windows import Window, to_us
from contextframe_monitoring.query.performance import performance_report
from contextframe_monitoring.query.statistics import (
    cost_report_between,
    performance_summary,
    usage_stats,
)
from tests.query.row_sources import LanceFolder, Tables

CONFIG = MonitoringConfig(timezone="Europe/Berlin")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_US = to_us(NOW)
HOUR = timedelta(hours=1)


def access(time_us: int) -> UsageRecord:
    return UsageRecord(
        time_us=time_us, metric_type="document_access", resource_id="d", operation="read", value=1.0
    )


@pytest.mark.requirement(
    "002:usage:get-usage-stats", "002:usage:group-by", "002:usage:time-patterns"
)
@pytest.mark.requirement("002:usage:get-usage-stats")
@pytest.mark.requirement("002:usage:group-by")
def test_usage_statistics_are_grouped_by_hour_day_or_week() -> None:
    source = Tables(*(access(NOW_US - hours * 3_600_000_000) for hours in (1, 1, 30)))
    for key, rows in {
        "hour": {"2026-11-19T07:00+01:00": 1, "2026-11-20T12:00+01:00": 2},
        "day": {"2026-11-19": 1, "2026-11-20": 2},
        "week": {"2026-11-16": 3},
    }.items():
        stats = usage_stats(source, NOW - 48 * HOUR, NOW, key, config=CONFIG, now_us=NOW_US)
        assert {row.category: row.count for row in stats.breakdown} == rows
        assert stats.total_events == 3


def test_a_window_of_another_year_has_nothing_of_today() -> None:
    source = Tables(CostRecord(time_us=NOW_US, cost_type="llm", provider="p",
                               amount_nano_usd=5, provenance="computed"))  # fmt: skip
    report = cost_report_between(
        source, datetime(2001, 1, 1, tzinfo=UTC), datetime(2001, 1, 2, tzinfo=UTC),
        config=CONFIG, now_us=NOW_US,
    )  # fmt: skip
    assert (report.total_cost, report.note) == (Decimal(0), "no costs in this window")


@pytest.mark.requirement("002:cost:get-cost-report", "002:cost:group-by")
@pytest.mark.requirement("002:cost:get-cost-report")
@pytest.mark.requirement("002:cost:group-by")
@pytest.mark.requirement("003:costs:group-model")
def test_a_cost_report_is_by_agent_operation_or_model() -> None:
    source = Tables(
        CostRecord(time_us=NOW_US - 1, cost_type="llm", provider="openai", model="gpt-4",
                   operation="chat", amount_nano_usd=60_000_000, provenance="computed",
                   origin=Origin(agent_id="a"))
    )  # fmt: skip
    for key, category in (("agent", "a"), ("operation", "chat"), ("model", "gpt-4")):
        report = cost_report_between(
            source, NOW - HOUR, NOW + HOUR, key, config=CONFIG, now_us=NOW_US,
            monthly_budget=Decimal(5),
        )  # fmt: skip
        assert [(row.category, row.cost) for row in report.breakdown] == [
            (category, Decimal("0.06"))
        ]


@pytest.mark.requirement(
    "003:perf:summary",
    "003:perf:sum-total-avg",
    "003:perf:sum-percentiles",
    "003:perf:sum-errors",
    "003:perf:sum-slow",
)
@pytest.mark.requirement("003:perf:summary")
@pytest.mark.requirement("003:perf:sum-total-avg")
@pytest.mark.requirement("003:perf:sum-percentiles")
@pytest.mark.requirement("003:perf:sum-errors")
def test_the_performance_summary_speaks_the_seeds_words() -> None:
    source = Tables(
        *(
            OperationRecord(time_us=NOW_US - 1, operation_type="GET /books", status=status,
                            duration_ms=duration)
            for status, duration in (("success", 100.0), ("error", 300.0), ("success", 3_000.0))
        )
    )  # fmt: skip
    summary = performance_summary(source, "today", config=CONFIG, now_us=NOW_US)
    assert summary.model_dump() == {
        "total_requests": 3,
        "avg_response_time": 1133.33,
        "p50": 300.0,
        "p95": 2730.0,
        "p99": 2946.0,
        "errors": 1,
        "slow_requests": 1,
    }


def test_a_reversed_window_and_an_unknown_key_are_refused() -> None:
    with pytest.raises(InvalidError, match="expected a time before the end"):
        usage_stats(Tables(), NOW, NOW - HOUR, config=CONFIG, now_us=NOW_US)
    with pytest.raises(InvalidError, match="group_by = 'colour'"):
        usage_stats(Tables(), NOW - HOUR, NOW, "colour", config=CONFIG, now_us=NOW_US)


def test_a_report_over_lance_is_the_report_over_the_same_rows(tmp_path: Path) -> None:
    import lance

    parts: list[list[Any]] = [
        [
            OperationRecord(
                time_us=NOW_US - 1_000 * i, operation_type="tools/call", duration_ms=float(i % 97),
                status="error" if i % 7 == 0 else "success", target=f"tool_{(i * part) % 5}",
                origin=Origin(agent_id=f"agent_{part}", session_id=f"s{i % 11}"),
                result_size=i, attributes=(f"region={i % 3}",),
            )
            for i in range(500)
        ]
        for part in range(1, 4)
    ]  # fmt: skip
    memory = Tables()
    for part in parts:
        memory.add(*part)
    for table in memory._tables["performance_metrics"]:
        lance.write_dataset(
            table, tmp_path / "performance_metrics.lance", mode="append",
            data_storage_version="2.2",
        )  # fmt: skip
    lance.dataset(tmp_path / "performance_metrics.lance").optimize.compact_files()
    disk = LanceFolder(tmp_path, batch_rows=128)
    window = Window(NOW_US - 400_000, NOW_US + 1, "Asia/Kolkata")
    for keys in ((), ("target",), ("agent", "region"), ("minute", "status")):
        query = ReportQuery(window=window, group_by=keys, where={"region": "1"})
        assert performance_report(disk, query, CONFIG) == performance_report(memory, query, CONFIG)


def test_reports_do_not_import_lance() -> None:
    program = (
        "import sys\n"
        "import contextframe_monitoring.query.statistics\n"
        "found = {'lance', 'lancedb', 'duckdb', 'sqlalchemy'} & set(sys.modules)\n"
        "sys.exit(repr(found) if found else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_windows_cursors_and_queries_import_neither_arrow_nor_numpy_nor_pydantic() -> None:
    program = (
        "import sys\n"
        "import contextframe_monitoring.core.cursor, contextframe_monitoring.core.buckets\n"
        "import contextframe_monitoring.core.forecast, contextframe_monitoring.core.money\n"
        "found = {'pyarrow', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(repr(found) if found else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_batch_without_rows_is_passed_over() -> None:
    class Empty(Tables):
        def batches(self, table: str, columns: Any, start_us: Any, end_us: Any) -> Any:
            for batch in super().batches(table, columns, start_us, end_us):
                yield batch.slice(0, 0)
                yield batch

    source = Empty(access(NOW_US - 1))
    stats = usage_stats(source, NOW - HOUR, NOW, config=CONFIG, now_us=NOW_US)
    assert stats.total_events == 1
    assert isinstance(next(source.batches("usage_metrics", ["timestamp"], None, None)),
                      pa.RecordBatch)  # fmt: skip
