"""Sampled raw rows: fewer of them, the same counts, nothing that looks lost."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import OperationRecord, Origin
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.keeper import keeper_of
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.rows import Stored, rows
from contextframe_monitoring.store.sampling import ALL_ROWS, Sampling, sampled, unsampled
from contextframe_monitoring.store.schemas import PERFORMANCE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.writer import Spool
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US
from tests.store.filled import store_in
from tests.store.summed import of_level, summed
from tests.store.test_rollup import LAW

OPERATIONS = st.lists(
    st.builds(
        OperationRecord,
        time_us=st.integers(NOW_US, NOW_US + 120_000_000),
        operation_type=st.just("tools/call"),
        status=st.sampled_from(["success", "success", "success", "error", "cancelled"]),
        duration_ms=st.sampled_from([1.0, 5.0, 999.0, 1000.0, None]),
        target=st.sampled_from(["a", "b"]),
        origin=st.builds(Origin, agent_id=st.sampled_from(["x", None])),
    ),
    min_size=1,
    max_size=60,
)


def key(row: dict[str, object]) -> tuple[object, ...]:
    minute = round(row["timestamp"].timestamp() * 1e6) // 60_000_000  # type: ignore[attr-defined]
    return minute, row["target"], row["agent_id"]


@LAW
@given(OPERATIONS, st.floats(0.01, 1))
def test_weights_add_up_to_the_rows_that_there_were(
    records: list[OperationRecord], rate: float
) -> None:
    table = rows([Stored("w", seq, r) for seq, r in enumerate(records, 1)], 1)[PERFORMANCE]
    found, dropped = sampled(table, Sampling(rate=rate, slow_ms=1000.0))
    assert found.num_rows + sum(dropped.values()) == table.num_rows
    assert pc.sum(found["weight"]).as_py() == table.num_rows
    assert unsampled(found).num_rows == table.num_rows
    before: dict[tuple[object, ...], int] = {}
    for row in table.to_pylist():
        before[key(row)] = before.get(key(row), 0) + 1
        if row["status"] != "success" or row["duration_ms"] in (1000.0, None):
            assert row in found.to_pylist()
    after: dict[tuple[object, ...], int] = {}
    for row in found.to_pylist():
        after[key(row)] = after.get(key(row), 0) + row["weight"]
    assert after == before


def test_everything_is_stored_by_default() -> None:
    record = OperationRecord(time_us=NOW_US, operation_type="x", status="success", duration_ms=1.0)
    table = rows([Stored("w", 1, record)], 1)[PERFORMANCE]
    assert sampled(table, ALL_ROWS) == (table, {})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path)


@pytest.mark.requirement("003:ok:sampling", "004:cfg:metric-sampling")
@pytest.mark.requirement("time:rollup:sampled")
def test_a_sampled_store_is_complete_and_its_rollups_count_everything(store: Store) -> None:
    keeper = keeper_of(store, MonitoringConfig(sample_rate=0.1))
    recorder = Recorder(Spool(store.spool_root))
    for number in range(1_000):
        assert recorder.record(
            OperationRecord(
                time_us=NOW_US + number,
                operation_type="tools/call",
                status="error" if number % 100 == 50 else "success",
                duration_ms=5_000.0 if number % 100 == 51 else 1.0,
                target=f"t-{number % 5}",
            )
        )
    keeper.tick()
    assert keeper.last_error is None
    stored = store.tables.count(PERFORMANCE)
    assert 110 <= stored <= 130
    assert store.tables.count(PERFORMANCE, "status = 'error'") == 10
    assert store.tables.count(PERFORMANCE, "duration_ms > 1000") == 10
    report = verify(store)
    assert (report.findings, report.stored, report.expired) == ([], stored, 1_000 - stored)
    counts = summed(of_level(Snapshot(store), LEVELS[3]), LEVELS[3].bucket_us)
    assert sum(sums["count"] for sums in counts.values()) == 1_000
    keeper.maintain(rebuild=True)
    assert verify(store).findings == []
