"""Rows of equal labels as groups: labels encoded once, groups numbered in the order of time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contextframe_monitoring.store.schemas import LABEL

_Ints = NDArray[np.int64]


def grouped(bucket: _Ints, labels: list[pa.DictionaryArray]) -> tuple[_Ints, _Ints]:
    """Return the group of each row, and the first row of each group; groups rise with time."""
    _, code = np.unique(bucket, return_inverse=True)
    for label in labels:
        values = len(label.dictionary) + 1
        if values == 1 or (values == 2 and not label.null_count):
            continue
        index = label.indices.fill_null(len(label.dictionary)).to_numpy(zero_copy_only=False)
        _, code = np.unique(code.astype(np.int64) * values + index, return_inverse=True)
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    return group, first


def encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return texts or labels as labels of one dictionary with each value in it once: dictionaries
    that Lance joins hold some twice.
    """
    if column.null_count == len(column):
        return pa.nulls(len(column), pa.string()).dictionary_encode().cast(LABEL)
    text = pc.cast(column, pa.string()).combine_chunks()
    whole = pa.concat_arrays(text.chunks) if isinstance(text, pa.ChunkedArray) else text
    return whole.dictionary_encode().cast(LABEL)
