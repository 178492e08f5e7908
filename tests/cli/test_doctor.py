"""`doctor`, as a person uses it: each thing that can be wrong is found, with its remedy."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.cli.installing import client_places
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.keeper import drain_once
from contextframe_monitoring.query.checkup import folders
from contextframe_monitoring.store.ledger import KeeperState
from contextframe_monitoring.store.machine import FileLock, SystemClock
from contextframe_monitoring.store.removals import RETENTION, Removal
from contextframe_monitoring.store.spool.segment import FORMAT_VERSION, HEADER_BYTES, read_header
from contextframe_monitoring.store.spool.writer import KEEPER_LOCK
from contextframe_monitoring.store.store import Store
from tests.cli.command import run

GONE = ("wrap", "--", "/gone/server")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own home, and a project to stand in."""
    found = tmp_path / "home"
    (found / "project").mkdir(parents=True)
    for name in list(os.environ):
        if name.startswith(("XDG_", "CLAUDE_", "CONTEXTFRAME_")):
            monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(found))
    monkeypatch.chdir(found / "project")
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def recorder(store: Store) -> Iterator[Recorder]:
    """Five records that wait in the spool of a store."""
    found = open_recorder(MonitoringConfig(store=store.uri, start_keeper=False))
    record(found, 5)
    yield found
    found.close()


def record(recorder: Recorder, count: int, days_ago: float = 0) -> None:
    at = SystemClock().now_us() - round(days_ago * 86_400_000_000)
    for _ in range(count):
        recorder.record(
            OperationRecord(time_us=at, operation_type="x", status="success", duration_ms=1.0)
        )


def findings(store: Store | str, *more: str) -> list[dict[str, Any]]:
    uri = store if isinstance(store, str) else store.uri
    done = run("doctor", "--store", uri, "--json", *more)
    report = json.loads(done.stdout)
    assert (done.returncode == 0) is report["healthy"] is (report["findings"] == [])
    return report["findings"]


def finding(store: Store | str, *more: str) -> dict[str, Any]:
    (only,) = findings(store, *more)
    assert only["remedy"]
    return only


def test_a_new_user_and_a_used_store_are_well(store: Store, recorder: Recorder) -> None:
    assert findings(str(store.uri) + "-new") == []
    assert not Path(str(store.uri) + "-new").exists()
    assert findings(store) == []
    drain_once(store)
    assert findings(store) == []
    done = run("doctor", "--store", store.uri)
    lines = done.stdout.splitlines()
    assert lines[1] == f"ok  store: {store.uri}"
    assert "ok  spool: 1 process(es) record, 0 record(s) wait" in lines
    assert lines[-1] == "nothing is wrong"


@pytest.mark.requirement("doors:doctor:remedies", "doors:first:errors")
def test_a_finding_is_shown_with_its_remedy(store: Store, tmp_path: Path) -> None:
    config = tmp_path / "monitoring.toml"
    config.write_text("enabled = false\n")
    done = run("doctor", "--store", store.uri, "--config", str(config))
    assert done.returncode == 1
    assert done.stdout.splitlines()[-3:] == [
        "warning  configuration: monitoring is switched off: nothing is recorded",
        "    set enabled = true",
        "1 finding(s)",
    ]


@pytest.mark.parametrize(
    ("text", "severity", "says"),
    [
        ("enabled = false", "warning", "monitoring is switched off"),
        ("tokenizer_path = '/none.json'", "warning", "tokens are estimated: tokenizer_path ="),
        ("stor = 'x'", "critical", "unknown key 'stor' in"),
        ("store = ", "critical", "line 1"),
    ],
)
def test_the_configuration_is_read(
    store: Store, tmp_path: Path, text: str, severity: str, says: str
) -> None:
    config = tmp_path / "monitoring.toml"
    config.write_text(text)
    found = finding(store, "--config", str(config))
    assert (found["check"], found["severity"]) == ("configuration", severity)
    assert says in found["problem"]


@pytest.mark.requirement("doors:doctor:store")
def test_a_store_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = finding(str(tmp_path / "file"))
    assert (found["check"], found["severity"]) == ("store", "critical")


@pytest.mark.requirement("doors:doctor:spool")
def test_a_spool_that_can_not_be_written_is_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_SPOOL_PATH", str(tmp_path / "file" / "spool"))
    found = finding(store)
    assert (found["check"], found["severity"]) == ("spool", "critical")
    assert found["problem"] == f"{tmp_path / 'file'} can't be written: Not a directory"
    assert found["remedy"] == "allow it, or name another place with spool_path"


