"""How values are distributed, finely: base-2 exponential histograms of many series, kept sparse.

The buckets are those of `core.histogram` (scale 5, <= 1.1 % error), which OTLP takes as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from contextframe_monitoring.core.histogram import BUCKET_MAX, BUCKET_MIN, bucket_of
from contextframe_monitoring.export.metrics.saved import SavedSeries
from contextframe_monitoring.query.source import Floats, Integers

_WIDTH = BUCKET_MAX - BUCKET_MIN + 2
"""The first cell of a series counts what is not above 0."""


class Distributions:
    """Counts per series and fine bucket, and the smallest and largest value of each series."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._cells: Integers = np.zeros(0, np.int64)
        self._counts: Integers = np.zeros(0, np.int64)
        self._low: Floats = np.zeros(0, np.float64)
        self._high: Floats = np.zeros(0, np.float64)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy that has the arrays in common: none is changed, each is replaced."""
        copied = type(self)()
        copied.__dict__.update(self.__dict__)
        return copied

    def add(self, at: Integers, values: Floats, times: Integers | None = None) -> None:
        """Add each finite value, or `times` of it, to the series at its index."""
        if not len(at):
            return
        columns = np.zeros(len(at), np.int64)
        above = values > 0
        columns[above] = bucket_of(values[above]) - BUCKET_MIN + 1
        self._count(at * _WIDTH + columns, np.ones(len(at), np.int64) if times is None else times)
        self._bound(at, values, values)

    def add_saved(self, saved: Sequence[tuple[int, SavedSeries]]) -> None:
        """Add what was saved of series, each at its index."""
        known = [(at, one) for at, one in saved if one.low is not None and one.high is not None]
        if not known:
            return
        at = np.array([at for at, one in known for _ in one.fine], np.int64)
        pairs = np.array([pair for _, one in known for pair in one.fine], np.int64).reshape(-1, 2)
        self._count(at * _WIDTH + np.clip(pairs[:, 0], 0, _WIDTH - 1), pairs[:, 1])
        low = np.array([one.low for _, one in known], np.float64)
        high = np.array([one.high for _, one in known], np.float64)
        self._bound(np.array([at for at, _ in known], np.int64), low, high)

    def _count(self, cells: Integers, counts: Integers) -> None:
        """Add counts to cells, few of them to many as a rule."""
        fresh, place = np.unique(cells, return_inverse=True)
        more = np.zeros(len(fresh), np.int64)
        np.add.at(more, place, counts)
        at = np.searchsorted(self._cells, fresh)
        known = at < len(self._cells)
        known[known] = self._cells[at[known]] == fresh[known]
        total = self._counts.copy()
        total[at[known]] += more[known]
        self._cells = np.insert(self._cells, at[~known], fresh[~known])
        self._counts = np.insert(total, at[~known], more[~known])

    def _bound(self, at: Integers, low: Floats, high: Floats) -> None:
        size = max(int(at.max()) + 1, len(self._low))
        lows, highs = np.full(size, np.inf), np.full(size, -np.inf)
        lows[: len(self._low)], highs[: len(self._high)] = self._low, self._high
        np.minimum.at(lows, at, low)
        np.maximum.at(highs, at, high)
        self._low, self._high = lows, highs

    def of(self, at: int) -> Distribution:
        """Return the distribution of one series as it stands now."""
        first, last = np.searchsorted(self._cells, (at * _WIDTH, (at + 1) * _WIDTH)).tolist()
        there = at < len(self._low)
        return Distribution(
            columns=self._cells[first:last] - at * _WIDTH,
            times=self._counts[first:last],
            low=float(self._low[at]) if there else np.inf,
            high=float(self._high[at]) if there else -np.inf,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distribution:
    """How the values of one series are distributed; `low` is above `high` when there are none."""

    columns: Integers
    times: Integers
    low: float
    high: float

    @property
    def zeros(self) -> int:
        """How many values are not above 0."""
        return int(self.times[0]) if len(self.columns) and self.columns[0] == 0 else 0

    @property
    def buckets(self) -> list[tuple[int, int]]:
        """The fine buckets that hold something, rising, each with its count."""
        above = self.columns > 0
        rising = (self.columns[above] + (BUCKET_MIN - 1)).tolist()
        return list(zip(rising, self.times[above].tolist(), strict=True))

    @property
    def counts(self) -> dict[int, int]:
        """Everything as it is saved: cells, 0 for what is not above 0, and their counts."""
        return dict(zip(self.columns.tolist(), self.times.tolist(), strict=True))
