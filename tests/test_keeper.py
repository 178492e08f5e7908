"""The keeper: one per store, once a second, and telling when it last lived."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.keeper import Keeper, drain_once
from contextframe_monitoring.store.ledger import KeeperState
from contextframe_monitoring.store.schemas import PERFORMANCE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.writer import KEEPER_LOCK
from contextframe_monitoring.store.state import STATE_FILE
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US, ManualClock
from tests.store.filled import once, recorded_into, seen_by_a_reader, store_in, stored_in

RECORD = OperationRecord(time_us=NOW_US, operation_type="x", status="success", duration_ms=1.0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path)


def noted(store: Store) -> KeeperState:
    ledger = store.ledger
    assert ledger is not None
    (state,) = ledger.keepers()
    return state


@pytest.mark.requirement("spine:keeper:one")
def test_of_two_keepers_one_leads_and_the_other_takes_over(store: Store) -> None:
    first, second = Keeper(store, ManualClock()), Keeper(Store(store.uri), ManualClock())
    assert (first.take(), second.take()) == (True, False)
    assert (first.leads, second.leads) == (True, False)
    recorder = recorded_into(store, 10)
    assert second.tick() == 0
    assert stored_in(store) == {}
    first.release()
    assert second.tick() == 10
    assert stored_in(store) == once(recorder)
    assert not first.take()


def test_a_store_is_drained_once_unless_somebody_keeps_it(store: Store) -> None:
    recorder = recorded_into(store, 10)
    keeper = Keeper(Store(store.uri), ManualClock())
    assert keeper.take()
    assert drain_once(store) == 0
    keeper.release()
    assert drain_once(store) == 10
    assert drain_once(store) == 0
    assert stored_in(store) == once(recorder)


def test_a_tick_under_constant_load_is_one_batch(store: Store) -> None:
    recorder = recorded_into(store, 10, close=False)
    batches: list[str] = []

    def record_meanwhile(step: str) -> None:
        if step == "done":
            batches.append(step)
            recorder.record(RECORD)

    keeper = Keeper(store, ManualClock(), record_meanwhile)
    assert [keeper.tick() for _ in range(3)] == [10, 1, 1]
    assert len(batches) == 3


def test_an_idle_keeper_says_that_it_lives_by_a_clock_that_does_not_jump(store: Store) -> None:
    clock = ManualClock()
    keeper = Keeper(store, clock)
    keeper.tick()
    started = noted(store).drained_us
    clock.us -= 3600 * 1_000_000  # the wall clock is set back by an hour
    clock.ns += 31 * 1_000_000_000
    keeper.tick()
    assert noted(store).drained_us == started - 3600 * 1_000_000
    clock.us += 366 * 86_400 * 1_000_000  # and forward by a year
    keeper.tick()
    assert noted(store).drained_us == started - 3600 * 1_000_000
    clock.ns += 31 * 1_000_000_000
    keeper.tick()
    assert noted(store).drained_us == clock.us


@pytest.mark.parametrize("jump_days", [-1 / 24, 366])
def test_a_clock_that_jumps_deletes_and_repeats_nothing(store: Store, jump_days: float) -> None:
    clock = ManualClock()
    recorder, keeper = recorded_into(store, 20, close=False), Keeper(store, clock)
    keeper.tick()
    clock.us += round(jump_days * 86_400_000_000)
    recorder.record(RECORD)
    keeper.tick()
    keeper.compact()
    assert stored_in(store) == seen_by_a_reader(Snapshot(store)) == once(recorder)


def test_an_error_of_the_store_is_noted_and_gone_when_it_is_over(store: Store) -> None:
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    versions = Path(store.tables.uri(PERFORMANCE)) / "_versions"
    versions.mkdir(parents=True)
    (versions / "18446744073709551614.manifest").write_bytes(b"")  # torn, as by a power loss
    recorder = recorded_into(store, 10)
    assert keeper.tick() == 0
    assert keeper.last_error is not None
    assert PERFORMANCE in keeper.last_error
    assert noted(store).last_error == keeper.last_error
    shutil.rmtree(versions.parent)
    keeper.tick()
    assert (keeper.last_error, noted(store).last_error) == (None, None)
    assert stored_in(store) == seen_by_a_reader(Snapshot(store)) == once(recorder)


def test_a_writer_that_cannot_be_read_is_named_while_the_others_are_drained(store: Store) -> None:
    recorder = recorded_into(store, 10)
    (store.spool_root / "writers" / "0000" / "0000000001.seg").mkdir(parents=True)
    keeper = Keeper(store, ManualClock())
    assert keeper.tick() == 10
    assert keeper.last_error is not None
    assert keeper.last_error.startswith("writer 0000: [Errno 21] Is a directory")
    assert stored_in(store) == once(recorder)


def test_a_keeper_whose_lock_was_deleted_gives_way_to_the_one_that_took_its_place(
    store: Store,
) -> None:
    first, second = Keeper(store, ManualClock()), Keeper(Store(store.uri), ManualClock())
    assert first.take()
    (store.spool_root / KEEPER_LOCK).unlink()
    assert second.take()
    recorder = recorded_into(store, 10)
    assert (first.tick(), first.leads) == (0, False)
    assert second.tick() == 10
    assert stored_in(store) == once(recorder)


def test_a_keeper_goes_on_when_the_whole_store_is_deleted_under_it(store: Store) -> None:
    keeper = Keeper(store, ManualClock())
    recorded_into(store, 10)
    assert keeper.tick() == 10
    shutil.rmtree(store.state_folder)
    late = recorded_into(store, 7)
    assert keeper.tick() == 7
    assert stored_in(store) == seen_by_a_reader(Snapshot(Store(store.uri))) == once(late)
    assert seen_by_a_reader(Snapshot(store)) == once(late)


def test_a_state_that_is_moved_aside_is_made_anew_by_the_keeper_that_runs(store: Store) -> None:
    keeper, reader = Keeper(store, ManualClock()), Store(store.uri)
    recorder = recorded_into(store, 10, close=False)
    keeper.tick()
    assert seen_by_a_reader(Snapshot(reader)) == once(recorder)
    (store.state_folder / STATE_FILE).rename(store.state_folder / "aside.db")
    recorder.record(RECORD)
    assert keeper.tick() == 1
    assert (store.state_folder / STATE_FILE).exists()
    assert stored_in(store) == seen_by_a_reader(Snapshot(reader)) == once(recorder)


def test_commits_of_many_short_lives_are_compacted_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contextframe_monitoring.keeper.COMMITS_PER_COMPACTION", 6)
    recorder = recorded_into(store, 5, close=False)
    counts = []
    for _ in range(8):
        drain_once(store)
        counts.append(store.tables.fragments(PERFORMANCE))
        recorder.record(RECORD)
    assert counts == [1, 2, 3, 4, 5, 1, 2, 3]
    drain_once(store)
    assert stored_in(store) == once(recorder)


def test_a_keeper_until_idle_leaves_when_nothing_comes(store: Store) -> None:
    recorder = recorded_into(store, 5)
    keeper = Keeper(store, ManualClock())
    keeper.run(threading.Event(), idle_seconds=0.0)
    assert (keeper.leads, stored_in(store)) == (False, once(recorder))


def test_a_keeper_until_idle_leaves_at_once_when_another_keeps(store: Store) -> None:
    first, second = Keeper(store, ManualClock()), Keeper(Store(store.uri), ManualClock())
    first.take()
    second.run(threading.Event(), idle_seconds=600.0)
    assert (first.leads, second.leads) == (True, False)


def test_a_stopped_keeper_drains_what_came_last_and_lets_go(store: Store) -> None:
    keeper, stop = Keeper(store, ManualClock()), threading.Event()
    keeper.tick()
    recorder = recorded_into(store, 5)
    stop.set()
    keeper.run(stop)
    assert (keeper.leads, stored_in(store)) == (False, once(recorder))


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="it is a file"):
        Store(str(tmp_path / "file"))
    keeper = Keeper(Store(str(tmp_path / "file" / "store")), ManualClock())
    with pytest.raises(StoreError, match=r"spool can't be made \(Not a directory\)"):
        keeper.take()
    assert keeper.tick() == 0
    assert keeper.last_error is not None


@pytest.mark.requirement("spine:keeper:unlinks")
def test_only_segments_that_are_wholly_drained_are_removed(store: Store) -> None:
    sealed, living = recorded_into(store, 3000), recorded_into(store, 3000, close=False)
    writers = store.spool_root / "writers"
    note = writers / living.writer / "note.txt"
    note.write_text("not ours")
    before = sorted(path.name for path in (writers / living.writer).glob("*.seg"))
    assert len(before) > 1
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    assert not (writers / sealed.writer).exists()
    left = sorted(path.name for path in (writers / living.writer).glob("*.seg"))
    assert left == before[-1:]  # the one that is written to
    assert note.read_text() == "not ours"
    living.record(RECORD)
    keeper.tick()
    assert stored_in(store) == once(sealed) + once(living)
