"""Stores in trouble: each a clear error or a counted loss, and whole again when it is over."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import lance
import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.ingest.recorder import open_recorder
from contextframe_monitoring.keeper import Keeper, drain_once
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.schemas import PERFORMANCE, PERFORMANCE_SCHEMA, USAGE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US, ManualClock
from tests.nobody import nobody, open_to_all
from tests.recorded import recorded
from tests.small_disk import small_disk
from tests.store.filled import once, recorded_into, seen_by_a_reader, store_in, stored_in

pytestmark = pytest.mark.faults
RECORD = OperationRecord(time_us=NOW_US, operation_type="x", status="success", duration_ms=1.0)


@pytest.mark.requirement("spine:fault:store-is-a-file")
def test_a_store_that_is_a_file_is_refused_by_readers_and_costs_writers_their_records(
    tmp_path: Path,
) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreError) as caught:
        store_in(tmp_path)
    assert str(caught.value) == (
        f"store '{tmp_path}/store' can't be used: it is a file; name a folder with --store"
    )
    recorder = open_recorder(MonitoringConfig(store=str(tmp_path / "store"), start_keeper=False))
    assert not recorder.record(RECORD)
    assert recorder.losses == {"unavailable": 1}
    assert (tmp_path / "store").read_text() == "a file"


@pytest.mark.requirement("spine:fault:read-only", "spine:fault:undisturbed")
def test_a_read_only_store_is_read_not_kept_and_costs_writers_their_records(
    tmp_path: Path,
) -> None:
    store = store_in(tmp_path)
    recorder = recorded_into(store, 30)
    drain_once(store)
    expected = once(recorder) + once(recorded_into(store, 10, seed=2))
    engine = store.engine
    assert engine is not None
    engine.dispose()  # the last to leave puts the log into the database
    open_to_all(tmp_path)
    for folder, folders, files in os.walk(store.state_folder):
        os.chmod(folder, 0o555)
        for name in (*folders, *files):
            os.chmod(os.path.join(folder, name), 0o555)

    with nobody():
        mine = Store(store.uri)
        assert seen_by_a_reader(Snapshot(mine)) == expected
        keeper = Keeper(mine, ManualClock())
        with pytest.raises(StoreError, match="can't be"):
            keeper.take()
        assert keeper.tick() == 0
        assert not keeper.leads
        assert keeper.last_error is not None
        writer = open_recorder(MonitoringConfig(store=store.uri, start_keeper=False))
        assert not writer.record(RECORD)
        assert writer.losses == {"unavailable": 1}
        assert "Permission denied" in (writer.last_error or "")
    for folder, _, _ in os.walk(store.state_folder):
        os.chmod(folder, 0o755)


def test_another_users_spool_does_not_hold_up_the_keeper_and_is_named(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    foreign = recorded_into(store, 10).writer
    open_to_all(tmp_path)
    for folder, _, _ in os.walk(store.state_folder):
        os.chmod(folder, 0o777)
    theirs = store.spool_root / "writers" / foreign
    theirs.chmod(0)

    with nobody():
        mine = Store(store.uri)
        recorder = recorded_into(mine, 20)
        keeper = Keeper(mine, ManualClock())
        assert keeper.tick() == 20
        assert keeper.last_error is not None
        assert keeper.last_error.startswith(f"writer {foreign}: [Errno 13]")
        assert stored_in(mine) == seen_by_a_reader(Snapshot(mine)) == once(recorder)
        assert list(Snapshot(mine).unreadable) == [foreign]
        keeper.release()
    theirs.chmod(0o700)
    drain_once(store)
    assert len(stored_in(store)) == 30


@pytest.mark.requirement("spine:fault:newer")
def test_a_store_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    newer = dict(PERFORMANCE_SCHEMA.metadata) | {b"contextframe_monitoring.format": b"2"}
    lance.write_dataset(
        PERFORMANCE_SCHEMA.with_metadata(newer).empty_table(), store.tables.uri(PERFORMANCE)
    )
    recorder = recorded_into(store, 20, close=False)
    keeper = Keeper(store, ManualClock())
    assert (keeper.tick(), keeper.leads) == (0, False)
    assert keeper.last_error is not None
    assert "table performance_metrics has format 2, this program knows 1" in keeper.last_error
    assert store.tables.count(USAGE) == 0
    assert len(recorded(store.spool_root)) == 20
    assert recorder.record(RECORD)


@pytest.mark.requirement("spine:fault:full")
def test_a_full_disk_of_the_store_keeps_everything_until_there_is_room(tmp_path: Path) -> None:
    """The spool lies elsewhere, the disk of tables and state fills in the middle of a batch."""
    with small_disk(tmp_path / "disk", 700 << 10) as disk:
        store = Store(str(disk.path / "store"), spool_path=str(tmp_path / "spool"))
        first = recorded_into(store, 300)
        keeper = Keeper(store, ManualClock())
        keeper.tick()
        expected = once(first)
        for seed in range(2, 30):
            expected += once(recorded_into(store, 2000, seed=seed))
            keeper.tick()
        assert keeper.last_error is not None
        assert "free space on its disk" in keeper.last_error
        disk.resize(64 << 20)
        assert seen_by_a_reader(Snapshot(store)) == expected
        keeper.tick()
        assert keeper.last_error is None
        assert stored_in(store) == seen_by_a_reader(Snapshot(store)) == expected
        report = verify(store)
        assert (report.findings, report.stored) == ([], len(expected))
        keeper.release()
        if store.engine is not None:
            store.engine.dispose()


@pytest.mark.requirement("spine:fault:full", "spine:fault:spool-full")
def test_a_disk_that_holds_all_and_is_full_costs_counted_records_only(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1500 << 10) as disk:
        store = store_in(disk.path)
        recorder = open_recorder(MonitoringConfig(store=store.uri, start_keeper=False))
        keeper = Keeper(store, ManualClock())
        acknowledged: Counter[tuple[str, int]] = Counter()
        for number in range(40_000):
            if recorder.record(RECORD):
                acknowledged[recorder.writer, recorder.recorded] += 1
            if number % 4000 == 0:
                keeper.tick()
        assert recorder.losses["disk_full"] > 0
        disk.resize(64 << 20)
        keeper.tick()
        recorder.close()
        keeper.tick()
        assert keeper.last_error is None
        assert stored_in(store) == seen_by_a_reader(Snapshot(store)) == acknowledged
        report = verify(store)
        assert (report.lost, report.gaps) == (dict(recorder.losses), 0)
        assert report.recorded == recorder.recorded == 40_000
        keeper.release()
        if store.engine is not None:
            store.engine.dispose()


@pytest.mark.requirement("spine:fault:deleted-table")
def test_a_table_deleted_while_the_keeper_runs_is_made_again_and_its_rows_are_named_as_gone(
    tmp_path: Path,
) -> None:
    store = store_in(tmp_path)
    recorder = recorded_into(store, 50, close=False)
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    gone = store.tables.count(PERFORMANCE)
    shutil.rmtree(store.tables.uri(PERFORMANCE))
    assert recorder.record(RECORD)
    assert keeper.tick() == 1
    assert keeper.last_error is None
    assert store.tables.count(PERFORMANCE) == 1
    report = verify(store)
    assert (report.complete, report.gaps, report.stored) == (False, gone, 51 - gone)


def test_a_store_copied_while_it_is_written_opens_and_repeats_nothing(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    recorder = recorded_into(store, 30, close=False)
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    recorder.record(RECORD)
    shutil.copytree(store.state_folder, tmp_path / "copy")
    copy = Store(str(tmp_path / "copy"))
    assert seen_by_a_reader(Snapshot(copy)) == once(recorder)
    Keeper(copy, ManualClock()).tick()
    assert stored_in(copy) == seen_by_a_reader(Snapshot(copy)) == once(recorder)
    keeper.tick()
    assert stored_in(store) == once(recorder)
