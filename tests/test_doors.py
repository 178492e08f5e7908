"""Stores in trouble, at every door: a clear answer or a counted loss, never a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import lance
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from typer.testing import CliRunner

from contextframe_monitoring import Monitor
from contextframe_monitoring.cli import app
from contextframe_monitoring.mcp.server import build_server
from contextframe_monitoring.store.schemas import PERFORMANCE_SCHEMA, USAGE
from contextframe_monitoring.store.store import Store
from tests.clocks import ManualClock
from tests.nobody import nobody, open_to_all
from tests.processes import COMMAND, run, until

READERS = [
    ["report", "performance"],
    ["report", "usage", "--json"],
    ["report", "cost"],
    ["verify"],
    ["export", "performance", "--format", "csv"],
    ["keep", "--until-idle"],
]
TOOLS = (
    "get_performance_metrics",
    "get_usage_metrics",
    "get_cost_report",
    "export_metrics",
    "get_monitoring_status",
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with ten operations, half of them drained."""
    path = tmp_path / "store"
    with Monitor.open(store=str(path), name="app", start_keeper=False) as monitor:
        for number in range(10):
            with monitor.performance.operation("tool_call", "add"):
                pass
            if number == 4:
                monitor.drain()
    return path


def in_process(*arguments: str) -> Any:
    """Run the command in this process, with its rights."""
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, arguments)


async def answers(monitor: Monitor) -> dict[str, Any]:
    """Ask every tool, and return what each says."""
    async with Client(build_server(monitor)) as client:
        return {name: await client.call_tool(name, {}) for name in TOOLS}


# -- a file


