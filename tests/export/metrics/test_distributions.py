"""Fine buckets: exact counts in any order and grouping, and back from what is saved."""

from __future__ import annotations

import copy

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.histogram import bucket_of
from contextframe_monitoring.export.metrics.distributions import Distributions
from contextframe_monitoring.export.metrics.saved import SavedSeries

VALUES = st.one_of(st.just(0.0), st.floats(1e-9, 1e9), st.sampled_from([1.0, 2.0, -3.0, 5e-324]))
SAMPLES = st.lists(st.tuples(st.integers(0, 5), VALUES, st.integers(1, 9)), max_size=30)


def plain(found: Distributions) -> list[tuple[int, list[tuple[int, int]], float, float]]:
    series = [found.of(at) for at in range(6)]
    return [(one.zeros, one.buckets, one.low, one.high) for one in series]


def add(found: Distributions, samples: list[tuple[int, float, int]]) -> None:
    columns = list(zip(*samples, strict=True)) or [(), (), ()]
    found.add(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.float64),
        np.array(columns[2], np.int64),
    )


@given(st.lists(SAMPLES, max_size=4))
def test_batches_add_up_to_what_the_values_say(batches: list[list[tuple[int, float, int]]]) -> None:
    found = Distributions()
    for batch in batches:
        before = copy.deepcopy(found)
        kept = plain(before)
        add(found, batch)
        assert plain(before) == kept  # a copy stays what it was
    every = [sample for batch in batches for sample in batch]
    for at in range(6):
        mine = [(value, times) for series, value, times in every if series == at]
        expected: dict[int, int] = {}
        for value, times in mine:
            if value > 0:
                [bucket] = bucket_of(np.array([value])).tolist()
                expected[bucket] = expected.get(bucket, 0) + times
        one = found.of(at)
        assert one.zeros == sum(times for value, times in mine if value <= 0)
        assert one.buckets == sorted(expected.items())
        assert one.low == min((value for value, _ in mine), default=np.inf)
        assert one.high == max((value for value, _ in mine), default=-np.inf)


@given(SAMPLES, SAMPLES)
def test_what_is_saved_comes_back(
    first: list[tuple[int, float, int]], second: list[tuple[int, float, int]]
) -> None:
    whole, saved = Distributions(), Distributions()
    add(saved, first)
    add(whole, [*first, *second])
    series = []
    for at in range(6):
        one = saved.of(at)
        known = one.low <= one.high
        fine = list(one.counts.items())
        low, high = (one.low, one.high) if known else (None, None)
        series.append((at, SavedSeries(labels={}, fine=fine, low=low, high=high)))
    again = Distributions()
    again.add_saved(series)
    add(again, second)
    assert plain(again) == plain(whole)
