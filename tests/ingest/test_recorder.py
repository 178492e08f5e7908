"""`Recorder`: whatever it is given, its caller goes on, and what it took is readable."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import (
    AlertRecord,
    CostRecord,
    EventRecord,
    MetricRecord,
    OperationRecord,
    Origin,
    Record,
    UsageRecord,
)
from contextframe_monitoring.ingest.recorder import Recorder, _KeeperStarter, open_recorder
from contextframe_monitoring.store import machine
from contextframe_monitoring.store.machine import FileLock
from contextframe_monitoring.store.rows import Stored, rows
from contextframe_monitoring.store.spool.frames import FRAME_BYTES_MAX
from contextframe_monitoring.store.spool.reader import read_spool
from contextframe_monitoring.store.spool.writer import KEEPER_LOCK, Spool
from tests.recorded import recorded

NOW_US = 1_795_000_000_000_000
GOOD: tuple[Record, ...] = (
    OperationRecord(time_us=NOW_US, operation_type="ping", status="success", duration_ms=1.0),
    UsageRecord(time_us=NOW_US, metric_type="query", resource_id=None, operation="sql"),
    EventRecord(time_us=NOW_US, name="routed"),
    MetricRecord(time_us=NOW_US, name="queue", value=1.0),
    CostRecord(time_us=NOW_US, cost_type="llm", provider=None, amount_nano_usd=None,
               provenance=None),
    AlertRecord(time_us=NOW_US, alert_id="a", revision=1, action="fired", rule="r",
                signal="cost", severity="error", state="firing", message="m"),
)  # fmt: skip


class Unprintable:
    """Raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]
HOSTILE = {
    "megabyte": "x" * (1 << 20),
    "megabyte of four-byte characters": "\U0001f600" * (1 << 18),
    "nul": "a\0b",
    "lone surrogate": "a\ud800b",
    "not a number": math.nan,
    "infinity": -math.inf,
    "huge integer": 10**400,
    "integer beyond 64 bits": 2**64,
    "negative integer": -(2**63),
    "bytes": b"\xff" * 100_000,
    "list": ["x" * 100_000] * 100,
    "tuple of surrogates": ("\ud800",) * 500,
    "mapping": {"k" * 100_000: "v" * 100_000},
    "nested": DEEP,
    "object": Unprintable(),
    "function": print,
    "record": GOOD[0],
    "boolean": True,
    "none": None,
}
FIELDS = [
    (record, field)
    for record in GOOD
    for field in record.__struct_fields__
]  # fmt: skip


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


@pytest.mark.requirement("spine:record:never-raises")
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_value_of_any_field_raises_or_takes_more_than_a_frame(
    spool: Spool, hostile: Any, tmp_path: Path
) -> None:
    recorder = Recorder(spool)
    kept = sum(
        recorder.record(msgspec.structs.replace(record, **{field: hostile}))
        for record, field in FIELDS
    )
    (view,) = read_spool(tmp_path)
    frames = [frame for segment in view.segments for frame in segment.frames()]
    assert [segment.scan.damaged for segment in view.segments] == [0] * len(view.segments)
    assert len(frames) == kept
    assert all(len(frame.record) <= FRAME_BYTES_MAX for frame in frames)
    assert recorder.recorded == len(FIELDS) == kept + sum(recorder.losses.values())


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_value_of_an_origin_raises(spool: Spool, hostile: Any) -> None:
    recorder = Recorder(spool)
    for field in Origin.__struct_fields__:
        recorder.record(msgspec.structs.replace(GOOD[0], origin=Origin(**{field: hostile})))
    assert recorder.recorded == len(Origin.__struct_fields__)


@pytest.mark.requirement("spine:input:attributes")
@pytest.mark.parametrize("text", ["megabyte", "megabyte of four-byte characters", "nul",
                                  "lone surrogate"])  # fmt: skip
def test_a_text_of_any_size_or_kind_is_stored_bounded(
    spool: Spool, text: str, tmp_path: Path
) -> None:
    recorder = Recorder(spool, text_chars_max=100)
    record = msgspec.structs.replace(GOOD[0], target=HOSTILE[text], error=HOSTILE[text])
    assert recorder.record(record)
    (found,) = recorded(tmp_path)
    assert isinstance(found, OperationRecord)
    assert found.target is not None
    assert len(found.target) <= 100
    assert found.target == found.error
    (table,) = rows([Stored("w", 1, found)], 1).values()
    assert table["target"].cast("string").to_pylist() == [found.target]


def test_a_record_full_of_long_attributes_is_cut_until_it_fits(
    spool: Spool, tmp_path: Path
) -> None:
    recorder = Recorder(spool, text_chars_max=65_536)
    record = msgspec.structs.replace(GOOD[0], attributes=("k=" + "\U0001f600" * 512,) * 32)
    assert recorder.record(record)
    (found,) = recorded(tmp_path)
    assert [len(pair) for pair in found.attributes] == [64] * 32


