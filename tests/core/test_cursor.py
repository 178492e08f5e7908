"""The cursor: a question as text."""

from __future__ import annotations

import base64
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.cursor import (
    CURSOR_CHARS_MAX,
    decode_cursor,
    encode_cursor,
    next_cursor,
)
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.windows import Window

QUERY = ReportQuery(
    window=Window(5, 9_000_000, "Europe/Berlin", "month", 10_000_000),
    group_by=("model", "attribute:团队"),
    where={"agent": "claude", "server": "(none)"},
    limit=7,
    offset=14,
    include_own=True,
    detail=False,
    exact_rows_max=5,
)
NAMES = st.text(min_size=1, max_size=30)


def test_a_cursor_carries_the_whole_question() -> None:
    assert decode_cursor(encode_cursor("cost", QUERY), "cost") == QUERY


@given(
    st.lists(NAMES, max_size=4, unique=True),
    st.dictionaries(NAMES, NAMES, max_size=8),
    st.integers(0, 1_000_000),
)
def test_any_question_comes_back(keys: list[str], where: dict[str, str], offset: int) -> None:
    query = ReportQuery(window=Window(0, 1), group_by=tuple(keys), where=where, offset=offset)
    assert decode_cursor(encode_cursor("usage", query), "usage") == query


def test_the_next_cursor_goes_on_after_what_was_shown() -> None:
    text = next_cursor("cost", QUERY, shown=3, more=1)
    assert text is not None
    assert decode_cursor(text, "cost").offset == 17


def test_there_is_no_cursor_without_more_rows() -> None:
    assert next_cursor("cost", QUERY, shown=3, more=0) is None


def test_a_cursor_of_another_report_is_refused() -> None:
    with pytest.raises(InvalidError, match="it continues a cost report, not a usage one"):
        decode_cursor(encode_cursor("cost", QUERY), "usage")


@pytest.mark.parametrize("text", ["", "x", "abc=", "ü", "A" * 5_000, "AAAA AAAA", "-" * 40])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="expected the cursor of an earlier answer, unchanged"):
        decode_cursor(text, "cost")


@given(st.data())
def test_a_damaged_cursor_is_refused(data: st.DataObject) -> None:
    text = encode_cursor("cost", QUERY)
    place = data.draw(st.integers(0, len(text) - 2))
    letter = data.draw(st.sampled_from("Aa0_").filter(lambda new: new != text[place]))
    with pytest.raises(InvalidError, match="cursor = "):
        decode_cursor(text[:place] + letter + text[place + 1 :], "cost")


def forged(*page: object) -> str:
    body = msgspec.msgpack.encode(page)
    data = zlib.crc32(body).to_bytes(4, "big") + body
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: 2}, "it comes from another version"),
        ({2: 9, 3: 9}, "it holds a question that can't be: window"),
        ({4: "Mars"}, "it holds a question that can't be: timezone"),
        ({9: 0}, "it holds a question that can't be: limit"),
        ({10: -1}, "it holds a question that can't be: offset"),
        ({7: ["a"] * 9}, "it holds a question that can't be: group_by"),
        ({10: "many"}, "expected the cursor of an earlier answer"),
    ],
)
def test_a_forged_cursor_is_checked_like_any_question(
    change: dict[int, object], message: str
) -> None:
    page: list[object] = [1, "cost", 0, 9, "UTC", None, 0, [], {}, 5, 0, False, True, 10]
    assert decode_cursor(forged(*page), "cost").limit == 5
    for place, value in change.items():
        page[place] = value
    with pytest.raises(InvalidError, match=message):
        decode_cursor(forged(*page), "cost")


def test_filters_too_long_for_a_cursor_are_refused() -> None:
    where = {str(i) + "k" * 290: "ü" * 300 for i in range(8)}
    query = ReportQuery(window=Window(0, 1), where=where)
    with pytest.raises(InvalidError, match="the filters are too long for a cursor"):
        encode_cursor("cost", query)


def test_a_usual_cursor_is_short() -> None:
    query = ReportQuery(window=Window(1_700_000_000_000_000, 1_701_000_000_000_000))
    assert len(encode_cursor("performance", query)) < 100 < CURSOR_CHARS_MAX
