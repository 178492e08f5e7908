"""Power loss: a torn newest version is rolled back, and the ledger has the rest written again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.repair import TORN
from contextframe_monitoring.store.schemas import TABLES
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.clocks import ManualClock
from tests.store.filled import once, recorded_into, seen_by_a_reader, store_in, stored_in
from tests.store.summed import assert_levels_are_raw
from tests.store.test_drain import Killed

Tear = Callable[[Path], None]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path)


def newest(table: Path) -> Path:
    return min((table / "_versions").glob("*.manifest"))  # numbers count down


def empty_manifest(table: Path) -> None:
    newest(table).write_bytes(b"")


def zeroed_manifest(table: Path) -> None:
    newest(table).write_bytes(bytes(newest(table).stat().st_size))


def cut_data(table: Path) -> None:
    data = max((table / "data").glob("*.lance"), key=lambda path: path.stat().st_mtime_ns)
    data.write_bytes(data.read_bytes()[:100])


def killed_at(store: Store, step: str) -> None:
    def die(reached: str) -> None:
        if reached == step:
            raise Killed

    keeper = Keeper(store, ManualClock(), die)
    with pytest.raises(Killed):
        keeper.tick()
    keeper.release()


@pytest.mark.parametrize("tear", [empty_manifest, zeroed_manifest, cut_data])
@pytest.mark.parametrize(
    ("step", "table"),
    [
        ("append:usage_metrics", "usage_metrics"),
        ("append:rollup_1m", "cost_metrics"),
        ("append:rollup_1m", "rollup_1m"),
        ("fold:append:rollup_1h", "rollup_1h"),
    ],
)
def test_a_version_that_was_torn_before_it_was_synced_is_rolled_back_and_written_again(
    store: Store, step: str, table: str, tear: Tear
) -> None:
    first = recorded_into(store, 40)
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    keeper.release()
    second = recorded_into(store, 30, seed=2)
    killed_at(store, step)
    tear(Path(store.tables.uri(table)))
    store = Store(store.uri)
    recovered = Keeper(store, ManualClock())
    recovered.tick()
    assert recovered.last_error is None
    assert len(list((Path(store.tables.uri(table)) / TORN).iterdir())) == 1
    assert stored_in(store) == seen_by_a_reader(Snapshot(store)) == once(first) + once(second)
    recovered.fold(at_once=True)
    assert_levels_are_raw(store)
    recovered.compact()
    assert verify(store).findings == []


def test_whole_tables_are_left_alone(store: Store) -> None:
    recorded_into(store, 40)
    for _ in range(2):
        keeper = Keeper(store, ManualClock())
        keeper.tick()
        keeper.release()
    assert [(Path(store.tables.uri(name)) / TORN).exists() for name in TABLES] == [False] * len(
        TABLES
    )


def test_a_reader_of_a_torn_table_is_told_and_changes_nothing(store: Store) -> None:
    recorded_into(store, 40)
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    keeper.release()
    recorded_into(store, 40, seed=2)
    keeper.tick()
    keeper.release()
    table = Path(store.tables.uri("usage_metrics"))
    empty_manifest(table)
    with pytest.raises(StoreError, match="table usage_metrics can't be read"):
        seen_by_a_reader(Snapshot(Store(store.uri)))
    assert newest(table).stat().st_size == 0


@pytest.mark.requirement("time:repair:torn")
def test_a_table_that_was_torn_as_it_was_made_is_made_again(store: Store) -> None:
    recorder = recorded_into(store, 40)
    table = Path(store.tables.create("usage_metrics").uri)
    empty_manifest(table)
    keeper = Keeper(Store(store.uri), ManualClock())
    keeper.tick()
    assert keeper.last_error is None
    assert stored_in(Store(store.uri)) == once(recorder)


def test_damage_that_no_version_is_free_of_is_not_rolled_back(store: Store) -> None:
    recorded_into(store, 40)
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    recorded_into(store, 40, seed=2)
    keeper.tick()
    keeper.release()
    table = Path(store.tables.uri("usage_metrics"))
    first = min((table / "data").glob("*.lance"), key=lambda path: path.stat().st_mtime_ns)
    first.write_bytes(first.read_bytes()[:100])
    manifests = sorted((table / "_versions").iterdir())
    Keeper(Store(store.uri), ManualClock()).tick()
    assert sorted((table / "_versions").iterdir()) == manifests