@pytest.mark.parametrize(
    "thing", [None, 1, "text", {"a": 1}, [], object(), Origin(), OperationRecord]
)
def test_what_is_no_record_is_counted(spool: Spool, thing: Any) -> None:
    recorder = Recorder(spool)
    assert not recorder.record(thing)
    assert (recorder.losses, recorder.recorded) == ({"invalid": 1}, 1)


@pytest.mark.requirement("spine:record:kinds")
def test_every_kind_is_read_back_as_it_was_recorded(spool: Spool, tmp_path: Path) -> None:
    recorder = Recorder(spool)
    assert [recorder.record(record) for record in GOOD] == [True] * len(GOOD)
    assert recorded(tmp_path) == list(GOOD)
    assert {type(record) for record in GOOD} == set(typing.get_args(Record))


@pytest.mark.requirement("spine:record:never-raises")
def test_a_spool_that_breaks_never_breaks_its_caller(tmp_path: Path) -> None:
    class Broken(Spool):
        def put(self, record: bytes) -> bool:
            raise ValueError("a fault of ours")

        def lose(self, reason: Any) -> None:
            raise ValueError("another")

    recorder = Recorder(Broken(tmp_path))
    assert not recorder.record(GOOD[0])
    assert not recorder.record(typing.cast("Any", None))


def test_a_monitor_that_is_switched_off_records_nothing_and_leaves_no_file(tmp_path: Path) -> None:
    recorder = open_recorder(MonitoringConfig(enabled=False, store=str(tmp_path / "store")))
    assert not recorder.record(GOOD[0])
    recorder.operation_started()
    recorder.operation_ended()
    recorder.connections_changed(1)
    recorder.close()
    assert (recorder.enabled, recorder.recorded, recorder.losses) == (False, 0, {})
    assert (recorder.writer, recorder.last_error) == ("", None)
    assert list(tmp_path.iterdir()) == []


def test_costs_can_be_left_out_and_are_no_loss(tmp_path: Path) -> None:
    config = MonitoringConfig(track_costs=False, store=str(tmp_path), start_keeper=False)
    recorder = open_recorder(config)
    assert [recorder.record(record) for record in GOOD] == [True] * 4 + [False, True]
    assert (recorder.recorded, recorder.losses) == (5, {})


