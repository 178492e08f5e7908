"""Sums per group: integers exactly, however large, without a loop over rows."""

from __future__ import annotations

import numpy as np

from contextframe_monitoring.query.source import Integers, Mask

_HALF_BITS = 32
_HALF = (1 << _HALF_BITS) - 1
_SAFE = 1 << 62


def grown(array: Integers, size: int) -> Integers:
    """Return an array of at least `size`, new places 0."""
    return array if len(array) >= size else np.append(array, np.zeros(size - len(array), np.int64))


class Counts:
    """How many rows (or what they stand for) each group has."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self.values: Integers = np.zeros(0, np.int64)

    def add(self, codes: Integers, groups: int, weights: Integers | None = None) -> None:
        """Count rows; `weights` says how many each stands for."""
        self.values = grown(self.values, groups)
        if len(self.values) == 1:
            self.values += len(codes) if weights is None else weights.sum()
        elif weights is None:
            self.values += np.bincount(codes, minlength=len(self.values))
        else:
            np.add.at(self.values, codes, weights)

    def regrouped(self, codes: Integers, groups: int) -> list[int]:
        """Return the counts of coarser groups; `codes` places each group, -1 leaves it out."""
        counts: list[int] = _regrouped(self.values, codes, groups).tolist()
        return counts


class IntegerSums:
    """Sums of integers as two halves of 32 bits, so that no group can overflow.

    `known` counts the values that were not null.
    """

    def __init__(self) -> None:
        """Begin with nothing added."""
        self.known = Counts()
        self._low: Integers = np.zeros(0, np.int64)
        self._high: Integers = np.zeros(0, np.int64)

    def add(
        self, codes: Integers, values: Integers, groups: int, known: Mask | None = None
    ) -> None:
        """Add values that are 0 where `known` is false."""
        self.known.add(codes if known is None else codes[known], groups)
        self._low, self._high = grown(self._low, groups), grown(self._high, groups)
        if not len(values):
            return
        largest = max(abs(int(values.min())), abs(int(values.max())))
        if not largest:
            return
        if largest * len(values) < _SAFE:
            sums = np.zeros(len(self._low), np.int64)
            if len(sums) == 1:
                sums += values.sum()
            else:
                np.add.at(sums, codes, values)
            self._low += sums & _HALF
            self._high += sums >> _HALF_BITS
        else:
            np.add.at(self._low, codes, values & _HALF)
            np.add.at(self._high, codes, values >> _HALF_BITS)

    def regrouped(self, codes: Integers, groups: int) -> list[int]:
        """Return the sums of coarser groups; `codes` places each group, -1 leaves it out."""
        low = _regrouped(self._low, codes, groups).tolist()
        high = _regrouped(self._high, codes, groups).tolist()
        return [(above << _HALF_BITS) + below for below, above in zip(low, high, strict=True)]


def _regrouped(values: Integers, codes: Integers, groups: int) -> Integers:
    wanted = codes >= 0
    found = np.zeros(groups, np.int64)
    np.add.at(found, codes[wanted], grown(values, len(codes))[: len(codes)][wanted])
    return found
