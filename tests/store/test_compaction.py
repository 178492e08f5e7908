"""Compaction: few fragments, no row lost or moved, rollup rows merged while readers look."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.compaction import (
    LAG_US,
    compact,
    consolidate,
    mergeable,
    small_ones,
)
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.schemas import PERFORMANCE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from contextframe_monitoring.store.tables import Tables
from tests.clocks import NOW_US, ManualClock
from tests.store.filled import recorded_into, store_in
from tests.store.summed import assert_levels_are_raw, of_level, summed
from tests.store.test_tables import some_rows

SMALL = 100
MINUTES, QUARTERS = LEVELS[0], LEVELS[1]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path)


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ([], 0),
        ([5], 1),
        ([5, 5], 0),
        ([200, 5], 2),  # one small one alone is left
        ([200, 5, 5], 1),
        ([5, 200, 5, 5], 2),
        ([200] * 6 + [5, 5], 6),
        ([200] * 7 + [60, 60], 0),  # eight of a size
        ([9_000, *[200] * 7, 60, 60], 1),
        ([3_000] * 7 + [200] * 7 + [60, 60], 0),
        ([600_000, 5, 5], 1),
    ],
)
def test_fragments_of_one_size_become_one(sizes: list[int], kept: int) -> None:
    assert small_ones(sizes, SMALL) == kept


@pytest.mark.requirement("time:maintain:compaction")
def test_a_row_is_written_few_times_however_large_the_table_grows() -> None:
    sizes: list[int] = []
    written = 0
    for _ in range(5_000):
        sizes.append(60)
        start = small_ones(sizes, SMALL)
        if start < len(sizes):
            written += sum(sizes[start:])
            sizes[start:] = [sum(sizes[start:])]
    assert sum(sizes) == 300_000
    assert written / 300_000 < 5
    assert len(sizes) < 30


def test_compaction_keeps_the_order_of_rows_and_drops_unused_labels(tmp_path: Path) -> None:
    tables = Tables(str(tmp_path / "store"))
    for batch in range(1, 30):
        tables.append(PERFORMANCE, some_rows(batch * 10, 10, batch=batch))
    tables.delete(PERFORMANCE, "batch <= 3")
    compact(tables, PERFORMANCE)
    assert tables.fragments(PERFORMANCE) == 1
    (rows,) = tables.scan(PERFORMANCE, ["seq", "target"], in_order=True)
    assert rows.column(0).to_pylist() == list(range(40, 300))
    assert len(rows.column(1).dictionary) == 260


def test_a_fragment_that_lost_many_of_its_rows_is_written_anew(tmp_path: Path) -> None:
    tables = Tables(str(tmp_path / "store"))
    tables.append(PERFORMANCE, some_rows(1, 10_000, batch=1))
    tables.delete(PERFORMANCE, "seq <= 2000")
    compact(tables, PERFORMANCE)
    assert [f.num_deletions for f in tables.dataset(PERFORMANCE).get_fragments()] == [2_000]
    tables.delete(PERFORMANCE, "seq <= 3000")
    compact(tables, PERFORMANCE)
    assert [f.num_deletions for f in tables.dataset(PERFORMANCE).get_fragments()] == [0]
    assert tables.count(PERFORMANCE) == 7_000


def test_the_oldest_row_is_found_wherever_it_stands(tmp_path: Path) -> None:
    tables = Tables(str(tmp_path / "store"))
    for first in (500, 100, 300):
        tables.append(PERFORMANCE, some_rows(first, 10, batch=1))
        compact(tables, PERFORMANCE)
        assert tables.oldest_us(PERFORMANCE) == NOW_US + min(first, 500 if first == 500 else 100)


@pytest.mark.requirement("003:agg:unique-upsert")
def test_rows_that_no_reader_tells_apart_become_one_for_each_bucket_and_group(
    store: Store,
) -> None:
    clock = ManualClock()
    keeper = Keeper(store, clock)
    for number in range(5):
        recorded_into(store, 60, seed=number)
        keeper.tick()
    clock.pass_ms(3_700_000)
    recorded_into(store, 60, seed=9)
    keeper.tick()
    clock.pass_ms(LAG_US / 1000)
    recorded_into(store, 60, seed=10)
    keeper.tick()
    before = {level: store.tables.count(level.table) for level in LEVELS}
    keeper.compact()
    assert_levels_are_raw(store)
    snapshot = Snapshot(store)
    for level in LEVELS:
        groups = len(summed(of_level(snapshot, level), level.bucket_us))
        assert groups <= store.tables.count(level.table) < before[level]
        rows = store.tables.count(level.table, "batch <= 6")
        merged = list(store.tables.scan(level.table, ["batch"], batch_max=6))
        assert rows == sum(batch.num_rows for batch in merged) <= groups
    assert verify(store).findings == []


def test_nothing_is_merged_that_a_reader_of_ten_minutes_ago_tells_apart(store: Store) -> None:
    clock = ManualClock()
    keeper = Keeper(store, clock)
    recorded_into(store, 10)
    keeper.tick()
    assert store.folds is not None
    assert [mergeable(store.folds, LEVELS, level, clock.us) for level in LEVELS] == [0] * 4
    clock.pass_ms(LAG_US / 1000)
    assert [mergeable(store.folds, LEVELS, level, clock.us) for level in LEVELS] == [1] * 4
    assert mergeable(store.folds, LEVELS[:1], MINUTES, clock.us) == 0


def test_a_look_that_is_older_than_a_merge_is_told_to_ask_again(store: Store) -> None:
    keeper = Keeper(store, ManualClock())
    recorded_into(store, 20)
    keeper.tick()
    oldest = Snapshot(Store(store.uri))  # everything that it needs is folded
    recorded_into(store, 20, seed=2)
    keeper.tick()
    old = Snapshot(Store(store.uri))
    keeper.fold(at_once=True)
    assert store.folds is not None
    consolidate(store.tables, store.folds, MINUTES, 2)
    with pytest.raises(StoreError, match="rollups have changed since this look at it; ask again"):
        list(old.rollups(QUARTERS, "usage", ["count"], None, None))
    (rows,) = oldest.rollups(QUARTERS, "performance", ["count"], None, None)
    assert sum(rows.column(0).to_pylist()) == 4
    assert_levels_are_raw(store)


@pytest.mark.requirement("time:rollup:one-commit")
def test_a_reader_sees_every_bucket_once_while_rows_are_folded_and_merged(store: Store) -> None:
    clock = ManualClock()
    keeper = Keeper(store, clock)
    counts, problems, stop = [], [], threading.Event()
    recorded_into(store, 50)
    keeper.tick()

    def read() -> None:
        try:
            mine = Store(store.uri)
            while not stop.is_set():
                snapshot = Snapshot(mine)
                for level in LEVELS:
                    rows = snapshot.rollups(level, "performance", ["count"], None, None)
                    found = sum(sum(batch.column(0).to_pylist()) for batch in rows)
                    assert found == snapshot.done * 10, (level.name, found, snapshot.done)
                    counts.append(found)
        except BaseException as error:  # noqa: BLE001 - told to the test
            problems.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(30):
            recorded_into(store, 50, seed=number)
            clock.pass_ms(700_000)
            keeper.tick()
            assert keeper.last_error is None
            if number % 3 == 2:
                keeper.compact()
    finally:
        stop.set()
        reader.join()
    assert problems == []
    assert len(set(counts)) > 3
    assert_levels_are_raw(store)
