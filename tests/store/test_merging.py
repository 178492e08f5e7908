"""Merging rollup rows: the sum of the parts is the whole, in any order and grouping."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.records import OperationRecord, Record
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.merging import merged
from contextframe_monitoring.store.rollup import rollup_rows
from contextframe_monitoring.store.schemas import ROLLUP_SCHEMA
from tests.clocks import DAY_US, NOW_US
from tests.store.summed import summed
from tests.store.test_rollup import LAW, RECORDS, tables_of

HOUR_US, DAY_LEVEL_US = LEVELS[2].bucket_us, LEVELS[3].bucket_us
CUTS = st.lists(st.integers(0, 25), max_size=3)


@pytest.mark.requirement("time:rollup:laws")
@LAW
@given(RECORDS, CUTS)
def test_merging_parts_and_merging_the_merged_give_what_merging_the_whole_gives(
    records: list[Record], cuts: list[int]
) -> None:
    ends = sorted({0, len(records), *(cut for cut in cuts if cut < len(records))})
    parts = [
        rollup_rows(tables_of(records[start:end]), 1) for start, end in itertools.pairwise(ends)
    ]
    whole = rollup_rows(tables_of(records), 1).to_batches()
    at_once = merged(whole, HOUR_US, 9)
    at_once.validate(full=True)
    assert at_once.schema.equals(ROLLUP_SCHEMA)
    assert set(at_once["batch"].to_pylist()) == {9}
    twice = merged(
        [batch for part in parts for batch in merged(part.to_batches(), HOUR_US, 5).to_batches()],
        HOUR_US,
        9,
    )
    expected = summed(whole, HOUR_US)
    assert summed(at_once.to_batches(), 1) == summed(twice.to_batches(), 1) == expected
    assert at_once.num_rows == twice.num_rows == len(expected)


def test_merged_rows_are_ordered_by_time_and_each_label_stands_once() -> None:
    records: list[Record] = [
        OperationRecord(
            time_us=NOW_US + (5 - number) * DAY_US, operation_type=f"t-{number % 2}",
            status="success", duration_ms=1.0,
        )
        for number in range(6)
    ]  # fmt: skip
    found = merged(rollup_rows(tables_of(records), 1).to_batches(), DAY_LEVEL_US, 1)
    assert found["bucket"].to_pylist() == sorted(found["bucket"].to_pylist())
    labels = found["operation_type"].chunk(0).dictionary.to_pylist()
    assert sorted(labels) == ["t-0", "t-1"]


def test_nothing_merges_to_nothing() -> None:
    assert merged([], HOUR_US, 1).equals(ROLLUP_SCHEMA.empty_table())


def test_counts_beyond_a_cell_of_the_histogram_are_kept() -> None:
    (row,) = rollup_rows(
        tables_of(
            [OperationRecord(time_us=NOW_US, operation_type="x", status="error", duration_ms=1.0)]
        ),
        1,
    ).to_batches()
    full = row.set_column(
        row.schema.get_field_index("histogram"),
        row.schema.field("histogram"),
        pa.array([b"\xff\xff" + b"\xff\xff\xff\xff"], pa.binary()),
    )
    (sums,) = summed(merged([full, full, full], HOUR_US, 1).to_batches(), 1).values()
    assert sums["histogram"] == {-1: 3 * (2**32 - 1)}
