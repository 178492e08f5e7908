"""Retention: what has expired is counted, and never mistaken for lost."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.core.records import CostRecord, OperationRecord
from contextframe_monitoring.core.retention_settings import RetentionSettings
from contextframe_monitoring.core.trusted_time import JUMP_US_MAX, TrustedTime
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.compaction import LAG_US
from contextframe_monitoring.store.drain import no_checkpoint
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.removals import Removals
from contextframe_monitoring.store.retention import expire
from contextframe_monitoring.store.schemas import TABLES
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.clocks import DAY_US, NOW_US, ManualClock


class Stopped(BaseException):
    """Stands for the death of the keeper."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def recorder(store: Store) -> Recorder:
    return open_recorder(MonitoringConfig(store=store.uri, start_keeper=False))


def record(recorder: Recorder, days_ago: float, count: int) -> None:
    for number in range(count):
        at = round(NOW_US - days_ago * DAY_US) + number
        recorder.record(
            OperationRecord(time_us=at, operation_type="x", status="success", duration_ms=1.0)
        )
        recorder.record(
            CostRecord(
                time_us=at, cost_type="llm", provider="p", amount_nano_usd=3, provenance="computed"
            )
        )


def kept(store: Store) -> tuple[int, int, bool]:
    report = verify(store)
    return report.stored, report.expired, report.complete


@pytest.mark.requirement("002:config:retention")
def test_rows_beyond_the_retention_expire_and_verify_stays_true(
    store: Store, recorder: Recorder
) -> None:
    record(recorder, days_ago=40, count=5)
    record(recorder, days_ago=1, count=2)
    keeper = Keeper(store, ManualClock(), retention_days=30)
    keeper.tick()
    assert kept(store) == (14, 0, True)
    keeper.compact()
    assert kept(store) == (4, 10, True)
    record(recorder, days_ago=50, count=1)  # late facts, older than what is gone already
    keeper.tick()
    keeper.compact()
    assert kept(store) == (4, 12, True)


@pytest.mark.parametrize(
    "step", ["removal:performance_metrics", "removed:performance_metrics", "removed:cost_metrics"]
)
def test_a_keeper_that_dies_while_it_removes_counts_once(
    store: Store, recorder: Recorder, step: str
) -> None:
    def die(at: str) -> None:
        if at == step:
            raise Stopped

    record(recorder, days_ago=40, count=5)
    record(recorder, days_ago=1, count=2)
    first = Keeper(store, ManualClock(), die)
    first.tick()
    with pytest.raises(Stopped):
        first.compact()
    first.release()
    second = Keeper(store, ManualClock())
    second.take()
    second.compact()
    assert kept(store) == (4, 10, True)


@pytest.mark.requirement("003:ok:history", "003:desc:historical", "001:arch:history")
@pytest.mark.requirement("004:cfg:retention-by-type", "time:retention:levels")
def test_each_table_and_each_level_keeps_its_own_days(store: Store, recorder: Recorder) -> None:
    for days_ago in (1, 5, 20, 200, 1_000, 4_000):
        record(recorder, days_ago=days_ago, count=1)
    settings = RetentionSettings(performance_days=3, cost_days=7)
    clock = ManualClock()
    keeper = Keeper(store, clock, retention=settings)
    keeper.tick()
    keeper.compact()
    assert store.tables.count("rollup_1m") == 12  # whoever looked before may need them
    clock.pass_ms(LAG_US / 1000)
    keeper.compact()
    assert [store.tables.count(name) for name in TABLES] == [0, 1, 2, 0, 4, 6, 8, 10]
    assert kept(store) == (3, 9, True)
    snapshot = Snapshot(store)
    floors = [snapshot.rollup_floor_us(level) for level in LEVELS]
    assert floors == [
        (NOW_US - days_ago * DAY_US) // level.bucket_us * level.bucket_us
        for level, days_ago in zip(LEVELS, (5, 20, 200, 1_000), strict=True)
    ]
    record(recorder, days_ago=300, count=1)  # late: the minutes go, the days keep it
    keeper.tick()
    keeper.fold(at_once=True)
    clock.pass_ms(LAG_US / 1000)
    keeper.compact()
    assert [store.tables.count(level.table, "true") > 0 for level in LEVELS] == [True] * 4
    counts = snapshot_counts(store)
    assert counts == [4, 6, 10, 12]


def snapshot_counts(store: Store) -> list[int]:
    snapshot = Snapshot(store)
    return [
        sum(
            sum(rows.column(0).to_pylist())
            for subject in ("performance", "cost")
            for rows in snapshot.rollups(level, subject, ["count"], None, None)
        )
        for level in LEVELS
    ]


