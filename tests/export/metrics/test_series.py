"""Label sets are bounded, and what has a series keeps it."""

from __future__ import annotations

import copy

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.export.metrics.series import (
    LABEL_CHARS_MAX,
    OTHER,
    Label,
    Series,
    Vocabulary,
    grouped,
    matches,
)


def words(vocabulary: Vocabulary, column: pa.Array) -> list[str]:
    return [vocabulary.values[code] for code in vocabulary.codes(column)]


def test_values_beyond_the_bound_are_other_and_known_ones_stay() -> None:
    vocabulary = Vocabulary(2)
    assert words(vocabulary, pa.array(["a", "b", "c", None, "a", ""])) == [
        "a", "b", OTHER, "", "a", "",
    ]  # fmt: skip
    assert words(vocabulary, pa.array(["c", "b"])) == [OTHER, "b"]


def test_values_that_no_row_has_get_no_code() -> None:
    vocabulary = Vocabulary(1)
    dictionary = pa.array(["unused", "used", "used"])
    column = pa.DictionaryArray.from_arrays(pa.array([1, 2, None], pa.int32()), dictionary)
    assert words(vocabulary, column) == ["used", "used", ""]
    assert words(vocabulary, column.filter(pa.array([False] * 3))) == []
    where = np.array([False, True, True])
    assert vocabulary.codes(column, where).tolist() == [0, 2, 0]
    assert matches(column, "used".__eq__).tolist() == [True, True, False]


@given(st.lists(st.text(), min_size=1, max_size=20))
def test_any_value_becomes_a_bounded_printable_label(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    for word in words(Vocabulary(100), pa.array(texts)):
        assert len(word) <= LABEL_CHARS_MAX
        assert word.isprintable()


def test_texts_that_look_alike_when_cut_are_one_value() -> None:
    vocabulary = Vocabulary(10)
    long = "x" * 10_000
    codes = vocabulary.codes(pa.array([long + "1", long + "2", "a\0", "a\1"]))
    assert codes.tolist() == [2, 2, 3, 3]


def ids(series: Series, *rows: tuple[str, str]) -> list[dict[str, str]]:
    columns = [pa.array([row[at] for row in rows]) for at in range(2)]
    codes = [label.vocabulary.codes(c) for label, c in zip(series.labels, columns, strict=True)]
    return [series.label_sets[i] for i in series.ids(codes)]


def test_label_sets_beyond_the_bound_share_other_but_keep_what_is_closed() -> None:
    labels = [Label("tool", Vocabulary(100)), Label("status", Vocabulary(100), closed=True)]
    series = Series(labels, 1)
    assert ids(series, ("a", "ok"), ("b", "ok"), ("b", "bad"), ("", "ok"), ("a", "ok")) == [
        {"tool": "a", "status": "ok"},
        {"tool": OTHER, "status": "ok"},
        {"tool": OTHER, "status": "bad"},
        {"status": "ok"},
        {"tool": "a", "status": "ok"},
    ]


def test_ten_thousand_values_stay_within_the_bound() -> None:
    series = Series([Label("tool", Vocabulary(50)), Label("x", Vocabulary(50))], 100)
    for start in range(0, 10_000, 1000):
        ids(series, *((f"tool{n}", f"x{n % 7}") for n in range(start, start + 1000)))
    assert len(series.label_sets) <= 101
    assert len({tuple(labels.items()) for labels in series.label_sets}) == len(series.label_sets)


@given(
    st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=1, max_size=50),
    st.sampled_from([4, 1 << 40]),
)
def test_rows_are_grouped_by_equal_codes(rows: list[tuple[int, ...]], size: int) -> None:
    columns = [np.array(column, np.int64) for column in zip(*rows, strict=True)]
    group, first = grouped(columns, [size] * 4)
    assert [rows[first[number]] for number in group] == rows
    assert len(first) == len(set(rows))


def test_copies_share_their_series() -> None:
    series = Series([Label("tool", Vocabulary(1))], 1)
    assert copy.deepcopy([series])[0] is series
