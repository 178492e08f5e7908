"""Laws of the exponential histogram."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.histogram import (
    BUCKET_MAX,
    BUCKET_MIN,
    EMPTY,
    QUANTILE_ERROR,
    RECORD,
    Packed,
    Table,
    added,
    bucket_of,
    build,
    merge,
    middle_of,
    quantiles,
    regrouped,
    repack,
)

VALUES = st.floats(1e-9, 1e12)
ITEMS = st.lists(st.tuples(st.integers(0, 5), VALUES), max_size=60)
GROUPS = 6


def arrays(items: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    keys = np.array([key for key, _ in items], np.int64)
    return keys, np.array([value for _, value in items], np.float64)


def packed(items: list[tuple[int, float]]) -> tuple[np.ndarray, Packed]:
    built = build(*arrays(items))
    return built.owners, built.packed


def same(one: Table, other: Table) -> bool:
    left, right = repack(one), repack(other)
    return left.data == right.data and left.offsets.tolist() == right.offsets.tolist()


def test_upper_bounds_belong_to_the_bucket() -> None:
    assert bucket_of(np.array([1.0, 2.0, 2.0001, 0.5])).tolist() == [-1, 31, 32, -33]


def test_what_lies_outside_is_counted_in_the_outermost_buckets() -> None:
    assert bucket_of(np.array([1e-300, 1e300])).tolist() == [BUCKET_MIN, BUCKET_MAX]


def test_the_layout_is_pairs_of_int16_and_uint32() -> None:
    built = build(np.array([7, 7, 9]), np.array([2.0, 2.0, 1.0]))
    assert built.owners.tolist() == [7, 9]
    assert built.packed.offsets.tolist() == [0, 6, 12]
    assert built.packed.data == b"\x1f\x00\x02\x00\x00\x00" + b"\xff\xff\x01\x00\x00\x00"


def test_zeros_are_counted_apart_and_what_is_no_number_is_left_out() -> None:
    values = np.array([0.0, -1.0, 5.0, np.nan, np.inf])
    built = build(np.array([1, 2, 2, 3, 3]), values)
    assert (built.owners.tolist(), built.zeros.tolist()) == ([1, 2], [1, 1])
    assert np.diff(built.packed.offsets).tolist() == [0, 6]


def test_nothing_builds_nothing() -> None:
    built = build(np.zeros(0, np.int64), np.zeros(0))
    assert (len(built.owners), built.packed.offsets.tolist(), built.packed.data) == (0, [0], b"")
    assert merge(built.packed, built.owners, 3).counts.sum() == 0


def test_keys_may_be_large_and_far_apart() -> None:
    built = build(np.array([2**50, 3, 2**50]), np.array([1.0, 1.0, 8.0]))
    assert built.owners.tolist() == [3, 2**50]
    assert np.diff(built.packed.offsets).tolist() == [6, 12]


@given(ITEMS)
def test_packing_keeps_every_count(items: list[tuple[int, float]]) -> None:
    owners, histograms = packed(items)
    table = merge(histograms, owners, GROUPS)
    for group in range(GROUPS):
        mine = [value for key, value in items if key == group]
        assert table.counts[group].sum() == len(mine)
        buckets = np.flatnonzero(table.counts[group]) + table.low
        assert buckets.tolist() == sorted(set(bucket_of(np.array(mine)).tolist()))


@given(ITEMS, st.lists(st.integers(0, 59), max_size=3))
def test_any_split_in_any_order_merges_to_the_same(
    items: list[tuple[int, float]], cuts: list[int]
) -> None:
    owners, whole = packed(items)
    table = EMPTY
    edges = [0, *sorted(cuts), len(items)]
    parts = [items[a:b] for a, b in pairwise(edges)]
    for part in reversed(parts):
        part_owners, histograms = packed(part)
        table = merge(histograms, part_owners, GROUPS, table)
    assert same(table, merge(whole, owners, GROUPS))


@given(ITEMS)
def test_a_rollup_of_rollups_is_the_rollup_of_the_rows(items: list[tuple[int, float]]) -> None:
    owners, fine = packed(items)
    once = merge(fine, owners, GROUPS)
    again = merge(repack(once), np.arange(GROUPS) // 2, GROUPS // 2)
    assert same(again, merge(fine, owners // 2, GROUPS // 2))


@given(ITEMS)
def test_adding_values_is_adding_their_histograms(items: list[tuple[int, float]]) -> None:
    keys, values = arrays(items)
    owners, histograms = packed(items)
    assert same(added(EMPTY, keys, values, GROUPS), merge(histograms, owners, GROUPS))


@given(ITEMS, st.integers(1, 5))
def test_a_weight_is_that_many_values(items: list[tuple[int, float]], weight: int) -> None:
    keys, values = arrays(items)
    weighted = added(EMPTY, keys, values, GROUPS, np.full(len(keys), weight))
    repeated = added(EMPTY, np.repeat(keys, weight), np.repeat(values, weight), GROUPS)
    assert same(weighted, repeated)


def test_a_slice_of_a_column_is_merged_by_its_offsets() -> None:
    owners, histograms = packed([(0, 1.0), (1, 2.0), (1, 9.0), (2, 4.0)])
    tail = Packed(histograms.offsets[1:], histograms.data)
    table = merge(tail, owners[1:], GROUPS)
    assert table.counts.sum(axis=1).tolist() == [0, 2, 1, 0, 0, 0]


def test_a_count_above_the_records_range_takes_several_records() -> None:
    table = Table(0, np.array([[3, 2**32 + 5]]))
    histograms = repack(table)
    assert np.frombuffer(histograms.data, RECORD)["count"].tolist() == [3, 2**32 - 1, 6]
    assert merge(histograms, np.array([0]), 1).counts.tolist() == [[3, 2**32 + 5]]


@given(
    st.lists(VALUES, min_size=1, max_size=80),
    st.integers(0, 10),
    st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]),
)
def test_a_quantile_is_within_its_error_of_numpys(
    values: list[float], zeros: int, share: float
) -> None:
    table = added(EMPTY, np.zeros(len(values), np.int64), np.array(values), 1)
    found = quantiles(table, np.array([zeros]), (share,))[0, 0]
    exact = np.quantile([0.0] * zeros + values, share)
    assert found == pytest.approx(exact, rel=QUANTILE_ERROR * 1.0001, abs=1e-12)


def test_an_empty_group_has_no_quantile() -> None:
    table = added(EMPTY, np.array([1]), np.array([3.0]), 2)
    found = quantiles(table, np.zeros(2, np.int64), (0.5,))
    assert np.isnan(found[0, 0])
    assert found[1, 0] == middle_of(bucket_of(np.array([3.0])))[0]


@pytest.mark.parametrize("groups", [3, 4_000])
def test_many_histograms_merge_to_the_sum_of_their_cells(groups: int) -> None:
    rng = np.random.default_rng(1)
    keys, values = rng.integers(0, 5_000, 400_000), rng.lognormal(3, 2, 400_000)
    built = build(keys, values)
    owners = rng.integers(0, groups, len(built.owners))
    table = merge(built.packed, owners, groups)
    expected = np.zeros_like(table.counts)
    sizes = np.diff(built.packed.offsets) // RECORD.itemsize
    cells = np.frombuffer(built.packed.data, RECORD)
    assert len(cells) > 1 << 17  # more than are counted at once
    columns = cells["bucket"].astype(np.int64) - table.low
    np.add.at(expected, (np.repeat(owners, sizes), columns), cells["count"])
    assert np.array_equal(table.counts, expected)
    again = regrouped(built.packed, owners, groups)
    assert again.offsets.tolist() == repack(table).offsets.tolist()
    assert again.data == repack(table).data
