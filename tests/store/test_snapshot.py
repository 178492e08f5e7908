"""A reader's look: whatever a keeper does between its four steps, nothing is missed or repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.store.compaction import compact
from contextframe_monitoring.store.drain import Drain
from contextframe_monitoring.store.ledger import Ledger
from contextframe_monitoring.store.schemas import PERFORMANCE, RAW_TABLES, USAGE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US, ManualClock
from tests.store.filled import once, recorded_into, seen_by_a_reader, store_in

RECORD = OperationRecord(time_us=NOW_US, operation_type="x", status="success", duration_ms=1.0)
Squeeze = Callable[[], None]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path)


def drain(store: Store) -> None:
    keeper = Store(store.uri)  # another process's view of the same store
    Drain(keeper.spool_root, keeper.tables, Ledger(keeper.create()), ManualClock()).run()


class SqueezedStore(Store):
    """A store in which something happens just before the reader asks the ledger."""

    squeeze: Squeeze | None = None

    @property
    def ledger(self) -> Ledger | None:
        if self.squeeze is not None:
            squeeze, self.squeeze = self.squeeze, None
            squeeze()
        return super().ledger


def busy(store: Store, recorder: Recorder, drains: int) -> Squeeze:
    """What may happen in between: records come, batches are drained, segments go."""

    def work() -> None:
        for _ in range(drains):
            recorder.record(RECORD)
            drain(store)

    return work


def acknowledged(*recorders: Recorder) -> Counter[tuple[str, int]]:
    return sum((once(recorder) for recorder in recorders), Counter())


def assert_seen(seen: Counter[tuple[str, int]], expected: Counter[tuple[str, int]]) -> None:
    """Everything that was acknowledged before the look is seen once; what came later, at most."""
    assert {key: seen[key] for key in expected} == dict(expected)
    assert set(seen.values()) == {1}


@pytest.mark.requirement("spine:readers:complete")
@pytest.mark.parametrize("drained_before", [False, True])
@pytest.mark.parametrize("drains", [1, 3])
def test_a_drain_between_spools_and_ledger_is_seen_once(
    tmp_path: Path, drained_before: bool, drains: int
) -> None:
    store = SqueezedStore(str(tmp_path / "store"))
    dead, alive = recorded_into(store, 30), recorded_into(store, 20, close=False)
    if drained_before:
        drain(store)
        alive.record(RECORD)
    expected = acknowledged(dead, alive)
    store.squeeze = busy(store, alive, drains)
    assert_seen(seen_by_a_reader(Snapshot(store)), expected)


@pytest.mark.requirement("spine:readers:complete")
@pytest.mark.parametrize("drains", [1, 3])
def test_a_drain_between_ledger_and_tables_is_seen_once(store: Store, drains: int) -> None:
    dead, alive = recorded_into(store, 30), recorded_into(store, 20, close=False)
    drain(store)
    late = recorded_into(store, 10, seed=2)
    expected = acknowledged(dead, alive, late)
    snapshot = Snapshot(store)
    busy(store, alive, drains)()
    assert_seen(seen_by_a_reader(snapshot), expected)


def interleaved(snapshot: Snapshot, between: Squeeze) -> Iterator[tuple[str, int]]:
    """Read the tables, with something happening after every batch of rows."""
    for table in RAW_TABLES:
        for batch in snapshot.batches(table, ["writer", "seq"], None, None):
            yield from zip(
                batch.column(0).cast("string").to_pylist(), batch.column(1).to_pylist(), strict=True
            )
            between()


def test_drains_and_compactions_between_the_tables_are_seen_once(store: Store) -> None:
    dead, alive = recorded_into(store, 30), recorded_into(store, 20, close=False)
    drain(store)
    late = recorded_into(store, 10, seed=2)
    drain(store)
    alive.record(RECORD)
    expected = acknowledged(dead, alive, late)

    def between() -> None:
        busy(store, alive, 1)()
        for name in RAW_TABLES:
            compact(Store(store.uri).tables, name)

    assert_seen(Counter(interleaved(Snapshot(store), between)), expected)


def test_rows_of_a_batch_that_is_not_done_are_seen_in_the_spool_only(store: Store) -> None:
    recorder = recorded_into(store, 30)

    class Killed(BaseException):
        pass

    def checkpoint(step: str) -> None:
        if step == "append:performance_metrics":
            raise Killed

    dying = Drain(store.spool_root, store.tables, Ledger(store.create()), ManualClock(), checkpoint)
    with pytest.raises(Killed):
        dying.run()
    assert store.tables.count(PERFORMANCE) > 0
    snapshot = Snapshot(store)
    assert (snapshot.done, len(snapshot.waiting)) == (0, 30)
    assert seen_by_a_reader(snapshot) == once(recorder)


@pytest.mark.requirement("spine:readers:fresh")
def test_a_store_that_nobody_drained_is_read_from_its_spool(store: Store) -> None:
    assert seen_by_a_reader(Snapshot(store)) == {}
    recorder = recorded_into(store, 30, close=False)
    snapshot = Snapshot(store)
    assert (snapshot.done, seen_by_a_reader(snapshot)) == (0, once(recorder))
    assert not store.tables.local or not (store.tables.local / f"{USAGE}.lance").exists()


@pytest.mark.parametrize("drained", [0, 20, 40])
def test_times_are_cut_the_same_in_tables_and_spool(store: Store, drained: int) -> None:
    recorder = recorded_into(store, drained or 1, close=False)
    if drained:
        drain(store)
    for number in range(40 - drained):
        recorder.record(
            OperationRecord(
                time_us=NOW_US + 10 * number, operation_type="x", status="success", duration_ms=1.0
            )
        )
    every = times(Snapshot(store), None, None)
    middle = every[len(every) // 2]
    assert times(Snapshot(store), None, middle) == [t for t in every if t < middle]
    assert times(Snapshot(store), middle, None) == [t for t in every if t >= middle]
    assert times(Snapshot(store), middle, middle + 1) == [t for t in every if t == middle]
    oldest = Snapshot(store).oldest_us(PERFORMANCE)
    assert oldest == every[0]


def times(snapshot: Snapshot, start_us: int | None, end_us: int | None) -> list[int]:
    return sorted(
        moment
        for batch in snapshot.batches(PERFORMANCE, ["timestamp"], start_us, end_us)
        for moment in batch.column(0).cast("int64").to_pylist()
    )
