"""Draining: records in = rows out, once, whatever breaks in between."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from contextframe_monitoring.core.records import CostRecord, OperationRecord
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.drain import Drain, no_checkpoint
from contextframe_monitoring.store.ledger import Ledger
from contextframe_monitoring.store.schemas import COST, PERFORMANCE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.reader import segment_paths, writer_folders
from contextframe_monitoring.store.spool.segment import HEADER_BYTES, read_header
from contextframe_monitoring.store.spool.writer import Spool
from contextframe_monitoring.store.state import STATE_FILE
from contextframe_monitoring.store.store import Store
from contextframe_monitoring.store.tables import Tables
from tests.clocks import NOW_US, ManualClock
from tests.store.filled import once, recorded_into, seen_by_a_reader, store_in, stored_in

STEPS = [
    "collected",
    "ledger",
    "append:usage_metrics",
    "append:performance_metrics",
    "append:cost_metrics",
    "append:rollup_1m",
    "sync",
    "done",
    "unlink",
    "unlink",
]


class Killed(BaseException):
    """Stands for the death of the process."""


class BrokenError(Exception):
    """Stands for what a disk or a library may raise."""


class Stop:
    """A checkpoint that raises at the nth step."""

    def __init__(self, nth: int, error: type[BaseException]) -> None:
        self.left, self._error = nth, error

    def __call__(self, _step: str) -> None:
        self.left -= 1
        if self.left == -1:
            raise self._error


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path)


def drain_of(store: Store, checkpoint: Callable[[str], None] = no_checkpoint) -> Drain:
    """A drain as a keeper that has just taken over makes it."""
    ledger = Ledger(store.create())
    return Drain(store.spool_root, store.tables, ledger, ManualClock(), checkpoint)


def drained(store: Store) -> int:
    drain = drain_of(store)
    return drain.resume() + drain.run()


def folder_of(store: Store, recorder: Recorder) -> Path:
    return store.spool_root / "writers" / recorder.writer


def assert_whole(store: Store, *recorders: Recorder) -> None:
    """Everything is stored once, every reader sees it once, and `verify` says so."""
    expected = sum((once(recorder) for recorder in recorders), Counter())
    assert stored_in(store) == expected
    assert seen_by_a_reader(Snapshot(store)) == expected
    report = verify(store)
    assert (report.findings, report.stored) == ([], len(expected))


@pytest.mark.requirement("spine:keeper:ledger")
def test_a_batch_goes_through_its_steps_in_order(store: Store) -> None:
    first, second = recorded_into(store, 30), recorded_into(store, 20, close=False)
    steps: list[str] = []
    drain = drain_of(store, steps.append)
    assert drain.run() == 50
    assert steps == STEPS
    assert_whole(store, first, second)
    assert [folder.name for folder in writer_folders(store.spool_root)] == [second.writer]
    assert drain.run() == 0


@pytest.mark.requirement("spine:keeper:exactly-once", "spine:fault:keeper-killed")
@pytest.mark.parametrize("nth", range(len(STEPS)))
def test_killed_at_any_step_the_next_keeper_stores_everything_once(store: Store, nth: int) -> None:
    dead, alive = recorded_into(store, 30), recorded_into(store, 20, close=False)
    with pytest.raises(Killed):
        drain_of(store, Stop(nth, Killed)).run()
    seen = seen_by_a_reader(Snapshot(store))
    assert seen == once(dead) + once(alive)
    drained(store)
    assert_whole(store, dead, alive)


@pytest.mark.parametrize("nth", range(len(STEPS)))
def test_an_error_at_any_step_is_made_good_by_the_next_run(store: Store, nth: int) -> None:
    dead, alive = recorded_into(store, 30), recorded_into(store, 20, close=False)
    drain = drain_of(store, Stop(nth, BrokenError))
    with pytest.raises(BrokenError):
        drain.run()
    late = recorded_into(store, 10, seed=2)
    assert seen_by_a_reader(Snapshot(store)) == once(dead) + once(alive) + once(late)
    drain.run()
    assert_whole(store, dead, alive, late)


@pytest.mark.parametrize("first", range(1, 9, 2))
@pytest.mark.parametrize("second", range(0, len(STEPS), 3))
def test_killed_again_while_it_makes_good_nothing_is_lost_or_repeated(
    store: Store, first: int, second: int
) -> None:
    recorder = recorded_into(store, 30)
    with pytest.raises(Killed):
        drain_of(store, Stop(first, Killed)).run()
    late = recorded_into(store, 10, seed=2)
    try:
        drain_of(store, Stop(second, Killed)).run()
    except Killed:
        assert seen_by_a_reader(Snapshot(store)) == once(recorder) + once(late)
    drained(store)
    assert_whole(store, recorder, late)


class FullTables(Tables):
    """Tables whose disk is full at the nth append."""

    def __init__(self, store: str, nth: int) -> None:
        super().__init__(store)
        self.left = nth

    def append(self, name: str, rows: pa.Table) -> None:
        self.left -= 1
        if self.left == -1:
            raise BrokenError
        super().append(name, rows)


@pytest.mark.parametrize("nth", range(4))
def test_a_table_that_could_not_be_written_gets_its_rows_later_and_the_others_none_twice(
    store: Store, nth: int
) -> None:
    recorder = recorded_into(store, 30, close=False)
    tables = FullTables(store.uri, nth)
    drain = Drain(store.spool_root, tables, Ledger(store.create()), ManualClock())
    with pytest.raises(BrokenError):
        drain.run()
    assert drain.run() == 0  # the rest of the batch was made good, nothing new had come
    assert_whole(store, recorder)


# what stands in the spool


@pytest.mark.requirement("spine:keeper:unlinks")
def test_a_living_writer_is_drained_again_and_again(store: Store) -> None:
    recorder, drain = recorded_into(store, 30, close=False), drain_of(store)
    for number in range(3):
        assert drain.run() == (30 if number == 0 else 1)
        recorder.record(CostRecord(time_us=NOW_US, cost_type="llm", provider=None,
                                   amount_nano_usd=1, provenance=None))  # fmt: skip
    recorder.close()
    assert drain.run() == 1
    assert_whole(store, recorder)
    assert writer_folders(store.spool_root) == []


def test_an_idle_writer_costs_no_question_to_the_state(store: Store) -> None:
    recorded_into(store, 3, close=False)
    drain = drain_of(store)
    drain.run()
    (store.state_folder / STATE_FILE).rename(store.state_folder / "gone")
    drain._ledger._engine.dispose()
    assert drain.run() == 0


def test_losses_of_a_writer_reach_the_ledger_even_when_no_frame_comes(store: Store) -> None:
    recorder, drain = recorded_into(store, 3, close=False), drain_of(store)
    drain.run()
    assert recorder.spool is not None
    recorder.spool.lose("invalid")
    drain.run()
    assert drain._ledger.losses() == {recorder.writer: {"invalid": 1}}


def test_a_writer_that_only_lost_is_known_with_its_losses(store: Store) -> None:
    spool = Spool(store.spool_root)
    spool.lose("invalid")
    spool.close()
    drain = drain_of(store)
    assert drain.run() == 0
    (state,) = drain._ledger.known_writers()
    assert (state.writer, state.drained_seq, state.ended) == (spool.writer, 1, True)
    assert drain._ledger.losses() == {spool.writer: {"invalid": 1}}
    assert writer_folders(store.spool_root) == []


def test_a_damaged_header_of_a_living_writer_repeats_nothing(store: Store) -> None:
    recorder = recorded_into(store, 30, close=False)
    (path,) = segment_paths(folder_of(store, recorder))
    with path.open("r+b") as file:
        file.write(b"garbage!")
    assert drained(store) == 30
    assert seen_by_a_reader(Snapshot(store)) == once(recorder)
    assert drained(store) == 0  # another keeper, who does not know how far the first had come
    assert_stored_once(store, recorder)
    recorder.close()
    drained(store)
    assert_stored_once(store, recorder)
    (aside,) = Ledger(store.create()).quarantine()
    assert aside[1:] == (recorder.writer, "its header is damaged")


def assert_stored_once(store: Store, recorder: Recorder) -> None:
    assert stored_in(store) == seen_by_a_reader(Snapshot(store)) == once(recorder)


@pytest.mark.requirement("spine:fault:damaged-segment")
@pytest.mark.parametrize("alive", [True, False])
def test_a_damaged_frame_costs_itself_and_is_kept_aside_and_counted(
    store: Store, alive: bool
) -> None:
    recorder = recorded_into(store, 30, close=not alive)
    (path,) = segment_paths(folder_of(store, recorder))
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES + 12)
        file.write(b"\xff\xff\xff\xff")
    assert drained(store) == 29
    expected = once(recorder)
    del expected[recorder.writer, 1]
    assert stored_in(store) == seen_by_a_reader(Snapshot(store)) == expected
    if alive:
        assert path.exists()
        recorder.close()
        drained(store)
    assert not path.exists()
    (aside,) = Ledger(store.create()).quarantine()
    assert aside == (f"{recorder.writer}-0000000001.seg", recorder.writer, "1 damaged place(s)")
    assert (store.spool_root / "quarantine" / aside[0]).exists()
    report = verify(store)
    assert (report.lost, report.stored, report.gaps) == ({"damaged": 1}, 29, 0)


def test_the_quarantine_has_a_bound_and_what_is_dropped_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contextframe_monitoring.store.drain.QUARANTINE_BYTES_MAX", 100 << 10)
    for _ in range(2):
        (path,) = segment_paths(folder_of(store, recorded_into(store, 30)))
        with path.open("r+b") as file:
            file.seek(HEADER_BYTES + 12)
            file.write(b"\xff\xff\xff\xff")
        assert drained(store) == 29
    notes = [problem for *_, problem in Ledger(store.create()).quarantine()]
    assert notes == ["1 damaged place(s)", "1 damaged place(s); not kept: the quarantine is full"]
    assert len(list((store.spool_root / "quarantine").iterdir())) == 1
    assert writer_folders(store.spool_root) == []


def test_a_truncated_segment_gives_what_it_has_and_is_kept_aside(store: Store) -> None:
    recorder = recorded_into(store, 30)
    (path,) = segment_paths(folder_of(store, recorder))
    os.truncate(path, 2000)
    whole = drained(store)
    assert 0 < whole < 30
    (aside,) = Ledger(store.create()).quarantine()
    assert aside[1:] == (recorder.writer, "it is truncated: 2000 of 65536 bytes")
    report = verify(store)
    assert (report.lost, report.stored, report.gaps) == ({"damaged": 30 - whole}, whole, 0)


def test_a_frame_that_is_no_record_is_kept_aside_and_its_neighbours_are_stored(
    store: Store,
) -> None:
    spool = Spool(store.spool_root)
    recorder = Recorder(spool)
    good = OperationRecord(time_us=NOW_US, operation_type="x", status="success", duration_ms=None)
    recorder.record(good)
    spool.put(b"\xc1 this is no record")
    recorder.record(good)
    recorder.close()
    assert drained(store) == 2
    assert [seq for _, seq in stored_in(store)] == [1, 3]
    (aside,) = Ledger(store.create()).quarantine()
    assert aside[2].startswith("frame 2 is no record (")


@pytest.mark.requirement("spine:spool:unknown-version")
def test_a_segment_of_a_newer_format_stays_where_it_is_and_so_does_what_follows(
    store: Store,
) -> None:
    spool = Spool(store.spool_root)
    assert all(spool.put(bytes(40_000)) for _ in range(2))
    spool.close()
    first, second = segment_paths(writer_folders(store.spool_root)[0])
    found = read_header(first.read_bytes()[:HEADER_BYTES])
    assert found is not None
    newer = type(found)(**{f: getattr(found, f) for f in found.__slots__} | {"version": 2})
    with first.open("r+b") as file:
        file.write(newer.pack())
    assert drained(store) == 0
    assert (first.exists(), second.exists()) == (True, True)


def test_one_writers_unreadable_folder_does_not_hold_up_the_others(store: Store) -> None:
    recorder = recorded_into(store, 5)
    strange = store.spool_root / "writers" / "0000"
    strange.mkdir()
    (strange / "0000000001.seg").mkdir()  # reading it raises IsADirectoryError
    drain = drain_of(store)
    assert drain.run() == 5
    assert list(drain.unreadable) == ["0000"]
    assert stored_in(store) == once(recorder)


# the ledger and the tables part


def test_a_lost_ledger_is_rebuilt_from_the_tables(store: Store) -> None:
    dead, alive = recorded_into(store, 30), recorded_into(store, 20, close=False)
    for _ in range(3):
        drained(store)
        assert alive.record(
            OperationRecord(time_us=NOW_US, operation_type="x", status="error", duration_ms=1.0)
        )
    for name in (STATE_FILE, f"{STATE_FILE}-wal", f"{STATE_FILE}-shm"):
        (store.state_folder / name).unlink(missing_ok=True)
    store = Store(store.uri)
    late = recorded_into(store, 10, seed=2)
    drained(store)
    assert stored_in(store) == once(dead) + once(alive) + once(late)
    assert seen_by_a_reader(Snapshot(store)) == once(dead) + once(alive) + once(late)


def test_an_older_copy_of_the_ledger_loses_and_repeats_nothing(store: Store) -> None:
    alive = recorded_into(store, 20, close=False)
    drained(store)
    ledger = Ledger(store.create())
    ledger._engine.dispose()
    shutil.copy(store.state_folder / STATE_FILE, store.state_folder / "copy")
    early = recorded_into(store, 30)
    alive.record(
        OperationRecord(time_us=NOW_US, operation_type="x", status="success", duration_ms=1.0)
    )
    drained(store)
    for name in (f"{STATE_FILE}-wal", f"{STATE_FILE}-shm"):
        (store.state_folder / name).unlink(missing_ok=True)
    (store.state_folder / "copy").rename(store.state_folder / STATE_FILE)
    store = Store(store.uri)
    late = recorded_into(store, 10, seed=2)
    drained(store)
    assert stored_in(store) == once(alive) + once(early) + once(late)
    assert seen_by_a_reader(Snapshot(store)) == once(alive) + once(early) + once(late)


@pytest.mark.requirement("spine:fault:deleted-table")
def test_a_table_that_was_deleted_is_made_again_and_verify_says_what_is_gone(
    store: Store,
) -> None:
    recorder, drain = recorded_into(store, 30, close=False), drain_of(store)
    drain.run()
    shutil.rmtree(store.tables.uri(COST))
    late = recorded_into(store, 10, seed=2)
    assert drain.run() == 10
    assert (store.tables.count(COST), store.tables.count(PERFORMANCE)) == (2, 8)
    report = verify(store)
    assert (report.complete, report.gaps, report.stored) == (False, 6, 34)
    assert len(stored_in(store)) == len(once(recorder)) + len(once(late)) - 6