def test_rollup_rows_stay_until_every_coarser_level_holds_them(
    store: Store, recorder: Recorder
) -> None:
    record(recorder, days_ago=40, count=5)
    keeper = Keeper(store, ManualClock())
    keeper.take()
    keeper.drain()
    assert store.folds is not None
    wishes = {"rollup_1m": 14}
    assert expire(store.tables, Removals(store.create()), {"rollup_1m": 0}, NOW_US, wishes,
                  no_checkpoint) == 0  # fmt: skip
    assert store.tables.count("rollup_1m") == 2
    assert expire(store.tables, Removals(store.create()), {"rollup_1m": 1}, NOW_US, wishes,
                  no_checkpoint) == 0  # fmt: skip
    assert store.tables.count("rollup_1m") == 0


ARCHIVED = ["removal", "archived", "removed"]


@pytest.mark.requirement("004:dash:retention", "004:log:retention")
@pytest.mark.parametrize("step", [None, *(f"{name}:performance_metrics" for name in ARCHIVED)])
def test_expired_rows_stand_in_the_archive_once_whatever_dies(
    store: Store, recorder: Recorder, tmp_path: Path, step: str | None
) -> None:
    def die(at: str) -> None:
        if at == step:
            raise Stopped

    record(recorder, days_ago=40, count=5)
    record(recorder, days_ago=1, count=2)
    settings = RetentionSettings(archive_path=str(tmp_path / "archive"))
    first = Keeper(store, ManualClock(), die, retention=settings)
    first.tick()
    if step is not None:
        with pytest.raises(Stopped):
            first.compact()
        first.release()
        first = Keeper(store, ManualClock(), retention=settings)
        first.take()
    first.compact()
    assert kept(store) == (4, 10, True)
    files = sorted((tmp_path / "archive").rglob("*"))
    assert [path.name for path in files if path.is_file()] == [
        "cost_metrics_before_2026-10-19_batch_1.parquet",
        "performance_metrics_before_2026-10-19_batch_1.parquet",
    ]
    rows = [pq.read_table(path).num_rows for path in files if path.is_file()]
    assert rows == [5, 5]
    (found,) = {row["operation_type"] for row in pq.read_table(files[-1]).to_pylist()}
    assert found == "x"


@pytest.mark.requirement("time:retention:archive")
def test_rows_stay_while_the_archive_cannot_be_written(
    store: Store, recorder: Recorder, tmp_path: Path
) -> None:
    (tmp_path / "archive").write_text("a file")
    record(recorder, days_ago=40, count=5)
    settings = RetentionSettings(archive_path=str(tmp_path / "archive"))
    keeper = Keeper(store, ManualClock(), retention=settings)
    keeper.tick()
    with pytest.raises(StoreError, match="expired rows of performance_metrics can't be archived"):
        keeper.compact()
    assert kept(store) == (10, 0, True)
    (tmp_path / "archive").unlink()
    keeper.compact()
    assert kept(store) == (0, 10, True)


def test_a_jump_of_the_clock_is_believed_after_a_day() -> None:
    clock = ManualClock()
    trusted = TrustedTime(clock)
    clock.pass_days(20)
    assert trusted.now_us() == clock.us
    clock.us += 365 * DAY_US
    assert trusted.now_us() is None
    clock.pass_days(0.9)
    assert trusted.now_us() is None
    clock.pass_days(0.2)
    assert trusted.now_us() == clock.us


@pytest.mark.parametrize("jump_us", [JUMP_US_MAX - 1, -3_600_000_000])
def test_a_small_step_of_the_clock_is_nothing(jump_us: int) -> None:
    clock = ManualClock()
    trusted = TrustedTime(clock)
    clock.us += jump_us
    assert trusted.now_us() == clock.us


def test_a_jump_that_goes_back_by_itself_is_forgotten() -> None:
    clock = ManualClock()
    trusted = TrustedTime(clock)
    clock.us += 365 * DAY_US
    assert trusted.now_us() is None
    clock.us -= 365 * DAY_US
    assert trusted.now_us() == clock.us


def test_nothing_expires_on_the_word_of_a_clock_that_jumped(
    store: Store, recorder: Recorder
) -> None:
    record(recorder, days_ago=1, count=2)
    clock = ManualClock()
    keeper = Keeper(store, clock)
    keeper.tick()
    clock.us += 365 * DAY_US
    keeper.compact()
    assert kept(store) == (4, 0, True)
