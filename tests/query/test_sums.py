"""Sums are exact."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.query.sums import Counts, IntegerSums

INTEGERS = st.integers(-(2**63), 2**63 - 1)
ITEMS = st.lists(st.tuples(st.integers(0, 4), INTEGERS, st.booleans()), max_size=30)


@given(st.lists(ITEMS, max_size=4), st.sampled_from([5, 9]))
def test_integers_of_any_size_add_up(batches: list[list[tuple[int, int, bool]]], more: int) -> None:
    sums = IntegerSums()
    totals, known = [0] * more, [0] * more
    for batch in batches:
        mask = np.array([known for *_, known in batch], np.bool_)
        values = np.array([value * known for _, value, known in batch], np.int64)
        codes = np.array([code for code, *_ in batch], np.int64)
        sums.add(codes, values, 5, mask)
        for code, value, is_known in batch:
            totals[code] += value * is_known
            known[code] += is_known
    places = np.arange(more)
    assert sums.regrouped(places, more) == totals
    assert sums.known.regrouped(places, more) == known
    assert sums.regrouped(np.zeros(more, np.int64), 1) == [sum(totals)]
    assert sums.regrouped(np.where(places < 2, 0, -1), 1) == [totals[0] + totals[1]]


def test_one_group_adds_up_too() -> None:
    sums = IntegerSums()
    for _ in range(3):
        sums.add(np.zeros(2, np.int64), np.array([2**62, 2**62]), 1)
    assert sums.regrouped(np.zeros(1, np.int64), 1) == [6 * 2**62]


def test_counts_weigh_rows() -> None:
    counts = Counts()
    counts.add(np.array([0, 2, 2]), 3)
    counts.add(np.array([1, 3]), 4, np.array([10, 20]))
    assert counts.values.tolist() == [1, 10, 2, 20]
