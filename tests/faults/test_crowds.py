"""Crowds: many abandoned writers, many names; none of them delays an answer for long."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pytest

from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.schemas import PERFORMANCE, ROLLUP_1M
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.reader import writer_folders
from contextframe_monitoring.store.spool.writer import Spool
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US, ManualClock
from tests.faults.sizes import TARGETS, WRITERS
from tests.store.filled import seen_by_a_reader, store_in, stored_in

pytestmark = pytest.mark.faults
SECONDS_FOR_A_THOUSAND = 5.0


def operation(target: str) -> OperationRecord:
    return OperationRecord(
        time_us=NOW_US,
        operation_type="tools/call",
        status="success",
        duration_ms=1.0,
        target=target,
    )


def abandoned(store: Store, count: int) -> Counter[tuple[str, int]]:
    """Leave writers behind that ended without a word, each with three records."""
    left: Counter[tuple[str, int]] = Counter()
    for _ in range(count):
        spool = Spool(store.spool_root)
        recorder = Recorder(spool)
        for _ in range(3):
            assert recorder.record(operation("search"))
            left[spool.writer, spool.seq] += 1
        assert spool._owned is not None
        assert spool._segment is not None
        spool._owned.release()  # what the end of a process does
        spool._segment.close()
    return left


def test_abandoned_writers_are_read_and_drained_without_delay(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    left = abandoned(store, WRITERS)
    bound = SECONDS_FOR_A_THOUSAND * max(WRITERS / 1000, 0.5)

    start = time.monotonic()
    assert seen_by_a_reader(Snapshot(store)) == left
    assert time.monotonic() - start < bound

    keeper = Keeper(store, ManualClock())
    start = time.monotonic()
    assert keeper.tick() == len(left)
    assert time.monotonic() - start < bound

    assert writer_folders(store.spool_root) == []
    assert stored_in(store) == seen_by_a_reader(Snapshot(store)) == left
    report = verify(store)
    assert (report.findings, report.recorded) == ([], len(left))


def test_ten_thousand_names_are_stored_and_read_back(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    recorder, keeper = Recorder(Spool(store.spool_root)), Keeper(store, ManualClock())
    names = [f"tool-{number}" for number in range(TARGETS)]
    for half in (names[: TARGETS // 2], names[TARGETS // 2 :]):
        assert all(recorder.record(operation(name)) for name in half)
        assert keeper.tick() == len(half)
    keeper.compact()
    assert names_in(store, PERFORMANCE) == names_in(store, ROLLUP_1M) == set(names)
    assert verify(store).findings == []


def names_in(store: Store, table: str) -> set[str]:
    return {
        name
        for batch in store.tables.scan(table, ["target"])
        for name in pc.unique(batch.column(0).cast("string")).to_pylist()
    }
