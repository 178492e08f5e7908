"""Sums are exact, so their parts may come in any order and in any batches."""

from __future__ import annotations

import copy
import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.export.metrics.sums import ExactSum, WholeSum

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
WHOLES = st.integers(-(2**63), 2**63 - 1)


def in_parts(values: list[tuple[int, float]], cut: int) -> list[list[tuple[int, float]]]:
    return [values[:cut], values[cut:]]


@given(st.lists(st.tuples(st.integers(0, 5), FLOATS), max_size=30), st.integers(0, 30))
def test_a_sum_of_floats_is_the_true_sum_rounded_once(
    values: list[tuple[int, float]], cut: int
) -> None:
    sums = ExactSum()
    for part in in_parts(values, cut):
        sums.add(np.array([at for at, _ in part], np.int64), np.array([v for _, v in part], float))
    for at in range(7):
        true = sum((Fraction(value) for place, value in values if place == at), Fraction(0))
        try:
            expected = true.numerator / true.denominator
        except OverflowError:
            expected = math.inf if true > 0 else -math.inf
        assert sums.total(at) == expected


@given(st.lists(st.tuples(st.integers(0, 5), WHOLES), max_size=30), st.integers(0, 30))
def test_a_sum_of_whole_numbers_does_not_overflow(values: list[tuple[int, int]], cut: int) -> None:
    sums = WholeSum()
    for part in in_parts(values, cut):
        columns = ([at for at, _ in part], [v for _, v in part])
        sums.add(*(np.array(column, np.int64) for column in columns))
    for at in range(7):
        assert sums.total(at) == sum(value for place, value in values if place == at)


def test_a_copy_goes_on_on_its_own() -> None:
    for sums in (WholeSum(), ExactSum()):
        one = np.zeros(1, np.int64)
        sums.add(one, np.ones(1, np.int64) if isinstance(sums, WholeSum) else np.ones(1))
        other = copy.deepcopy(sums)
        other.add(one, np.ones(1, np.int64) if isinstance(other, WholeSum) else np.ones(1))
        assert (sums.total(0), other.total(0)) == (1, 2)
