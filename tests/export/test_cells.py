"""Columns as text: what is written reads back as the same value."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import json
import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.export.cells import (
    csv_cells,
    json_cells,
    lines,
    with_exact_money,
)

TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=20), max_size=20)
NANOS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20)


def read_csv(*columns: pa.Array) -> list[list[str]]:
    pairs = [("," if at else "", column) for at, column in enumerate(columns)]
    text = bytes(lines(pairs, csv_cells, "\n")).decode()
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def read_json(column: pa.Array) -> list[object]:
    return [json.loads(cell) for cell in json_cells(column).to_pylist()]


@given(TEXTS)
def test_any_text_reads_back_from_json(texts: list[str | None]) -> None:
    column = pa.array(texts, pa.string())
    assert read_json(column) == texts
    assert read_json(column.dictionary_encode()) == texts


@given(TEXTS)
def test_any_text_reads_back_from_csv_null_as_nothing(texts: list[str | None]) -> None:
    column = pa.array(texts, pa.string())
    last = pa.array(range(len(texts)), pa.int64())
    expected = [[text or "", str(row)] for row, text in enumerate(texts)]
    for shape in (column, column.dictionary_encode()):
        assert read_csv(shape, last) == expected if texts else True


def test_csv_tells_the_empty_string_from_null() -> None:
    assert csv_cells(pa.array(["", None, " x", 'a"b', "a\nb", "plain"])).to_pylist() == [
        '""', "", '" x"', '"a""b"', '"a\nb"', "plain",
    ]  # fmt: skip


@given(st.lists(st.floats(), max_size=20))
def test_floats_read_back_exactly_and_what_is_no_number_is_null_in_json(
    numbers: list[float],
) -> None:
    column = pa.array(numbers, pa.float64())
    finite = [number if math.isfinite(number) else None for number in numbers]
    assert read_json(column) == finite
    read = [float(cell) for cell in csv_cells(column).to_pylist()]
    assert all(a == b or (a != a and b != b) for a, b in zip(read, numbers, strict=True))


@given(NANOS)
@pytest.mark.requirement("export:files:exact")
def test_money_is_the_exact_decimal_with_at_most_nine_places(nanos: list[int | None]) -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "amount_usd": pa.array([0.1] * len(nanos)),
            "amount_nano_usd": pa.array(nanos, pa.int64()),
        }
    )
    for start in (0, len(nanos) // 2):
        cells = csv_cells(with_exact_money(batch.slice(start)).column(0)).to_pylist()
        for cell, nano in zip(cells, nanos[start:], strict=True):
            if nano is None:
                assert cell == ""
                continue
            assert Decimal(cell) * 10**9 == nano
            assert "E" not in cell.upper()
            assert len(cell.partition(".")[2]) <= 9
            assert cell == cell.rstrip("0") or "." not in cell


@given(st.lists(st.none() | st.integers(0, 253_402_300_799_999_999), max_size=20))
@pytest.mark.requirement("export:files:exact")
def test_times_are_iso_8601_with_offset_and_every_microsecond(times: list[int | None]) -> None:
    column = pa.array(times, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    read = [text and dt.datetime.fromisoformat(text) for text in read_json(column)]
    assert read == [
        None if time is None else epoch + dt.timedelta(microseconds=time) for time in times
    ]
    assert {len(text) for text in csv_cells(column).to_pylist()} <= {0, 32}


@given(st.lists(st.none() | st.lists(st.text(st.characters(codec="utf-8"), max_size=8))))
def test_lists_are_json_in_both(lists: list[list[str] | None]) -> None:
    column = pa.array(lists, pa.list_(pa.string()))
    assert read_json(column) == lists
    read = [row[0] for row in read_csv(column, column)] if lists else []
    assert [json.loads(cell) if cell else None for cell in read] == lists
    assert read_json(column.slice(1)) == lists[1:]


def test_lists_of_numbers_bytes_and_truths_have_their_forms() -> None:
    assert read_json(pa.array([[1.5, math.nan], None, []], pa.list_(pa.float64()))) == [
        [1.5, None], None, [],
    ]  # fmt: skip
    data = [b"\x00\xff", b"", None]
    assert read_json(pa.array(data)) == [base64.b64encode(b"\x00\xff").decode(), "", None]
    assert csv_cells(pa.array(data)).to_pylist() == ["AP8=", '""', ""]
    assert read_json(pa.array([True, None, False])) == [True, None, False]
    assert read_json(pa.array([2**63 - 1, -(2**63)])) == [2**63 - 1, -(2**63)]
    assert read_json(pa.array([Decimal("1.50"), Decimal("-0.001")])) == [1.5, -0.001]
    assert read_json(pa.array([dt.date(2026, 1, 2)])) == ["2026-01-02"]


def test_columns_of_one_value_join_the_fixed_text() -> None:
    same = pa.array(["a,b"] * 3).dictionary_encode()
    nothing = pa.nulls(3, pa.string())
    assert read_csv(same, nothing, pa.array([1, 2, 3])) == [["a,b", "", str(n)] for n in (1, 2, 3)]
    assert read_csv(same, nothing) == [["a,b", ""]] * 3
