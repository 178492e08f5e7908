"""Keys give each row a code and each code a label."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.buckets import BUCKET_UNITS, BucketUnit, buckets
from contextframe_monitoring.core.queries import OTHER_LABEL
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.keys import AttributeKey, ColumnKey, TimeKey
from contextframe_monitoring.query.labels import Labels
from contextframe_monitoring.query.source import Rows

HOUR_US = 3_600_000_000


def rows_at(times: list[int]) -> Rows:
    column = pa.array(times, pa.timestamp("us", tz="UTC"))
    return Rows(pa.RecordBatch.from_arrays([column], names=["timestamp"]))


@settings(max_examples=150)
@given(
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.sampled_from(BUCKET_UNITS),
    st.integers(HOUR_US * 24 * 20_000, HOUR_US * 24 * 20_400),
    st.data(),
)
def test_a_time_lies_in_the_bucket_that_begins_last_before_it(
    timezone: str, unit: BucketUnit, start: int, data: st.DataObject
) -> None:
    hours = {"minute": 5, "hour": 60, "day": 24 * 40, "week": 24 * 90, "month": 24 * 400}[unit]
    window = Window(start, start + data.draw(st.integers(1, hours * HOUR_US)), timezone)
    cut = buckets(window, unit)
    times = data.draw(st.lists(st.integers(window.start_us, window.end_us - 1), max_size=20))
    codes = TimeKey(cut).codes(rows_at(times)).tolist()
    for time_us, code in zip(times, codes, strict=True):
        ends = [*cut.starts_us[1:], cut.end_us]
        assert cut.starts_us[code] <= time_us < ends[code]


def test_times_outside_go_to_the_nearest_bucket() -> None:
    key = TimeKey(buckets(Window(24 * HOUR_US, 27 * HOUR_US), "hour"))
    assert key.codes(rows_at([0, 99 * HOUR_US, 25 * HOUR_US])).tolist() == [0, 2, 1]
    assert key.mask(rows_at([0, 25 * HOUR_US]), "1970-01-02T01:00+00:00").tolist() == [False, True]
    assert not key.mask(rows_at([0]), "no such hour").any()


def dictionary(indices: list[int | None], names: list[str | None]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(names))


def test_a_dictionary_may_hold_a_label_twice_or_null() -> None:
    labels = Labels()
    codes = labels.codes(dictionary([0, 1, 2, 3, None], ["a", "b", "a", None]))
    assert [labels.names[code] for code in codes] == ["a", "b", "a", None, None]
    again = labels.codes(dictionary([1, 0], ["b", "c"]))
    assert [labels.names[code] for code in again] == ["c", "b"]
    assert len(labels) == 4


def test_plain_strings_and_numbers_are_labels_too() -> None:
    labels = Labels()
    columns = [pa.array(["x", None, "x"]), pa.array([500, None, 7], pa.int32())]
    rows = Rows(pa.RecordBatch.from_arrays(columns, names=["text", "number"]))
    assert labels.codes(rows.labels("text")).tolist() == [0, 1, 0]
    some = rows.where(np.array([True, True, False]))
    assert labels.codes(some.labels("number")).tolist() == [2, 1]
    assert labels.codes(some.labels("text")).tolist() == [0, 1]
    assert labels.names == ["x", None, "500"]


def test_beyond_the_bound_labels_are_other() -> None:
    labels = Labels(labels_max=2)
    codes = labels.codes(dictionary([0, 1, 2, 3, 0], ["a", "b", "c", "d"]))
    assert [labels.names[code] for code in codes] == ["a", "b", OTHER_LABEL, OTHER_LABEL, "a"]
    assert labels.overflowed


def test_null_pairs_and_null_lists_are_no_attributes() -> None:
    pairs = pa.array([["k=1", None], None, [], ["kk=2", "k="]], pa.list_(pa.string()))
    rows = Rows(pa.RecordBatch.from_arrays([pairs], names=["attributes"]))
    key = AttributeKey("k")
    assert [key.names()[code] for code in key.codes(rows)] == ["1", None, None, ""]
    assert key.mask(rows, None).tolist() == [False, True, True, False]
    assert key.mask(rows, "1").tolist() == [True, False, False, False]


def test_a_slice_of_a_batch_is_read_where_it_begins() -> None:
    pairs = pa.array([["k=1"], ["k=2"], ["k=3"]], pa.list_(pa.string()))
    names = dictionary([0, 1, 2], ["a", "b", "c"])
    batch = pa.RecordBatch.from_arrays([pairs, names], names=["attributes", "target"]).slice(1, 2)
    key, column = AttributeKey("k"), ColumnKey("target")
    assert [key.names()[code] for code in key.codes(Rows(batch))] == ["2", "3"]
    assert [column.names()[code] for code in column.codes(Rows(batch))] == ["b", "c"]


def test_integers_beyond_2_53_keep_every_digit() -> None:
    numbers = pa.array([2**53 + 1, None, -(2**63)], pa.int64())
    rows = Rows(pa.RecordBatch.from_arrays([numbers], names=["n"]))
    assert rows.integers("n").tolist() == [2**53 + 1, 0, -(2**63)]
    known = rows.known("n")
    assert known is not None
    assert known.tolist() == [True, False, True]
    assert np.isnan(rows.floats("n")[1])
