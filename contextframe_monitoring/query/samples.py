"""The samples of a custom metric by group: count, sum, mean, extremes, and the last one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contextframe_monitoring.query.distribution import Distribution
from contextframe_monitoring.query.source import Floats, Integers, Rows

_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class SampleSpread:
    """The samples of one group; all but count and sum are NaN where there is none."""

    count: int
    sum: float
    mean: float
    min: float
    max: float
    last: float


class Samples:
    """Collects samples; those that are not finite numbers are left out."""

    def __init__(self) -> None:
        """Begin without samples."""
        self._values = Distribution(0)
        self._latest: Integers = np.zeros(0, np.int64)
        self._last: Floats = np.zeros(0)

    def add(self, rows: Rows, codes: Integers, groups: int) -> None:
        """Add rows that belong to the groups `codes`."""
        values, times = rows.floats("value"), rows.times_us()
        known = np.isfinite(values)
        codes, values, times = codes[known], values[known], times[known]
        self._values.add(codes, values, groups)
        more = groups - len(self._last)
        self._last = np.append(self._last, np.full(more, np.nan))
        self._latest = np.append(self._latest, np.full(more, _NEVER))
        np.maximum.at(self._latest, codes, times)
        newest = np.flatnonzero(times == self._latest[codes])
        self._last[codes[newest]] = values[newest]

    def spreads(self, groups: int) -> list[SampleSpread]:
        """Return what is known of each group."""
        spread = self._values.spread(groups)
        last = np.append(self._last, np.full(max(groups - len(self._last), 0), np.nan))
        columns = (spread.counts, spread.sums, spread.means, spread.minima, spread.maxima, last)
        rows = zip(*(column[:groups].tolist() for column in columns), strict=True)
        return [SampleSpread(*row) for row in rows]
