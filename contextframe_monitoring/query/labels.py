"""Labels and their codes: strings become small integers once per batch, not once per row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contextframe_monitoring.core.queries import OTHER_LABEL
from contextframe_monitoring.query.source import Integers, Small

LABELS_MAX = 50_000


class Labels:
    """Numbers the distinct labels of a column in the order in which they turn up.

    Beyond `labels_max` every new label gets the code of `(other)`, and `overflowed` says so.
    """

    def __init__(self, labels_max: int = LABELS_MAX) -> None:
        """Begin without labels."""
        self.names: list[str | None] = []
        self.overflowed = False
        self._codes: dict[str | None, int] = {}
        self._labels_max = labels_max
        self._dictionary: pa.Array | None = None
        self._table: Integers = np.zeros(0, np.int64)

    def __len__(self) -> int:
        """Return the number of codes given so far."""
        return len(self.names)

    def code(self, label: str | None) -> int:
        """Return the code of a label, a new one when it was not seen before."""
        found = self._codes.get(label)
        if found is not None:
            return found
        if len(self.names) >= self._labels_max and label != OTHER_LABEL:
            self.overflowed = True
            return self.code(OTHER_LABEL)
        self._codes[label] = len(self.names)
        self.names.append(label)
        return len(self.names) - 1

    def known(self, label: str | None) -> int | None:
        """Return the code of a label, None when it was not seen yet."""
        return self._codes.get(label)

    def learn(self, array: pa.DictionaryArray) -> None:
        """Number the labels of a column's dictionary."""
        dictionary = array.dictionary
        if self._dictionary is None or not dictionary.equals(self._dictionary):
            codes = [self.code(label) for label in dictionary.to_pylist()]
            self._table = np.array([*codes, -1], np.int64)
            self._dictionary = dictionary

    def codes(self, array: pa.DictionaryArray) -> Integers:
        """Return the code of each row's label; null is a label too."""
        indices = self._places(array)
        codes: Integers = self._table.take(indices)
        return codes

    def values(self, array: pa.DictionaryArray, value_of: Callable[[str | None], int]) -> Small:
        """Return what `value_of` says of each row's label: asked once per label, 0 to 255."""
        indices = self._places(array)
        known = np.array([value_of(name) for name in self.names], np.uint8)
        values: Small = known[self._table].take(indices)
        return values

    def _places(self, array: pa.DictionaryArray) -> NDArray[Any]:
        """Return each row's place in the table of codes, the last one for null."""
        self.learn(array)
        indices = array.indices
        if indices.null_count:
            self._table[-1] = self.code(None)
            indices = pc.fill_null(indices, len(self._table) - 1)
        places: NDArray[Any] = indices.to_numpy(zero_copy_only=False)
        return places
