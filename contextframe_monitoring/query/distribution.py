"""How values are spread in each group: exact percentiles while they fit, a histogram above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contextframe_monitoring.core import histogram
from contextframe_monitoring.core.errors import LimitedError
from contextframe_monitoring.query.folded import Folded
from contextframe_monitoring.query.source import Floats, Integers

SHARES = (0.5, 0.9, 0.95, 0.99)
_CELLS_MAX = 1 << 25
"""Bound of a histogram table: 256 MB."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Count, sum, mean, extremes and percentiles of each group; NaN where a group has no value.

    `quantiles` has one row for each group and one column for each of `SHARES`.
    """

    counts: Integers
    sums: Floats
    means: Floats
    minima: Floats
    maxima: Floats
    quantiles: Floats
    exact: bool


class Distribution:
    """Collects values by group.

    Up to `exact_rows_max` unweighted values are kept and give exact percentiles, interpolated as
    `numpy.quantile` does. Beyond, and when values stand for several rows, they are counted in
    histograms, which are at most 1.09 % off.
    """

    def __init__(self, exact_rows_max: int) -> None:
        """Begin without values."""
        self._exact_rows_max = exact_rows_max
        self._parts: list[tuple[Integers, Floats]] = []
        self._kept = 0
        self._counted: _Counted | None = None

    def add(
        self, codes: Integers, values: Floats, groups: int, weights: Integers | None = None
    ) -> None:
        """Add finite values; `weights` says how many each one stands for."""
        fits = weights is None and self._kept + len(values) <= self._exact_rows_max
        if self._counted is None and fits:
            self._parts.append((codes, values))
            self._kept += len(values)
            return
        self._count().add(codes, values, groups, weights)

    def add_folded(self, codes: Integers, rows: Folded, groups: int) -> None:
        """Add what rollup rows measured."""
        if not rows.integers("duration_count").any():
            return
        self._count().add_folded(codes, rows, groups)

    @property
    def exact(self) -> bool:
        """Whether percentiles come from the values themselves."""
        return self._counted is None

    def _count(self) -> _Counted:
        """Go over to histograms."""
        if self._counted is None:
            self._counted = _Counted()
            for codes, values in self._parts:
                self._counted.add(codes, values, int(codes.max(initial=-1)) + 1, None)
            self._parts.clear()
        return self._counted

    def spread(self, groups: int) -> Spread:
        """Return what is known of the first `groups` groups."""
        if self._counted is not None:
            return self._counted.spread(groups)
        codes, values = self._all()
        return _exact_spread(codes, values, groups)

    def total(self) -> Spread:
        """Return the spread of all values together, as one group."""
        if self._counted is not None:
            return self._counted.total()
        _, values = self._all()
        return _exact_spread(np.zeros(len(values), np.int64), values, 1)

    def _all(self) -> tuple[Integers, Floats]:
        if len(self._parts) != 1:
            codes = [part[0] for part in self._parts] or [np.zeros(0, np.int64)]
            values = [part[1] for part in self._parts] or [np.zeros(0)]
            self._parts = [(np.concatenate(codes), np.concatenate(values))]
        return self._parts[0]


class _Counted:
    """Histograms, sums and extremes by group."""

    def __init__(self) -> None:
        self._table = histogram.EMPTY
        self._zeros: Integers = np.zeros(0, np.int64)
        self._sums: Floats = np.zeros(0)
        self._minima: Floats = np.zeros(0)
        self._maxima: Floats = np.zeros(0)

    def add(self, codes: Integers, values: Floats, groups: int, weights: Integers | None) -> None:
        self._make_room(groups)
        whole = values if weights is None else values * weights
        self._sums += np.bincount(codes, weights=whole, minlength=len(self._sums))
        np.minimum.at(self._minima, codes, values)
        np.maximum.at(self._maxima, codes, values)
        if len(values) and values.min() <= 0:
            positive = values > 0
            absent = ~positive
            np.add.at(self._zeros, codes[absent], 1 if weights is None else weights[absent])
            codes, values = codes[positive], values[positive]
            weights = None if weights is None else weights[positive]
        self._table = histogram.added(self._table, codes, values, len(self._sums), weights)
        self._check_size()

    def add_folded(self, codes: Integers, rows: Folded, groups: int) -> None:
        self._make_room(groups)
        low, high = rows.floats("min"), rows.floats("max")
        self._sums += np.bincount(codes, weights=rows.floats("sum"), minlength=len(self._sums))
        np.fmin.at(self._minima, codes, low)
        np.fmax.at(self._maxima, codes, high)
        np.add.at(self._zeros, codes, rows.integers("zeros"))
        self._table = histogram.merge(rows.packed(), codes, len(self._sums), self._table)
        self._check_size()

    def _check_size(self) -> None:
        if self._table.counts.size > _CELLS_MAX:
            raise LimitedError(
                "number of groups",
                len(self._sums),
                _CELLS_MAX // self._table.counts.shape[1],
                "percentiles of so many groups need too much memory: filter, group by fewer keys, "
                "or ask for a shorter window",
            )

    def spread(self, groups: int) -> Spread:
        self._make_room(groups)
        table = self._table.over(self._table.low, self._table.counts.shape[1], len(self._sums))
        return _counted_spread(
            histogram.Table(table.low, table.counts[:groups]),
            self._zeros[:groups],
            self._sums[:groups],
            self._minima[:groups],
            self._maxima[:groups],
        )

    def total(self) -> Spread:
        table = histogram.Table(self._table.low, self._table.counts.sum(axis=0, keepdims=True))
        return _counted_spread(
            table,
            self._zeros.sum(keepdims=True),
            self._sums.sum(keepdims=True),
            self._minima.min(keepdims=True, initial=np.inf),
            self._maxima.max(keepdims=True, initial=-np.inf),
        )

    def _make_room(self, groups: int) -> None:
        more = groups - len(self._sums)
        if more > 0:
            self._zeros = np.append(self._zeros, np.zeros(more, np.int64))
            self._sums = np.append(self._sums, np.zeros(more))
            self._minima = np.append(self._minima, np.full(more, np.inf))
            self._maxima = np.append(self._maxima, np.full(more, -np.inf))


def _counted_spread(
    table: histogram.Table, zeros: Integers, sums: Floats, minima: Floats, maxima: Floats
) -> Spread:
    counts = table.counts.sum(axis=1) + zeros
    none = counts == 0
    low, high = np.where(none, np.nan, minima), np.where(none, np.nan, maxima)
    found = histogram.quantiles(table, zeros, SHARES)
    found = np.clip(found, low[:, None], high[:, None])
    uncertain = low < 0  # the spread of negative values is not known: they are counted as 0
    found[uncertain[:, None] & (found <= 0)] = np.nan
    means = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=~none)
    return Spread(counts, sums, means, low, high, found, exact=False)


def _exact_spread(codes: Integers, values: Floats, groups: int) -> Spread:
    counts = np.bincount(codes, minlength=groups)
    ordered = _ordered_by_group(codes, values, counts)
    some = counts > 0
    starts = (np.cumsum(counts) - counts)[some]
    sizes = counts[some]
    quantiles = np.full((groups, len(SHARES)), np.nan)
    for column, share in enumerate(SHARES):
        quantiles[some, column] = _quantile(ordered, starts, sizes, share)
    sums, minima, maxima, means = (np.full(groups, np.nan) for _ in range(4))
    if len(starts):
        sums[some] = np.add.reduceat(ordered, starts)
        minima[some] = ordered[starts]
        maxima[some] = ordered[starts + sizes - 1]
        means[some] = sums[some] / sizes
    return Spread(counts.astype(np.int64), sums, means, minima, maxima, quantiles, exact=True)


def _ordered_by_group(codes: Integers, values: Floats, counts: Integers) -> Floats:
    """Return the values sorted within each group, groups one after the other."""
    if len(counts) == 1:
        return np.sort(values)
    small = codes.astype(np.uint16) if len(counts) <= 1 << 16 else codes
    ordered = values[np.argsort(small, kind="stable")]
    end = 0
    for size in counts.tolist():
        ordered[end : end + size].sort()
        end += size
    return ordered


def _quantile(ordered: Floats, starts: Integers, sizes: Integers, share: float) -> Floats:
    """Return the quantile of each group as numpy's default method does."""
    rank = share * (sizes - 1)
    below = np.floor(rank).astype(np.int64)
    part = rank - below
    low = ordered[starts + below]
    high = ordered[starts + np.minimum(below + 1, sizes - 1)]
    difference = high - low
    found: Floats = np.where(part >= 0.5, high - difference * (1 - part), low + difference * part)
    return found
