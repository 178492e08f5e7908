"""Bounded cardinality: many names cost a bounded number of groups, and no fact is lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.grouping import Grouping
from contextframe_monitoring.core.records import OperationRecord, Origin, Record, UsageRecord
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.query.health import status_report
from contextframe_monitoring.store.cardinality import Bound
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.rollup import rollup_rows
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.writer import Spool
from contextframe_monitoring.store.store import Store
from tests.clocks import NOW_US, ManualClock
from tests.store.filled import store_in
from tests.store.summed import of_level, summed
from tests.store.test_rollup import tables_of

MINUTE_US = 60_000_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path)


def operation(target: str, minute: int = 0, **fields: object) -> OperationRecord:
    return OperationRecord(
        time_us=NOW_US + minute * MINUTE_US,
        operation_type=str(fields.pop("operation_type", "tools/call")),
        status="success",
        duration_ms=1.0,
        target=target,
        **fields,  # type: ignore[arg-type]
    )


def named(records: list[Record], bound: Bound, *keys: str) -> dict[tuple[str | None, ...], int]:
    found = rollup_rows(tables_of(records), 1, (), bound).to_pylist()
    counts = {tuple(row[key] for key in keys): row["count"] for row in found}
    assert sum(counts.values()) == len(records)
    return counts


def test_the_groups_that_count_least_become_other() -> None:
    records: list[Record] = [
        operation(name) for name in "aaaabbbccd" + "efg"
    ]  # a four times, b three times ...
    bound = Bound(groups_max=3)
    assert named(records, bound, "target", "operation_type") == {
        ("a", "tools/call"): 4,
        ("b", "tools/call"): 3,
        ("c", "tools/call"): 2,
        ("other", "tools/call"): 4,
    }
    assert bound.others == 4


def test_every_key_but_the_fixed_ones_becomes_other_where_targets_are_not_enough() -> None:
    records: list[Record] = [operation("t", operation_type=f"type-{n}") for n in range(9)]
    bound = Bound(groups_max=2)
    found = named(records, bound, "target", "operation_type", "status")
    assert found["other", "other", "success"] == 5
    assert len(found) == 5
    assert bound.others == 7


def test_each_bucket_and_each_subject_has_its_own_bound() -> None:
    records: list[Record] = [operation(f"t-{n}", minute) for n in range(3) for minute in range(2)]
    records += [
        UsageRecord(time_us=NOW_US, metric_type="query", resource_id="r", operation=f"o-{n}")
        for n in range(3)
    ]
    bound = Bound(groups_max=3)
    assert rollup_rows(tables_of(records), 1, (), bound).num_rows == 9
    assert bound.others == 0


@pytest.mark.requirement("time:rollup:other")
def test_the_bound_holds_on_every_level_and_status_counts_what_is_other(store: Store) -> None:
    grouping = Grouping(groups_max=5)
    keeper = Keeper(store, ManualClock(), grouping=grouping)
    recorder = Recorder(Spool(store.spool_root))
    for minute in range(3):
        for number in range(7):
            assert recorder.record(operation(f"t-{minute}-{number}", minute))
    keeper.tick()
    assert keeper.last_error is None
    snapshot = Snapshot(store)
    for level in LEVELS:
        groups = summed(of_level(snapshot, level), level.bucket_us)
        buckets = [key[0] for key in groups]
        assert all(buckets.count(at) <= 6 for at in buckets), level.name  # five and `other`
        assert sum(sums["count"] for sums in groups.values()) == 21
    others = status_report(store, MonitoringConfig(), NOW_US).rollup_others
    assert others["1m"] == 6
    assert others["15m"] > 6
    assert verify(store).findings == []


@pytest.mark.requirement("time:rollup:attributes")
def test_chosen_attributes_are_kept_apart_in_their_order(store: Store) -> None:
    grouping = Grouping(attributes=("region", "plan"))
    keeper = Keeper(store, ManualClock(), grouping=grouping)
    recorder = Recorder(Spool(store.spool_root))
    for attributes in (
        ("plan=pro", "region=eu", "noise=1"),
        ("region=eu", "plan=pro"),
        ("region=us",),
        ("noise=2",),
        (),
    ):
        assert recorder.record(operation("t", origin=Origin(agent_id="a"), attributes=attributes))
    keeper.tick()
    keeper.compact()
    for level in LEVELS:
        found = summed(of_level(Snapshot(store), level), level.bucket_us)
        assert {key[-1]: sums["count"] for key, sums in found.items()} == {
            "region=eu\nplan=pro": 2, "region=us": 1, None: 2,
        }  # fmt: skip


@pytest.mark.parametrize("names", [["a", "b", "c", "d", "e"], [""], ["a\nb"]])
def test_at_most_four_names_of_attributes_are_allowed(names: list[str]) -> None:
    with pytest.raises(InvalidError, match="rollup_attributes"):
        MonitoringConfig(rollup_attributes=names)