@pytest.mark.requirement("doors:doctor:locks")
def test_locks_that_can_not_be_taken_do_not_work(tmp_path: Path) -> None:
    assert folders._locks_work(tmp_path / "lock")
    assert not folders._locks_work(tmp_path / "missing" / "lock")


@pytest.mark.parametrize(("factor", "severity"), [(1, "warning"), (1000, "error")])
@pytest.mark.requirement("doors:doctor:disk")
def test_a_disk_that_runs_full_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch, factor: int, severity: str
) -> None:
    free = folders.free_bytes(Path(store.uri).parent) or 0
    monkeypatch.setattr(folders, "FREE_BYTES_MIN", (free + (1 << 30)) * factor)
    found = finding(store)
    assert (found["check"], found["severity"]) == ("disk", severity)


def test_a_state_that_is_no_database_is_named(store: Store, recorder: Recorder) -> None:
    drain_once(store)
    store.engine.dispose()
    (Path(store.uri) / "state.db").write_bytes(b"no database at all" * 100)
    found = {f["check"]: f for f in findings(store)}["state"]
    assert found["severity"] == "critical"
    assert found["problem"] == "its state.db can't be used (file is not a database)"
    assert found["remedy"].startswith("move state.db aside: ")


def test_a_state_with_a_torn_page_is_named(store: Store, recorder: Recorder) -> None:
    drain_once(store)
    recorder.close()
    path = Path(store.uri) / "state.db"
    store.engine.dispose()
    data = bytearray(path.read_bytes())
    data[5 * 4096 : 7 * 4096] = b"\xa5" * 2 * 4096
    path.write_bytes(data)
    found = {f["check"]: f for f in findings(store)}["state"]
    assert found["severity"] == "critical"
    assert found["remedy"].startswith("move state.db aside: ")


def test_a_removal_that_was_cut_off_is_named(store: Store, recorder: Recorder) -> None:
    drain_once(store)
    everything = Selection(before_us=1)
    store.removals.open(
        Removal(table="cost_metrics", selection=everything, batch=1, reason=RETENTION)
    )
    found = finding(store)
    assert (found["check"], found["severity"]) == ("state", "warning")


def test_a_table_that_can_not_be_read_is_named(store: Store, recorder: Recorder) -> None:
    drain_once(store)
    (data,) = (Path(store.uri) / "performance_metrics.lance" / "data").iterdir()
    data.write_bytes(b"")
    found = [f for f in findings(store) if f["check"] == "tables"]
    assert found[0]["severity"] == "critical"
    assert found[0]["problem"].startswith("table performance_metrics can't be read (")


@pytest.mark.requirement("doors:doctor:versions")
def test_a_segment_of_a_newer_version_is_named(store: Store, recorder: Recorder) -> None:
    recorder.close()
    (segment,) = Path(store.uri).glob("spool/writers/*/*.seg")
    data = segment.read_bytes()
    header = read_header(data[:HEADER_BYTES])
    newer = replace(header, version=FORMAT_VERSION + 1).pack()
    segment.write_bytes(newer + data[HEADER_BYTES:])
    found = finding(store)
    assert (found["check"], found["severity"]) == ("spool", "error")
    assert found["problem"] == "1 segment(s) were written by a newer version and are not drained"


def test_losses_are_named_by_reason(store: Store, recorder: Recorder) -> None:
    recorder.spool.lose("too_large")
    found = finding(store)
    assert found == {
        "check": "losses",
        "severity": "error",
        "problem": "1 record(s) were lost: too_large",
        "remedy": "record less in one record",
    }


@pytest.mark.requirement("doors:doctor:spool")
def test_damaged_segments_are_named(store: Store, recorder: Recorder) -> None:
    recorder.close()
    (segment,) = Path(store.uri).glob("spool/writers/*/*.seg")
    data = bytearray(segment.read_bytes())
    data[HEADER_BYTES + 20] ^= 0xFF
    segment.write_bytes(data)
    drain_once(store)
    found = finding(store)
    assert (found["check"], found["severity"]) == ("quarantine", "warning")
    assert found["problem"].startswith("1 damaged segment(s) were kept aside (")
    run("purge", "--all", "--store", store.uri, "--yes")
    assert findings(store) == []


