"""What the original claimed and did not do, and the facts of its tests: facts/market.md, section 2.

One test per row, at the doors that a user has.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import lancedb
import pytest
from mcp import Client, MCPError
from mcp.server import MCPServer
from prometheus_client.parser import text_string_to_metric_families

from contextframe_monitoring import Monitor, instrument
from contextframe_monitoring.ingest.performance import PENDING_MAX
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.mcp.server import build_server
from contextframe_monitoring.store.schemas import METRIC_TABLES
from tests.clocks import NOW_US, ManualClock

NOW = dt.datetime.fromtimestamp(NOW_US / 1e6, dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def monitor(tmp_path: Path, clock: ManualClock) -> Iterator[Monitor]:
    store = str(tmp_path / "store")
    with Monitor.open(store=store, name="app", start_keeper=False, clock=clock) as opened:
        yield opened


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Monitor]:
    """Open a monitor by the machine's clock: what watches messages knows no other."""
    store = str(tmp_path / "store")
    with Monitor.open(store=store, name="library", start_keeper=False) as opened:
        yield opened


async def asked(monitor: Monitor, tool: str, **arguments: Any) -> dict[str, Any]:
    """Ask a tool as an agent does."""
    async with Client(build_server(monitor)) as client:
        result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return dict(result.structured_content or {})


# -- claims


async def test_a_flush_writes_lance_tables(monitor: Monitor) -> None:
    monitor.usage.track_document_access("doc-1", "read")
    with monitor.performance.operation("tool_call"):
        pass
    await monitor.cost.track_llm_usage("openai", "gpt-4", 1000, 500)
    assert await monitor.flush() == 3
    tables = lancedb.connect(monitor.store.uri)
    assert [tables.open_table(name).count_rows() for name in METRIC_TABLES] == [1, 1, 1]


