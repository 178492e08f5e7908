"""Groups of rows by several keys: the distinct combinations of labels, numbered as they turn up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contextframe_monitoring.core.errors import LimitedError
from contextframe_monitoring.query.keys import Key
from contextframe_monitoring.query.source import Integers, Rows

GROUPS_MAX = 500_000
_CELLS_MAX = 1 << 22
"""Size of the table of pairs; above it pairs are searched for in a sorted list."""


class Pairing:
    """Numbers the distinct pairs of two codes."""

    def __init__(self, groups_max: int = GROUPS_MAX) -> None:
        """Begin without pairs. More than `groups_max` of them are a `LimitedError`."""
        self.firsts: Integers = np.zeros(0, np.int64)
        self.seconds: Integers = np.zeros(0, np.int64)
        self._groups_max = groups_max
        self._shape = (1, 1)
        self._table: Integers = np.full(1, -1, np.int64)
        self._sorted: tuple[Integers, Integers] | None = None

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.firsts)

    def codes(self, first: Integers, second: Integers) -> Integers:
        """Return the number of each pair."""
        if not len(first):
            return np.zeros(0, np.int64)
        self._make_room(int(first.max()) + 1, int(second.max()) + 1)
        cells = first * self._shape[1] + second
        codes = self._look_up(cells)
        unknown = codes < 0
        if unknown.any():
            self._add(distinct(cells[unknown]))
            codes = self._look_up(cells)
        return codes

    def _look_up(self, cells: Integers) -> Integers:
        if self._sorted is None:
            return self._table.take(cells)
        keys, numbers = self._sorted
        if not len(keys):
            return np.full(len(cells), -1, np.int64)
        places = np.minimum(np.searchsorted(keys, cells), len(keys) - 1)
        return np.where(keys[places] == cells, numbers[places], -1)

    def _add(self, cells: Integers) -> None:
        if len(self) + len(cells) > self._groups_max:
            raise LimitedError(
                "number of groups",
                len(self) + len(cells),
                self._groups_max,
                "group by fewer keys, filter, or ask for a shorter window",
            )
        if self._sorted is None:
            self._table[cells] = np.arange(len(self), len(self) + len(cells))
        self.firsts = np.append(self.firsts, cells // self._shape[1])
        self.seconds = np.append(self.seconds, cells % self._shape[1])
        if self._sorted is not None:
            self._index()

    def _make_room(self, firsts: int, seconds: int) -> None:
        rows, columns = self._shape
        if firsts <= rows and seconds <= columns:
            return
        self._shape = (_room(max(firsts, rows)), _room(max(seconds, columns)))
        self._index()

    def _index(self) -> None:
        cells = self.firsts * self._shape[1] + self.seconds
        numbers = np.arange(len(cells))
        if self._shape[0] * self._shape[1] > _CELLS_MAX:
            order = np.argsort(cells)
            self._sorted = cells[order], numbers[order]
            return
        if len(self._table) != self._shape[0] * self._shape[1]:
            self._table = np.empty(self._shape[0] * self._shape[1], np.int64)
        self._table.fill(-1)
        self._table[cells] = numbers


class Grouping:
    """The combinations of the labels of some keys; without keys there is one group of all."""

    def __init__(self, keys: Sequence[Key], groups_max: int = GROUPS_MAX) -> None:
        """Group by these keys."""
        self.keys = tuple(keys)
        self.columns = tuple(dict.fromkeys(c for key in self.keys for c in key.columns))
        self._pairings = [Pairing(groups_max) for _ in self.keys[1:]]

    def codes(self, rows: Rows) -> Integers:
        """Return the group of each row."""
        if not self.keys:
            return np.zeros(len(rows), np.int64)
        codes = self.keys[0].codes(rows)
        for key, pairing in zip(self.keys[1:], self._pairings, strict=True):
            codes = pairing.codes(codes, key.codes(rows))
        return codes

    def __len__(self) -> int:
        """Return the number of groups seen so far."""
        if not self.keys:
            return 1
        return len(self._pairings[-1]) if self._pairings else len(self.keys[0].names())

    def parts(self, index: int) -> Integers:
        """Return, for each group, the code that key number `index` has in it."""
        codes = np.arange(len(self))
        for place in range(len(self.keys) - 1, 0, -1):
            pairing = self._pairings[place - 1]
            if place == index:
                return pairing.seconds[codes]
            codes = pairing.firsts[codes]
        return codes

    def labels(self) -> list[tuple[str | None, ...]]:
        """Return the labels of all groups."""
        names = [key.names() for key in self.keys]
        parts = [self.parts(place).tolist() for place in range(len(self.keys))]
        if not parts:
            return [()]
        return [
            tuple(name[code] for name, code in zip(names, codes, strict=True))
            for codes in zip(*parts, strict=True)
        ]


def distinct(values: Integers) -> Integers:
    """Return the distinct values, rising; sorting is faster than hashing them."""
    ordered = np.sort(values)
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def _room(size: int) -> int:
    return 1 << (size - 1).bit_length()