@pytest.mark.requirement("spine:fault:store-is-a-file")
@pytest.mark.parametrize("command", READERS, ids=" ".join)
@pytest.mark.requirement("doors:first:errors")
def test_a_store_that_is_a_file_is_one_line_and_status_1(
    tmp_path: Path, command: list[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    done = in_process(*command, "--store", str(file))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"contextframe-monitoring: store '{file}' can't be used: it is a file; "
        "name a folder with --store"
    ]


@pytest.mark.requirement("spine:fault:store-is-a-file", "spine:fault:undisturbed")
async def test_serve_of_a_file_answers_every_question_with_the_reason(tmp_path: Path) -> None:
    file, told = tmp_path / "file", tmp_path / "stderr"
    file.write_text("x")
    parameters = StdioServerParameters(
        command=sys.executable, args=[*COMMAND[1:], "serve", "--store", str(file)]
    )
    with told.open("w") as stderr:
        async with Client(stdio_client(parameters, errlog=stderr)) as client:
            for name in TOOLS:
                result = await client.call_tool(name, {})
                assert result.is_error
                assert "it is a file; name a folder with --store" in result.content[0].text
            until(lambda: told.stat().st_size > 0)  # the keeper's turn comes after two seconds
    [line] = told.read_text().splitlines()
    assert line.startswith("contextframe-monitoring: store ")


# -- written by a newer version


@pytest.fixture
def newer(store: Path) -> Path:
    table = Store(str(store)).tables.uri(USAGE)
    schema = PERFORMANCE_SCHEMA
    metadata = {**schema.metadata, b"contextframe_monitoring.format": b"2"}
    lance.write_dataset(schema.with_metadata(metadata).empty_table(), table, mode="overwrite")
    return store


@pytest.mark.requirement("spine:fault:newer")
@pytest.mark.parametrize("command", [["report", "usage"], ["verify"]], ids=" ".join)
def test_a_table_of_a_newer_version_is_named_with_its_remedy(
    newer: Path, command: list[str]
) -> None:
    done = in_process(*command, "--store", str(newer))
    assert (done.exit_code, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert "usage_metrics has format 2, this program knows 1" in line


@pytest.mark.requirement("spine:fault:newer")
async def test_tools_name_a_table_of_a_newer_version(newer: Path) -> None:
    with Monitor.open(store=str(newer), start_keeper=False) as monitor:
        said = await answers(monitor)
    assert said["get_usage_metrics"].is_error
    assert "usage_metrics has format 2" in said["get_usage_metrics"].content[0].text
    assert not said["get_performance_metrics"].is_error
    assert said["get_performance_metrics"].structured_content["total_operations"] == 10


# -- read-only


@pytest.fixture
def read_only(store: Path) -> Path:
    open_to_all(store.parent)
    for folder, folders, files in os.walk(store):
        os.chmod(folder, 0o555)
        for name in (*folders, *files):
            os.chmod(os.path.join(folder, name), 0o555)
    return store


@pytest.mark.requirement("spine:fault:read-only")
def test_a_read_only_store_is_read_and_proven_and_not_kept(read_only: Path) -> None:
    with nobody():
        report = in_process("report", "performance", "--store", str(read_only), "--json")
        proof = in_process("verify", "--store", str(read_only), "--json")
        keep = in_process("keep", "--until-idle", "--store", str(read_only))
    assert (report.exit_code, json.loads(report.stdout)["total_operations"]) == (0, 10)
    found = json.loads(proof.stdout)
    assert (found["complete"], found["stored"], found["waiting"]) == (True, 5, 5)
    assert keep.exit_code == 1
    [line] = keep.stderr.splitlines()
    assert "its lock can't be taken (Permission denied)" in line


@pytest.mark.requirement(
    "spine:fault:read-only", "spine:fault:undisturbed", "spine:record:losses-are-said"
)
async def test_a_server_that_can_not_record_answers_and_says_what_it_lost(
    read_only: Path,
) -> None:
    with nobody(), Monitor.open(store=str(read_only), start_keeper=False) as monitor:
        for _ in range(3):
            with monitor.performance.operation("tool_call"):
                pass
        status = await monitor.status()
    assert (status.status, status.lost) == ("degraded", {"unavailable": 3})
    assert "Permission denied" in (status.last_error or "")
    assert status.findings[0].problem == "3 record(s) were lost: unavailable"


@pytest.mark.requirement("spine:record:losses-are-said")
async def test_losses_are_said_by_reason_while_it_runs_and_when_it_is_gone(
    tmp_path: Path,
) -> None:
    store = str(tmp_path / "store")
    monitor = Monitor.open(store=store, name="app", start_keeper=False)
    monitor.usage.track_event("kept")
    monitor.recorder.record("no record")  # type: ignore[arg-type]
    for close in (False, True, True):
        if close:
            monitor.close()
            await monitor.flush()
        said = await monitor.status()
        assert (said.status, said.recorded, said.lost) == ("degraded", 2, {"invalid": 1})
        done = in_process("verify", "--store", store, "--json")
        found = json.loads(done.stdout)
        assert (done.exit_code, found["complete"], found["lost"]) == (1, False, {"invalid": 1})
        assert (found["recorded"], found["gaps"]) == (2, 0)


# -- a keeper on demand


@pytest.mark.requirement("spine:keeper:on-demand")
def test_a_backlog_starts_a_keeper_that_drains_it(tmp_path: Path) -> None:
    store = tmp_path / "store"
    code = (
        "import sys; from contextframe_monitoring import Monitor\n"
        "with Monitor.open(store=sys.argv[1], backlog_bytes_max=65536) as monitor:\n"
        "    for number in range(5000): monitor.usage.track_event('x', category=str(number))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(store)], check=True, timeout=60)
    tables = Store(str(store)).tables
    until(lambda: tables.count(USAGE) == 5000)
    keeper = Store(str(store)).ledger.keepers()[0]  # type: ignore[union-attr]
    assert keeper.pid != os.getpid()
    assert keeper.last_error is None
    os.kill(keeper.pid, signal.SIGTERM)  # it would leave by itself after a while
    assert (store / "spool" / "keeper.started").exists()
    assert run("verify", "--store", str(store)).returncode == 0


# -- time


@pytest.mark.requirement("001:arch:async", "004:perf:nonblocking", "004:rule:async")
async def test_no_question_is_answered_on_the_event_loop(tmp_path: Path) -> None:
    class Noting(ManualClock):
        """Notes the thread of whoever asks for the time, as every report does."""

        threads: set[int]

        def now_us(self) -> int:
            self.threads.add(threading.get_ident())
            return super().now_us()

    clock = Noting()
    clock.threads = set()
    store = str(tmp_path / "store")
    with Monitor.open(store=store, start_keeper=False, clock=clock) as monitor:
        monitor.usage.track_event("x")
        assert clock.threads == {threading.get_ident()}  # noted at once, without waiting
        clock.threads.clear()
        await monitor.status()
        await monitor.performance.get_performance_summary("24h")
        await monitor.flush()
    assert clock.threads
    assert threading.get_ident() not in clock.threads