_KILLED = """
import os, signal, sys
from contextframe_monitoring import Monitor
monitor = Monitor.open(store=sys.argv[1], start_keeper=False)
for number in range(25_000):
    monitor.usage.track_event("x")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.requirement("spine:record:safe-when-back")
def test_25_000_records_survive_a_kill(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    killed = subprocess.run([sys.executable, "-c", _KILLED, store], check=False, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    with Monitor.open(store=store, start_keeper=False) as monitor:
        assert monitor.drain() == 25_000
        proof = monitor.reports.verify()
    assert (proof.complete, proof.recorded, proof.stored) == (True, 25_000, 25_000)


async def test_a_window_of_2001_has_nothing_of_today(monitor: Monitor) -> None:
    await monitor.cost.track_llm_usage("openai", "gpt-4", 1000, 500)
    monitor.usage.track_event("x")
    then = {"since": "2001-01-01", "until": "2001-01-02"}
    cost = await asked(monitor, "get_cost_report", **then)
    assert (cost["total_cost"], cost["breakdown"]) == (0, [])
    assert (await asked(monitor, "get_usage_metrics", **then))["total_events"] == 0
    today = await asked(monitor, "get_cost_report", since="1h")
    assert today["total_cost"] == 0.06


async def test_a_breakdown_by_type_agent_and_day_adds_up(monitor: Monitor) -> None:
    await monitor.cost.track_llm_usage("openai", "gpt-4", 1000, 500, agent_id="a")
    await monitor.cost.track_storage_usage("write", 2 * 2**30, "a")
    await monitor.cost.track_bandwidth_usage("egress", 10 * 2**30, "b")
    by = {
        key: {
            row["category"]: row["cost"]
            for row in (await asked(monitor, "get_cost_report", group_by=key))["breakdown"]
        }
        for key in ("type", "agent", "day")
    }
    assert by == {
        "type": {"bandwidth": 0.9, "llm": 0.06, "storage": 0.04},
        "agent": {"b": 0.9, "a": 0.1},
        "day": {f"{NOW:%Y-%m-%d}": 1.0},
    }
    trend = (await asked(monitor, "get_cost_report"))["trend"]
    assert sum(point["cost"] for point in trend) == 1.0


async def test_the_price_of_an_unknown_model_is_unknown(monitor: Monitor) -> None:
    assert await monitor.cost.track_llm_usage("acme", "model-x", 1000, 500) is None
    found = await asked(monitor, "get_cost_report")
    assert found["total_cost"] is None
    assert [model["model"] for model in found["unknown"]["models"]] == ["model-x"]


async def test_csv_is_written_and_prometheus_has_costs_labels_and_buckets(
    monitor: Monitor, clock: ManualClock
) -> None:
    with monitor.performance.operation("tools/call", "add"):
        clock.pass_ms(20)
    await monitor.cost.track_llm_usage("openai", "gpt-4", 1000, 500)
    csv = await asked(monitor, "export_metrics", subject="performance", format="csv")
    header, row = csv["content"].splitlines()  # raw rows, one per operation
    assert dict(zip(header.split(","), row.split(","), strict=True))["target"] == "add"
    families: dict[str, Any] = {}
    for subject in ("performance", "cost"):
        text = await asked(monitor, "export_metrics", subject=subject, format="prometheus")
        families |= {f.name: f for f in text_string_to_metric_families(text["content"])}
    durations = [f for f in families.values() if f.type == "histogram"]
    assert all(any(s.name.endswith("_bucket") for s in f.samples) for f in durations)
    assert durations
    assert not any("add" in name or "tools" in name for name in families)
    labels = [s.labels for f in durations for s in f.samples]
    assert any("tools/call" in found.values() for found in labels)
    assert any(s.value == 0.06 for f in families.values() for s in f.samples)


async def test_errors_of_tools_and_of_the_protocol_are_errors(watching: Monitor) -> None:
    server = MCPServer("library")

    @server.tool()
    async def fail() -> str:
        raise ValueError("secret")

    instrument(server, watching)
    async with Client(server) as client:
        assert (await client.call_tool("fail", {})).is_error
        with pytest.raises(MCPError):
            await client.read_resource("nowhere://at-all")
    found = await asked(
        watching, "get_performance_metrics", group_by="method,status", where=["server=library"]
    )
    rows = {row["category"]: row["errors"] for row in found["breakdown"]}
    assert rows["tools/call / error"] == 1
    assert rows["resources/read / error"] == 1
    assert found["errors"] == 2


@pytest.mark.requirement("002:perf:throughput")
async def test_throughput_is_what_ran_by_the_seconds_of_the_window(
    monitor: Monitor, clock: ManualClock
) -> None:
    for _ in range(30):
        with monitor.performance.operation("tool_call"):
            clock.pass_ms(1000)
    found = await asked(monitor, "get_performance_metrics", since="60s")
    assert found["throughput_per_second"] == 0.5


async def test_percentiles_use_every_sample(monitor: Monitor, clock: ManualClock) -> None:
    for number in range(3000):  # 1 to 3000 ms, in an order that is none
        with monitor.performance.operation("tool_call"):
            clock.ns += (number * 1009 % 3000 + 1) * 1_000_000
    found = await asked(monitor, "get_performance_metrics")
    percentiles = [found[f"{name}_ms"] for name in ("p50", "p90", "p95", "p99", "max")]
    assert percentiles == [1500.5, 2700.1, 2850.05, 2970.01, 3000.0]  # linear, as numpy has them


async def test_rows_beyond_the_retention_go_and_rollups_are_made(
    tmp_path: Path, clock: ManualClock
) -> None:
    with Monitor.open(
        store=str(tmp_path / "store"), start_keeper=False, clock=clock, metrics_retention_days=30
    ) as monitor:
        monitor.usage.track_event("old")
        clock.pass_days(31)
        monitor.usage.track_event("new")
        keeper = Keeper(monitor.store, clock, retention_days=30)
        keeper.tick()
        tables = lancedb.connect(monitor.store.uri)
        assert tables.open_table("rollup_1m").count_rows() == 2
        keeper.compact()
        rows = tables.open_table("usage_metrics").to_arrow()
        proof = await monitor.verify()
    assert rows["operation"].to_pylist() == ["new"]
    assert (proof.complete, proof.stored, proof.expired) == (True, 1, 1)


def test_memory_stays_bounded_whatever_is_recorded(monitor: Monitor) -> None:
    for number in range(PENDING_MAX):
        monitor.performance.start_operation(f"op-{number}", "tool_call", f"agent-{number}")
    monitor.usage.track_query("q", "text", 1, 1)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(5_000):
            monitor.performance.start_operation(f"more-{number}", "tool_call", f"agent-{number}")
            monitor.usage.track_query(f"query {number}", "text", 1, 1, f"agent-{number}")
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert monitor.performance.active == PENDING_MAX
    assert grown < 5_000 * 1_000


async def test_durations_follow_a_clock_that_never_goes_back_and_money_is_exact(
    monitor: Monitor, clock: ManualClock
) -> None:
    with monitor.performance.operation("tool_call"):
        clock.pass_ms(250)
        clock.us -= 3_600_000_000  # the wall clock is set back by an hour
    clock.us += 3_600_000_000
    for _ in range(10):
        monitor.cost.track_known_cost("x", "call", 0.1)
    performance = await asked(monitor, "get_performance_metrics", since="2h")
    assert (performance["avg_ms"], performance["max_ms"]) == (250.0, 250.0)
    report = await monitor.cost.get_cost_report(NOW - HOUR, NOW + HOUR)
    assert report.total_cost == Decimal(1)


async def test_status_is_degraded_when_something_is_wrong(monitor: Monitor) -> None:
    assert (await asked(monitor, "get_monitoring_status"))["status"] == "ok"
    monitor.recorder.record("not a record")  # type: ignore[arg-type]
    found = await asked(monitor, "get_monitoring_status")
    assert (found["status"], found["lost"]) == ("degraded", {"invalid": 1})
    assert found["findings"] != []


async def test_neither_parameters_nor_texts_of_queries_are_stored(
    monitor: Monitor, tmp_path: Path
) -> None:
    server = MCPServer("library")

    @server.tool()
    async def find(author: str) -> str:
        return f"books of {author}"

    instrument(server, monitor)
    async with Client(server) as client:
        await client.call_tool("find", {"author": "Eliot-7243"})
    monitor.usage.track_query("books of Eliot-7243", "text", 1, 1)
    await monitor.flush()
    stored = _every_byte_below(tmp_path)
    assert b"find" in stored
    assert b"Eliot-7243" not in stored


def _every_byte_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_two_servers_in_one_process_do_not_overwrite_each_other(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    monitors, servers = [], []
    for name in ("first", "second"):
        server = MCPServer(name)
        server.add_tool(_echo, name="echo")
        monitors.append(Monitor.open(store=store, name=name, start_keeper=False))
        instrument(server, monitors[-1])
        servers.append(server)
    for server, calls in zip(servers, (1, 2), strict=True):
        async with Client(server) as client:
            for _ in range(calls):
                await client.call_tool("echo", {"text": "x"})
    found = await asked(
        monitors[0], "get_performance_metrics", group_by="server", where=["method=tools/call"]
    )
    assert {row["category"]: row["count"] for row in found["breakdown"]} == {
        "first": 1,
        "second": 2,
    }
    for monitor in monitors:
        monitor.close()


async def _echo(text: str) -> str:
    return text


# -- facts of its tests


async def test_two_identical_queries_count_two(monitor: Monitor) -> None:
    monitor.usage.track_query("find x", "vector", 3, 40.0, "a")
    monitor.usage.track_query("find x", "vector", 5, 50.0, "a")
    found = await asked(monitor, "get_usage_metrics", group_by="query_type")
    assert found["queries"] == [
        {"query_type": "vector", "count": 2, "avg_duration_ms": 45.0, "total_results": 8.0,
         "avg_results": 4.0, "success_rate": 1.0, "slow": 0}
    ]  # fmt: skip
    assert [query["count"] for query in found["top_queries"]] == [2]


async def test_one_of_two_that_raised_is_half(monitor: Monitor) -> None:
    with monitor.performance.operation("tool_call"):
        pass
    with pytest.raises(KeyError), monitor.performance.operation("tool_call"):
        raise KeyError
    found = await asked(monitor, "get_performance_metrics")
    assert (found["total_operations"], found["errors"]) == (2, 1)
    assert (found["error_rate"], found["success_rate"]) == (0.5, 0.5)


async def test_a_call_through_the_handler_counts_one(watching: Monitor) -> None:
    server = MCPServer("library")
    server.add_tool(_echo, name="echo")
    instrument(server, watching)
    async with Client(server) as client:
        assert not (await client.call_tool("echo", {"text": "hi"})).is_error
    found = await asked(watching, "get_performance_metrics", where=["method=tools/call"])
    assert (found["total_operations"], found["errors"]) == (1, 0)
