"""`export` through the command: targets, reports, metrics."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contextframe_monitoring import Monitor
from tests.cli.command import run
from tests.export.targets.receivers import receiver


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Two operations and a cost, none of them drained."""
    store = str(tmp_path / "store")
    with Monitor.open(store=store, name="app", start_keeper=False) as monitor:
        for number in range(2):
            with monitor.performance.operation("tools/call", f"tool-{number}"):
                pass
        monitor.cost.track_known_cost("openai", "chat", 0.0456)
    return store


def configured(tmp_path: Path, text: str) -> str:
    path = tmp_path / "monitoring.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.requirement("002:store:export-targets")
def test_what_is_new_goes_to_a_target_on_demand(store: str, tmp_path: Path) -> None:
    with receiver() as collector:
        config = configured(
            tmp_path,
            f'[targets.collector]\ntype = "otlp"\nendpoint = "{collector.url}"\n'
            'signals = ["metrics", "traces"]\ntemporality = "delta"\n',
        )
        done = run("export", "--to", "collector", "--store", store, "--config", config)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith(" sent to collector (otlp)\n")
        assert sorted(span.name for _, span in collector.spans()) == [
            "tools/call tool-0",
            "tools/call tool-1",
        ]
        done = run("export", "--to", "collector", "--store", store, "--config", config, "--json")
        assert json.loads(done.stdout)["target"] == "collector"
        assert len(collector.spans()) == 2
        done = run("export", "--list-targets", "--store", store, "--config", config)
        assert done.stdout.startswith("collector (otlp) is ok, ")
        collector.status = 500
        done = run("export", "--to", "collector", "--store", store, "--config", config)
        said = f"target 'collector' did not take it: {collector.url}: it answered 500"
        assert (done.returncode, done.stderr) == (1, f"contextframe-monitoring: {said}\n")
        done = run("export", "--list-targets", "--json", "--store", store, "--config", config)
        [listed] = json.loads(done.stdout)
    assert (listed["status"], listed["failures"]) == ("failing", 1)
    done = run("doctor", "--store", store, "--config", config)
    assert "target 'collector' (otlp) has failed 1 time(s) in a row" in done.stdout


def test_a_target_that_is_not_there_is_named(store: str, tmp_path: Path) -> None:
    done = run("export", "--to", "x", "--store", store)
    assert (done.returncode, done.stderr) == (
        2,
        "contextframe-monitoring: target 'x' does not exist: none is configured: "
        "see [targets.NAME]\n",
    )
    config = configured(tmp_path, '[targets.x]\ntype = "otpl"\n')
    done = run("export", "--to", "x", "--store", store, "--config", config)
    assert (done.returncode, "line 2" in done.stderr, "'otpl' is not allowed" in done.stderr) == (
        2, True, True,
    )  # fmt: skip


@pytest.mark.requirement("export:files:formats")
def test_reports_and_metrics_are_subjects(store: str, tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    done = run("export", "cost-report", "--group-by", "provider", "--format", "csv",
               "--output", str(path), "--store", store)  # fmt: skip
    assert done.returncode == 0, done.stderr
    [row] = csv.DictReader(path.read_text().splitlines())
    assert (row["category"], row["cost"], row["count"]) == ("openai", "0.0456", "1")
    schema = json.loads(path.with_name("costs.csv.schema.json").read_text())
    assert "category" in [column["name"] for column in schema["columns"]]
    done = run("export", "all", "--format", "emf", "--store", store)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert 0.0456 in [line.get("contextframe_monitoring.cost") for line in lines]
    assert run("export", "sales-report", "--store", store).returncode == 2
    done = run("export", "--store", store)
    assert "expected what to export, --to or --list-targets" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals there")
@pytest.mark.requirement("export:files:progress")
def test_a_person_sees_how_far_an_export_is(store: str, tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "contextframe_monitoring", "export", "performance", "--store", store,
         "--output", str(tmp_path / "x.json")],
        stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other side is closed
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    assert process.wait(60) == 0
    assert b"2/2" in shown
    assert b"2 rows" in shown