def test_a_backlog_that_nobody_drains_is_named(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_BACKLOG_BYTES_MAX", "65536")
    record(recorder, 2000)
    found = finding(store)
    assert (found["check"], found["severity"]) == ("backlog", "warning")
    assert found["problem"].endswith(" MiB wait in the spool and no keeper runs")


def test_a_record_that_waits_for_days_is_named(store: Store, recorder: Recorder) -> None:
    record(recorder, 1, days_ago=3)
    found = finding(store)
    assert found["problem"] == "the oldest record has waited for 3.0 days, no keeper runs"


@pytest.mark.requirement("doors:doctor:keeper")
def test_a_keeper_that_hangs_or_fails_is_named(store: Store, recorder: Recorder) -> None:
    drain_once(store)
    lock = FileLock(store.spool_root / KEEPER_LOCK)
    assert lock.acquire()
    now = SystemClock().now_us()
    state = KeeperState(
        host=platform.node(), pid=4711, since_us=now, drained_us=now, last_error=None
    )
    store.ledger.note_keeper(state)
    assert findings(store) == []
    store.ledger.note_keeper(replace(state, last_error="disk full"))
    found = finding(store)
    assert (found["check"], found["problem"]) == ("keeper", "its last error: disk full")
    store.ledger.note_keeper(replace(state, drained_us=now - 600_000_000))
    found = finding(store)
    assert found["problem"].startswith(f"process 4711 on {platform.node()} holds the store but has")
    lock.release()


@pytest.mark.requirement("doors:doctor:prices")
def test_prices_that_can_not_be_read_are_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "own.toml").write_text("[[llm]]\nprovider = 3\n")
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_PRICING_CONFIG_PATH", str(tmp_path / "prices"))
    found = finding(store)
    assert (found["check"], found["severity"]) == ("prices", "critical")
    assert "own.toml" in found["problem"]


def _configure(servers: dict[str, Any]) -> Path:
    file = client_places("claude-desktop")[0].file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"mcpServers": servers}))
    return file


@pytest.mark.requirement("doors:doctor:clients")
def test_a_client_that_is_set_up_is_well(store: Store) -> None:
    _configure({"time": {"command": "sh", "args": ["-c", "true"]}})
    facts = json.loads(run("doctor", "--store", store.uri, "--json").stdout)["facts"]
    assert [
        fact["says"].partition(": ")[2] for fact in facts if fact["check"] == "claude-desktop"
    ] == [
        "our server is not there; 0 of 1 servers watched;"
        " `contextframe-monitoring install claude-desktop --wrap-all` sees to it"
    ]
    run("install", "claude-desktop", "--wrap-all")
    report = json.loads(run("doctor", "--store", store.uri, "--json").stdout)
    assert report["healthy"]
    assert [fact["says"].partition(": ")[2] for fact in report["facts"][-2:]] == [
        "our server is there; 1 of 1 servers watched",
        "",
    ]


@pytest.mark.parametrize(
    ("entry", "severity", "problem"),
    [
        (
            {"command": "/gone/contextframe-monitoring", "args": ["serve"]},
            "error",
            "x starts /gone/contextframe-monitoring, which is not there",
        ),
        (
            {
                "command": "python3",
                "args": ["-m", "contextframe_monitoring", *GONE],
            },
            "error",
            "x wraps /gone/server, which is not there",
        ),
        (
            {"command": "no-such-uvx", "args": ["-m", "contextframe_monitoring", "serve"]},
            "error",
            "x starts no-such-uvx, which is not there",
        ),
    ],
)
@pytest.mark.requirement("doors:doctor:clients")
def test_an_entry_that_can_not_start_is_named(
    store: Store, entry: dict[str, Any], severity: str, problem: str
) -> None:
    _configure({"x": entry})
    found = finding(store)
    assert (found["check"], found["severity"], found["problem"]) == (
        "claude-desktop",
        severity,
        problem,
    )


def test_an_entry_in_a_temporary_environment_is_named(store: Store, home: Path) -> None:
    script = home / ".cache" / "uv" / "archive-v0" / "xYz" / "contextframe-monitoring"
    script.parent.mkdir(parents=True)
    script.touch()
    _configure({"x": {"command": str(script), "args": ["serve"]}})
    found = finding(store)
    assert found["severity"] == "warning"
    assert found["problem"] == f"x starts {script}, in a temporary environment"


def test_a_client_s_file_that_is_no_json_is_named(store: Store) -> None:
    file = _configure({})
    file.write_text("{\n'a': 1}")
    found = finding(store)
    assert (found["check"], found["severity"]) == ("claude-desktop", "error")
    assert found["problem"].startswith(f"{file}, line 2 = ")
