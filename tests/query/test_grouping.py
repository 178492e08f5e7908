"""Groups are the distinct combinations of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.errors import LimitedError
from contextframe_monitoring.query import grouping
from contextframe_monitoring.query.grouping import Grouping, Pairing
from contextframe_monitoring.query.keys import ColumnKey
from contextframe_monitoring.query.source import Rows

LABELS = st.one_of(st.none(), st.sampled_from("abcdefgh"))


def rows_of(**columns: list[Any]) -> Rows:
    arrays = [pa.array(values, pa.string()).dictionary_encode() for values in columns.values()]
    return Rows(pa.RecordBatch.from_arrays(arrays, names=list(columns)))


@given(
    st.lists(st.lists(st.tuples(LABELS, LABELS, LABELS), max_size=20), max_size=4),
    st.integers(0, 3),
)
def test_rows_share_a_group_when_they_share_all_labels(
    batches: list[list[tuple[Any, Any, Any]]], keys: int
) -> None:
    names = ("x", "y", "z")[:keys]
    groups = Grouping([ColumnKey(name) for name in names])
    found: list[tuple[int, tuple[Any, ...]]] = []
    for batch in batches:
        columns = {name: [row[i] for row in batch] for i, name in enumerate(("x", "y", "z"))}
        codes = groups.codes(rows_of(**columns)).tolist()
        found += [(code, row[:keys]) for code, row in zip(codes, batch, strict=True)]
    labels = groups.labels()
    assert len(labels) == len(groups)
    assert all(labels[code] == row for code, row in found)
    if keys:
        assert len(set(labels)) == len(labels)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3_000)), max_size=20),
        max_size=5,
    )
)
def test_pairs_keep_their_number_when_the_table_grows_into_a_list(
    batches: list[list[tuple[int, int]]],
) -> None:
    pairing = Pairing()
    numbers: dict[tuple[int, int], int] = {}
    for batch in batches:
        firsts = np.array([a for a, _ in batch], np.int64)
        seconds = np.array([b for _, b in batch], np.int64)
        for pair, code in zip(batch, pairing.codes(firsts, seconds).tolist(), strict=True):
            assert numbers.setdefault(pair, code) == code
    assert len(pairing) == len(numbers) == len(set(numbers.values()))
    for (first, second), code in numbers.items():
        assert (pairing.firsts[code], pairing.seconds[code]) == (first, second)


def test_too_many_groups_are_refused() -> None:
    pairing = Pairing(groups_max=5)
    places = np.arange(6)
    with pytest.raises(LimitedError, match="number of groups = 6 is above its limit of 5: group"):
        pairing.codes(places, places)


def test_a_large_table_of_pairs_becomes_a_list() -> None:
    pairing = Pairing()
    far = np.array([0, 3_000, 3_000, 0])
    assert pairing.codes(far, far).tolist() == [0, 1, 1, 0]
    assert far.max() ** 2 > grouping._CELLS_MAX
    assert pairing.codes(np.array([3_000, 5]), np.array([3_000, 0])).tolist() == [1, 2]
