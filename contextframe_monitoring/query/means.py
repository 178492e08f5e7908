"""Sums and means of the numbers that are known, by group."""

from __future__ import annotations

import numpy as np

from contextframe_monitoring.query.source import Floats, Integers
from contextframe_monitoring.query.sums import grown


class Means:
    """Adds up finite numbers; the others don't count."""

    def __init__(self) -> None:
        """Begin with nothing added."""
        self._counts: Integers = np.zeros(0, np.int64)
        self._sums: Floats = np.zeros(0)

    def add(self, codes: Integers, values: Floats, groups: int) -> None:
        """Add values to their groups."""
        known = np.isfinite(values)
        if not known.all():
            codes, values = codes[known], values[known]
        self._make_room(groups)
        self._counts += np.bincount(codes, minlength=len(self._counts))
        self._sums += np.bincount(codes, values, minlength=len(self._sums))

    def add_sums(self, codes: Integers, sums: Floats, counts: Integers, groups: int) -> None:
        """Add sums, and how many numbers each of them is of."""
        some = counts > 0
        codes = codes[some]
        self._make_room(groups)
        np.add.at(self._counts, codes, counts[some])
        self._sums += np.bincount(codes, sums[some], minlength=len(self._sums))

    def _make_room(self, groups: int) -> None:
        self._counts = grown(self._counts, groups)
        self._sums = np.append(self._sums, np.zeros(len(self._counts) - len(self._sums)))

    def sum(self, group: int) -> float | None:
        """Return the sum of a group, None when it has no number."""
        return float(self._sums[group]) if self._has(group) else None

    def mean(self, group: int) -> float | None:
        """Return the mean of a group, None when it has no number."""
        return float(self._sums[group] / self._counts[group]) if self._has(group) else None

    def _has(self, group: int) -> bool:
        return group < len(self._counts) and bool(self._counts[group])
