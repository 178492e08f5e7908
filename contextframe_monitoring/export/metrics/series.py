"""Label sets, bounded: the first ones get a series of their own, later ones share `other`.

What once has a series keeps it as long as the process lives, so that no counter loses anything to
`other`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from contextframe_monitoring.core.privacy import bounded_text
from contextframe_monitoring.query.source import Integers, Mask

OTHER = "other"
LABEL_CHARS_MAX = 128
_NONE, _OTHER = 0, 1


class Shared:
    """What a copy of totals has in common with its original: names, never counts."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return itself."""
        return self


class Vocabulary(Shared):
    """The values of one label: code 0 is no value, code 1 is `other`."""

    def __init__(self, values_max: int) -> None:
        """At most `values_max` values get a code of their own."""
        self.values = ["", OTHER]
        self._codes = {"": _NONE, OTHER: _OTHER}
        self._size_max = values_max + 2

    def code(self, value: str) -> int:
        """Return the code of a value; new ones get one while there is room."""
        found = self._codes.get(value)
        if found is None:
            shown = _shown(value)
            found = self._codes.get(shown)
            if found is None:
                if len(self.values) >= self._size_max:
                    return _OTHER
                found = self._codes[shown] = len(self.values)
                self.values.append(shown)
        return found

    def codes(self, column: pa.Array, where: Mask | None = None) -> Integers:
        """Return the code of every row of a label column, 0 where it is null or not `where`.

        Only values that some row really has get a code.
        """
        at, used, words = places(column, where)
        table = np.zeros(used[-1] + 1 if len(used) else 1, np.int64)
        table[used] = [self.code(word) for word in words]
        return table[at]


def matches(column: pa.Array, fits: Callable[[str], bool]) -> Mask:
    """Return for every row of a label column whether its value fits; null never does."""
    at, used, words = places(column)
    table = np.zeros(used[-1] + 1 if len(used) else 1, np.bool_)
    table[used] = [fits(word) for word in words]
    return table[at]


def places(column: pa.Array, where: Mask | None = None) -> tuple[Integers, Integers, list[str]]:
    """Return the place of every row's value (0: none), the places in use, and the values there."""
    labels = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    indices = labels.indices if not labels.null_count else labels.indices.fill_null(-1)
    at = indices.to_numpy(zero_copy_only=False).astype(np.int64) + 1
    if where is not None:
        at = np.where(where, at, 0)
    used = np.flatnonzero(np.bincount(at, minlength=1))
    used = used[used > 0]
    words = labels.dictionary.take(pa.array(used - 1)).to_pylist()
    return at, used, ["" if word is None else word for word in words]


def _shown(value: str) -> str:
    """Return a label's value bounded and printable: it may come from anywhere."""
    text = bounded_text(value, LABEL_CHARS_MAX)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


@dataclass(frozen=True, slots=True)
class Label(Shared):
    """One label of a family. A `closed` one has few values by nature and is never folded."""

    name: str
    vocabulary: Vocabulary
    closed: bool = False


class Series(Shared):
    """The label sets of one family. Beyond `series_max`, open labels that have a value become
    `other`; what is left out stays told apart by the closed ones.
    """

    def __init__(self, labels: Sequence[Label], series_max: int) -> None:
        """At most `series_max` label sets get a series of their own."""
        self.labels = tuple(labels)
        self._ids: dict[tuple[int, ...], int] = {}
        self._series_max = series_max
        self.label_sets: list[dict[str, str]] = []

    def ids(self, codes: Sequence[Integers]) -> Integers:
        """Return the series of every row from the codes of its labels, in their order."""
        group, first = grouped(codes, [len(label.vocabulary.values) for label in self.labels])
        keys = np.stack([column[first] for column in codes], axis=1).tolist()
        table = np.zeros(len(keys), np.int64)
        for number in np.argsort(first).tolist():  # who comes first, is served first
            table[number] = self._id(tuple(keys[number]))
        return table[group]

    def id_of(self, label_set: Mapping[str, str]) -> int:
        """Return the series of a label set; of its labels those count that this family has."""
        return self._id(
            tuple(label.vocabulary.code(label_set.get(label.name, "")) for label in self.labels)
        )

    def _id(self, key: tuple[int, ...]) -> int:
        found = self._ids.get(key)
        if found is not None:
            return found
        if len(self._ids) >= self._series_max:
            folded = tuple(
                code if label.closed or code == _NONE else _OTHER
                for code, label in zip(key, self.labels, strict=True)
            )
            if folded != key:
                return self._id(folded)
        self._ids[key] = len(self.label_sets)
        values = [
            label.vocabulary.values[code] for code, label in zip(key, self.labels, strict=True)
        ]
        self.label_sets.append(
            {label.name: v for label, v in zip(self.labels, values, strict=True) if v}
        )
        return self._ids[key]


def grouped(columns: Sequence[Integers], sizes: Sequence[int]) -> tuple[Integers, Integers]:
    """Return the group of every row with equal codes, and the first row of every group.

    `sizes` are bounds of the codes.
    """
    rows = len(columns[0])
    key, span = np.zeros(rows, np.int64), 1
    for codes, size in zip(columns, sizes, strict=True):
        if span * size >= 1 << 62:
            key = np.unique(key, return_inverse=True)[1]
            span = rows
        key, span = key * size + codes, span * size
    if span > 16 * rows + 4096:
        _, first, group = np.unique(key, return_index=True, return_inverse=True)
        return group, first
    table: NDArray[Any] = np.full(span, -1, np.int64)
    table[key[::-1]] = np.arange(rows - 1, -1, -1)  # the last one written is the first row
    present = np.flatnonzero(table >= 0)
    first = table[present]
    table[present] = np.arange(len(present))
    return table[key], first
