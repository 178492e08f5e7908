"""Folding: every level says what the raw rows say, whatever breaks in between."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import lance
import pyarrow as pa
import pytest

from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.levels import LEVELS, Level, wanted
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.clocks import DAY_US, NOW_US, ManualClock
from tests.store.filled import recorded_into, store_in
from tests.store.summed import assert_levels_are_raw, of_level, of_raw, summed
from tests.store.test_drain import Killed, Stop

STEPS = [
    f"fold:{step}:{level.table}" for level in LEVELS[1:] for step in ("append", "sync", "done")
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path)


def marks(store: Store) -> dict[str, int]:
    folds = store.folds
    return {} if folds is None else folds.watermarks()


@pytest.mark.requirement("001:arch:aggregation")
@pytest.mark.requirement("time:rollup:levels", "004:dash:rollups", "004:test:rollups")
def test_every_level_adds_up_to_the_raw_rows_folded_or_not(store: Store) -> None:
    clock = ManualClock()
    keeper = Keeper(store, clock)
    for number, pause_ms in enumerate((61_000, 1_000, 61_000, 1_000_000, 3_700_000, 1_000)):
        recorded_into(store, 40, seed=number)
        keeper.tick()
        assert keeper.last_error is None
        assert_levels_are_raw(store)
        clock.pass_ms(pause_ms)
    assert marks(store) == {"15m": 6, "1h": 6, "1d": 6}
    assert_levels_are_raw(store)


def test_a_level_is_folded_when_it_is_due_and_not_before(store: Store) -> None:
    clock = ManualClock()
    keeper = Keeper(store, clock)
    found = []
    for pause_ms in (0, 59_000, 1_000, 841_000, 2_700_000):
        clock.pass_ms(pause_ms)
        recorded_into(store, 5)
        keeper.tick()
        found.append(marks(store))
    assert found == [
        {"15m": 1, "1h": 1, "1d": 1},
        {"15m": 1, "1h": 1, "1d": 1},
        {"15m": 3, "1h": 1, "1d": 1},
        {"15m": 4, "1h": 4, "1d": 1},
        {"15m": 5, "1h": 5, "1d": 5},
    ]


@pytest.mark.parametrize("nth", range(len(STEPS)))
def test_a_fold_that_dies_at_any_step_is_finished_by_the_next_keeper(
    store: Store, nth: int
) -> None:
    recorded_into(store, 60)
    first = Keeper(store, ManualClock())
    first.take()
    first.drain()
    first.release()
    reached: list[str] = []
    stop = Stop(nth, Killed)

    def checkpoint(step: str) -> None:
        if step.startswith("fold:"):
            reached.append(step)
            stop(step)

    second = Keeper(store, ManualClock(), checkpoint)
    second.take()
    with pytest.raises(Killed):
        second.fold()
    second.release()
    assert reached == STEPS[: nth + 1]
    assert_levels_are_raw(store)
    recorded_into(store, 20, seed=2)
    third = Keeper(store, ManualClock())
    third.tick()
    assert third.last_error is None
    assert marks(store) == {"15m": 2, "1h": 2, "1d": 2}
    assert_levels_are_raw(store)


@pytest.mark.requirement("time:rollup:backfill")
def test_a_store_from_before_the_levels_gets_them_from_the_minutes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contextframe_monitoring.store.folding.ROWS_PER_MERGE", 25)
    for number in range(3):
        recorded_into(store, 80, seed=number)
        keeper = Keeper(store, ManualClock(NOW_US), levels=LEVELS[:1])
        keeper.tick()
        keeper.release()
    assert marks(store) == {}
    Keeper(store, ManualClock()).tick()
    assert marks(store) == {"15m": 3, "1h": 3, "1d": 3}
    assert_levels_are_raw(store)


def test_a_lost_state_is_found_again_in_the_tables(store: Store) -> None:
    recorded_into(store, 60)
    first = Keeper(store, ManualClock())
    first.tick()
    first.release()
    for file in store.state_folder.glob("state.db*"):
        file.unlink()
    recorded_into(store, 30, seed=2)
    Keeper(Store(store.uri), ManualClock()).tick()
    assert marks(Store(store.uri)) == {"15m": 2, "1h": 2, "1d": 2}
    assert_levels_are_raw(Store(store.uri))


@pytest.mark.requirement("004:cfg:intervals")
@pytest.mark.requirement("time:rollup:intervals", "002:config:intervals")
def test_intervals_say_which_levels_are_kept() -> None:
    def names(*intervals: str) -> list[str]:
        return [level.name for level in wanted(intervals)]

    assert names() == ["1m"]
    assert names("1m", "5m", "1h", "1d") == ["1m", "15m", "1h", "1d"]
    assert names("1d") == ["1m", "1d"]
    assert names("15m") == ["1m", "15m"]


def test_a_level_that_is_no_longer_wanted_goes_and_comes_back_whole(store: Store) -> None:
    few = wanted(["1h"])

    def kept(levels: tuple[Level, ...], seed: int) -> list[int]:
        recorded_into(store, 50, seed=seed)
        keeper = Keeper(store, ManualClock(), levels=levels)
        keeper.tick()
        assert keeper.last_error is None
        keeper.release()
        assert_levels_are_raw(store)
        return [store.tables.count(level.table) > 0 for level in LEVELS]

    assert kept(LEVELS, 1) == [True, True, True, True]
    assert kept(few, 2) == [True, False, True, False]
    assert marks(store) == {"1h": 2}
    assert kept(LEVELS, 3) == [True, True, True, True]
    assert marks(store) == {"15m": 3, "1h": 3, "1d": 3}


def test_a_window_of_whole_buckets_holds_what_lies_in_it(store: Store) -> None:
    recorded_into(store, 500)
    Keeper(store, ManualClock()).tick()
    snapshot = Snapshot(store)
    for level in LEVELS:
        everything = summed(of_level(snapshot, level), level.bucket_us)
        start = min(key[0] for key in everything)
        inside = snapshot.rollups(level, "usage", ["count"], start, start + level.bucket_us)
        expected = sum(
            sums["count"]
            for key, sums in everything.items()
            if (key[0], key[1]) == (start, "usage")
        )
        assert sum(sum(batch.column(0).to_pylist()) for batch in inside) == expected > 0
        assert snapshot.rollup_floor_us(level) == start


def test_a_level_that_is_not_kept_reaches_nowhere(store: Store) -> None:
    assert [Snapshot(store).rollup_floor_us(level) for level in LEVELS] == [None] * 4
    recorded_into(store, 10)
    Keeper(store, ManualClock(NOW_US + DAY_US), levels=LEVELS[:2]).tick()
    floors = [Snapshot(store).rollup_floor_us(level) for level in LEVELS]
    assert [floor is None for floor in floors] == [False, False, True, True]


@pytest.mark.requirement("time:rollup:backfill", "time:verify:levels")
def test_minutes_that_are_missing_are_made_from_raw_rows(store: Store) -> None:
    recorded_into(store, 60)
    first = Keeper(store, ManualClock())
    first.tick()
    first.release()
    shutil.rmtree(store.tables.uri("rollup_1m"))
    shutil.rmtree(store.tables.uri("rollup_1h"))
    store = Store(store.uri)
    problems = [finding.problem for finding in verify(store).findings]
    assert [problem.split(" count ")[0] for problem in problems] == [
        "rollups of level 1m", "rollups of level 1h",
    ]  # fmt: skip
    recorded_into(store, 20, seed=2)
    second = Keeper(store, ManualClock())
    second.tick()
    assert second.last_error is None
    assert_levels_are_raw(store)
    assert verify(store).findings == []


@pytest.mark.requirement("time:verify:levels", "time:verify:rebuild")
def test_rollups_that_somebody_changed_are_found_and_made_anew(store: Store) -> None:
    recorded_into(store, 60)
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    store.tables.delete("rollup_1d", "subject = 'cost'")
    store.tables.append("rollup_15m", next(iter(of_raw_table(store))))
    findings = verify(store).findings
    assert [finding.problem.split(" count ")[0] for finding in findings] == [
        "rollups of level 15m", "rollups of level 1d",
    ]  # fmt: skip
    keeper.maintain(rebuild=True)
    assert verify(store).findings == []
    assert_levels_are_raw(store)


def of_raw_table(store: Store) -> Iterator[pa.Table]:
    for batch in of_raw(store):
        yield pa.Table.from_batches([batch])


def test_a_table_of_an_older_version_gets_the_columns_that_it_lacks(store: Store) -> None:
    recorded_into(store, 60)
    first = Keeper(store, ManualClock())
    first.tick()
    first.release()
    for name in ("rollup_1m", "performance_metrics"):
        lance.dataset(store.tables.uri(name)).drop_columns(["target"])
    store = Store(store.uri)
    recorded_into(store, 30, seed=2)
    second = Keeper(store, ManualClock())
    second.tick()
    assert second.last_error is None
    found = {
        label
        for batch in store.tables.scan("performance_metrics", ["target"])
        for label in batch.column(0).to_pylist()
    }
    assert found == {None, "tool-4", "tool-9", "tool-3", "tool-8", "tool-2", "tool-7"}
    second.compact()
    assert verify(store).findings == []
