"""Retention: what has expired is counted, and never mistaken for lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import CostRecord, OperationRecord
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.retention import JUMP_US_MAX, TrustedTime
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
