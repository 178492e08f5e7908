"""Percentiles: numpy's on raw values, within 1.09 % from histograms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.histogram import QUANTILE_ERROR
from contextframe_monitoring.query.distribution import SHARES, Distribution, Spread

GROUPS = 4
ITEMS = st.lists(st.tuples(st.integers(0, GROUPS - 1), st.floats(-1e9, 1e9)), max_size=40)
POSITIVE = st.lists(st.tuples(st.integers(0, GROUPS - 1), st.floats(0, 1e9)), max_size=40)


def spread_of(
    batches: list[list[tuple[int, float]]], exact_rows_max: int, weight: int | None = None
) -> tuple[Spread, Spread]:
    found = Distribution(exact_rows_max)
    for batch in batches:
        codes = np.array([code for code, _ in batch], np.int64)
        values = np.array([value for _, value in batch], np.float64)
        weights = None if weight is None else np.full(len(batch), weight)
        found.add(codes, values, GROUPS, weights)
    return found.spread(GROUPS), found.total()


@given(st.lists(ITEMS, max_size=3))
def test_on_raw_values_percentiles_are_numpys(batches: list[list[tuple[int, float]]]) -> None:
    spread, total = spread_of(batches, 1_000)
    assert spread.exact
    for group in range(GROUPS):
        values = [value for batch in batches for code, value in batch if code == group]
        assert spread.counts[group] == len(values)
        if not values:
            assert np.isnan(spread.quantiles[group]).all()
            continue
        assert spread.quantiles[group].tolist() == np.quantile(values, SHARES).tolist()
        assert (spread.minima[group], spread.maxima[group]) == (min(values), max(values))
        assert spread.means[group] == pytest.approx(np.mean(values), abs=1e-6)
    everything = [value for batch in batches for _, value in batch]
    if everything:
        assert total.quantiles[0].tolist() == np.quantile(everything, SHARES).tolist()


@given(st.lists(POSITIVE, min_size=1, max_size=3), st.sampled_from([None, 3]))
def test_from_histograms_percentiles_are_close(
    batches: list[list[tuple[int, float]]], weight: int | None
) -> None:
    spread, total = spread_of(batches, 0 if weight is None else 1_000, weight)
    for group in [*range(GROUPS), None]:
        values = [value for batch in batches for code, value in batch if group in {code, None}] * (
            weight or 1
        )
        of, place = (total, 0) if group is None else (spread, group)
        assert of.counts[place] == len(values)
        if not values:
            assert np.isnan(of.quantiles[place]).all()
            continue
        exact = np.quantile(values, SHARES)
        # below 2**-32 values share a bucket; between it and another both errors add up
        allowed = exact * QUANTILE_ERROR * 1.001 + 2**-32 * (1 + QUANTILE_ERROR)
        assert (np.abs(of.quantiles[place] - exact) <= allowed).all()
        assert (np.diff(of.quantiles[place]) >= 0).all()
        assert (of.minima[place], of.maxima[place]) == (min(values), max(values))
        assert of.means[place] == pytest.approx(np.mean(values))


def test_crossing_the_bound_changes_only_how_exact_it_is() -> None:
    batches = [[(0, float(i)) for i in range(1, 60)], [(1, float(i)) for i in range(1, 60)]]
    exact, _ = spread_of(batches, 118)
    close, _ = spread_of(batches, 117)
    assert (exact.exact, close.exact) == (True, False)
    assert close.quantiles[:2] == pytest.approx(exact.quantiles[:2], rel=QUANTILE_ERROR * 1.001)
    assert close.counts.tolist() == exact.counts.tolist() == [59, 59, 0, 0]


def test_the_spread_of_negative_values_is_not_made_up() -> None:
    spread, _ = spread_of([[(0, -5.0), (0, -3.0), (0, 4.0)]], 0)
    p50, *_, p99 = spread.quantiles[0]
    assert np.isnan(p50)
    assert p99 == pytest.approx(4.0, rel=0.05)
    assert (spread.minima[0], spread.maxima[0], spread.sums[0]) == (-5.0, 4.0, -4.0)


def test_many_groups_are_ordered_without_the_narrow_codes() -> None:
    groups = 70_000
    found = Distribution(1_000_000)
    found.add(np.arange(groups) // 2 * 2, np.arange(groups, dtype=float), groups)
    spread = found.spread(groups)
    assert spread.counts[:4].tolist() == [2, 0, 2, 0]
    assert spread.maxima[69_998] == 69_999.0