@pytest.mark.requirement("spine:fault:undisturbed")
def test_a_disk_that_refuses_is_counted_and_told(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")
    recorder = open_recorder(MonitoringConfig(store=str(tmp_path), start_keeper=False))
    assert not recorder.record(GOOD[0])
    assert recorder.losses == {"unavailable": 1}
    assert recorder.last_error is not None
    assert "Not a directory" in recorder.last_error


def test_live_figures_stand_in_the_header_with_their_peak(tmp_path: Path) -> None:
    recorder = open_recorder(MonitoringConfig(store=str(tmp_path), start_keeper=False), label="me")

    def gauges() -> tuple[int, ...]:
        (view,) = read_spool(tmp_path / "spool")
        assert view.header is not None
        return view.header.gauges

    assert gauges() == (0, 0, 0)
    recorder.operation_started()
    recorder.operation_started()
    recorder.connections_changed(1)
    assert gauges() == (2, 2, 1)
    recorder.operation_ended()
    assert gauges() == (1, 2, 1)
    for _ in range(3):
        recorder.operation_ended()
        recorder.connections_changed(-1)
    assert gauges() == (0, 2, 0)
    recorder.record(GOOD[0])
    recorder.close()
    assert gauges() == (0, 0, 0)


def test_to_begin_and_end_is_to_count_to_number_and_to_record(tmp_path: Path) -> None:
    recorder = open_recorder(MonitoringConfig(store=str(tmp_path), start_keeper=False))

    def gauges() -> tuple[int, ...]:
        (view,) = read_spool(tmp_path / "spool")
        assert view.header is not None
        return view.header.gauges

    assert [recorder.begin() for _ in range(3)] == [1, 2, 3]
    assert gauges() == (3, 3, 0)
    encoded = [msgspec.msgpack.encode(record) for record in GOOD[:3]]
    assert [recorder.end(record) for record in encoded] == [True] * 3
    assert gauges() == (0, 3, 0)
    assert recorded(tmp_path / "spool") == list(GOOD[:3])
    recorder.enabled = False
    assert (recorder.begin(), recorder.end(encoded[0]), gauges()) == (4, False, (0, 3, 0))
    recorder.enabled = True
    assert (recorder.end(encoded[0]), gauges()) == (True, (0, 3, 0))
    assert recorder.operation_id(3) == f"{recorder.writer}-o3"
    off = open_recorder(MonitoringConfig(enabled=False))
    assert (off.begin(), off.operation_id(1), off.end(encoded[0])) == (1, "-o1", False)


@pytest.mark.requirement("spine:record:operation-id")
def test_operation_ids_are_the_writers_own(spool: Spool) -> None:
    recorder = Recorder(spool)
    assert [recorder.next_operation_id() for _ in range(2)] == [
        f"{spool.writer}-o1", f"{spool.writer}-o2",
    ]  # fmt: skip


# a keeper on demand


class Starts(list[tuple[list[str], dict[str, str]]]):
    """Remembers what was started."""

    def __call__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.append((arguments, environment))


def starter(root: Path, starts: Any, **config: Any) -> _KeeperStarter:
    root.mkdir(exist_ok=True)
    return _KeeperStarter(root, "STORE", MonitoringConfig(**config), starts)


@pytest.mark.requirement("spine:keeper:on-demand")
def test_a_backlog_over_its_bound_starts_a_keeper_at_most_once_a_minute(tmp_path: Path) -> None:
    starts = Starts()
    first = starter(tmp_path / "spool", starts, backlog_bytes_max=1 << 20)
    other = starter(tmp_path / "spool", starts, backlog_bytes_max=1 << 20)  # another process
    first(1 << 20)
    assert starts == []
    first((1 << 20) + 1)
    other(5 << 20)
    first(5 << 20)
    assert starts == [(["keep", "--until-idle", "--store", "STORE"], {})]
    stamp = tmp_path / "spool" / "keeper.started"
    os.utime(stamp, (time.time() - 61, time.time() - 61))
    other(5 << 20)
    first(5 << 20)
    assert len(starts) == 2
    os.utime(stamp, (time.time() + 3600, time.time() + 3600))  # the clock was set back
    first(5 << 20)
    assert len(starts) == 3


def test_nobody_is_started_while_somebody_keeps(tmp_path: Path) -> None:
    starts = Starts()
    start = starter(tmp_path / "spool", starts)
    keeper = FileLock(tmp_path / "spool" / KEEPER_LOCK)
    assert keeper.acquire()
    start(1 << 30)
    assert starts == []
    keeper.release()
    start(1 << 30)
    assert len(starts) == 1
    assert keeper.acquire()  # asking left it free


def test_a_keeper_that_is_started_finds_the_same_spool(tmp_path: Path) -> None:
    starts = Starts()
    starter(tmp_path / "spool", starts, spool_path="elsewhere")(1 << 30)
    assert starts[0][1] == {"CONTEXTFRAME_MONITORING_SPOOL_PATH": "elsewhere"}


@pytest.mark.parametrize("error", [OSError("no processes left"), ValueError("embedded null byte")])
def test_a_start_that_fails_is_harmless(tmp_path: Path, error: Exception) -> None:
    def fail(arguments: list[str], environment: dict[str, str]) -> None:
        raise error

    start = starter(tmp_path / "spool", fail, backlog_bytes_max=1 << 16)
    spool = Spool(tmp_path / "spool", rotated=start)
    assert all(spool.put(bytes(40_000)) for _ in range(10))
    assert spool.losses == {}


def test_a_folder_that_is_gone_starts_nobody(tmp_path: Path) -> None:
    starts = Starts()
    start = starter(tmp_path / "spool", starts)
    (tmp_path / "spool").rmdir()
    start(1 << 30)
    assert starts == []


@pytest.mark.requirement("spine:keeper:on-demand")
def test_a_recorder_starts_a_keeper_for_its_own_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real start, of a stand-in for the interpreter that writes down what it was asked for."""
    program, told = tmp_path / "python", tmp_path / "told"
    program.write_text(f'#!/bin/sh\necho "$@" > {told}\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    store = tmp_path / "store"
    recorder = open_recorder(MonitoringConfig(store=str(store), backlog_bytes_max=1 << 16))
    big = msgspec.structs.replace(GOOD[0], attributes=("x" * 10_000,))
    assert all(recorder.record(big) for _ in range(40))
    assert [child.wait(timeout=10) for child in machine._CHILDREN] == [0]
    assert told.read_text().split() == [
        "-m", "contextframe_monitoring", "keep", "--until-idle", "--store", str(store),
    ]  # fmt: skip


_WATCHED = """
import mmap, os, sys, threading

class Mapping(mmap.mmap):
    def flush(self, *_):
        raise SystemExit("a mapping was synced")

def synced(*_):
    raise SystemExit("a file was synced")

mmap.mmap = Mapping
os.fsync = os.fdatasync = os.sync = synced
threading.Thread.start = lambda _: sys.exit("a thread was started")

from contextframe_monitoring import Monitor
monitor = Monitor.open(store=sys.argv[1], spool_backend=sys.argv[2], start_keeper=False)
for number in range(2000):
    monitor.usage.track_event("x")
    with monitor.performance.operation("tool_call"):
        pass
print(len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1)
monitor.close()
"""


@pytest.mark.requirement("spine:record:no-thread")
@pytest.mark.parametrize("backend", ["auto", "write"])
def test_recording_starts_no_thread_and_syncs_nothing(tmp_path: Path, backend: str) -> None:
    store = tmp_path / "store"
    watched = subprocess.run(
        [sys.executable, "-c", _WATCHED, str(store), backend],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (watched.returncode, watched.stdout, watched.stderr) == (0, "1\n", "")
    assert len(recorded(store / "spool")) == 4000
