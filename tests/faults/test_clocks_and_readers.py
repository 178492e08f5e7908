"""Clocks that step while the store is written and kept; readers that are older than a change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.schemas import METRIC_TABLES
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.writer import Spool
from contextframe_monitoring.store.store import Store
from tests.clocks import DAY_US, ManualClock
from tests.store.filled import once, recorded_into, seen_by_a_reader, store_in, stored_in
from tests.store.summed import of_level

pytestmark = pytest.mark.faults
HOUR_US = 3_600_000_000
YEAR_US = 365 * DAY_US
STEPS_US = (-HOUR_US, YEAR_US, -HOUR_US, HOUR_US, -YEAR_US, HOUR_US, YEAR_US, -YEAR_US)


def note(recorder: Recorder, clock: ManualClock, count: int) -> None:
    for _ in range(count):
        assert recorder.record(
            OperationRecord(time_us=clock.us, operation_type="x", status="success", duration_ms=1.0)
        )


@pytest.mark.requirement("time:fault:clock")
def test_a_clock_that_steps_while_it_is_recorded_and_kept_loses_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    store, clock = store_in(tmp_path), ManualClock()
    recorder = Recorder(Spool(store.spool_root))
    keeper = Keeper(store, clock, retention_days=30)
    for number, step_us in enumerate(STEPS_US, 1):
        for _ in range(3):
            note(recorder, clock, 5)
            clock.pass_ms(61_000)
            keeper.tick()
            assert keeper.last_error is None
        clock.us += step_us  # the wall clock alone: monotonic time goes on
        keeper.maintain()
        assert seen_by_a_reader(Snapshot(store)) == once(recorder), number
    keeper.fold(at_once=True)
    keeper.release()
    assert stored_in(store) == seen_by_a_reader(Snapshot(store)) == once(recorder)
    recorded = 15 * len(STEPS_US)
    for level in LEVELS:
        counts = (sum(batch["count"].to_pylist()) for batch in of_level(Snapshot(store), level))
        assert sum(counts) == recorded, level
    report = verify(store)
    assert (report.findings, report.stored, report.expired) == ([], recorded, 0)


@pytest.mark.requirement("time:fault:clock")
def test_what_was_recorded_by_a_clock_a_year_behind_is_old_and_expires_by_name(
    tmp_path: Path,
) -> None:
    store, clock = store_in(tmp_path), ManualClock()
    recorder = Recorder(Spool(store.spool_root))
    keeper = Keeper(store, clock, retention_days=30)
    note(recorder, clock, 10)
    keeper.tick()
    clock.us -= YEAR_US
    note(recorder, clock, 20)
    keeper.tick()
    keeper.maintain()  # the clock is not believed
    assert stored_in(store) == once(recorder)
    clock.us += YEAR_US
    keeper.maintain()
    keeper.release()
    assert set(stored_in(store)) == {(recorder.writer, seq) for seq in range(1, 11)}
    report = verify(store)
    assert (report.findings, report.stored, report.expired) == ([], 10, 20)


@pytest.mark.requirement("time:fault:old-reader")
def test_a_reader_that_began_before_a_compaction_ends_with_the_rows_it_saw(tmp_path: Path) -> None:
    store, clock = store_in(tmp_path), ManualClock()
    keeper, expected = Keeper(store, clock), Counter[tuple[str, int]]()
    for seed in range(12):
        expected += once(recorded_into(store, 40, seed=seed))
        keeper.tick()
    mine = Store(store.uri)
    snapshot = Snapshot(mine)
    reading = {
        table: snapshot.batches(table, ["writer", "seq"], None, None) for table in METRIC_TABLES
    }
    begun = {table: next(rows) for table, rows in reading.items()}
    before = {table: store.tables.fragments(table) for table in METRIC_TABLES}
    keeper.compact()
    later = once(recorded_into(store, 40, seed=99))
    keeper.tick()
    assert all(store.tables.fragments(table) < before[table] for table in METRIC_TABLES)
    seen: Counter[tuple[str, int]] = Counter()
    for table, rows in reading.items():
        for batch in (begun[table], *rows):
            writers = batch.column(0).cast("string").to_pylist()
            seen.update(zip(writers, batch.column(1).to_pylist(), strict=True))
    assert seen == expected
    assert seen_by_a_reader(snapshot) == expected  # asked again, the old look is the old moment
    assert seen_by_a_reader(Snapshot(store)) == expected + later
    keeper.release()
    assert verify(store).findings == []
