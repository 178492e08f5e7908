"""The cursor of a list of alerts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.alert_cursor import (
    CURSOR_CHARS_MAX,
    AlertsAfter,
    decode_cursor,
    encode_cursor,
)
from contextframe_monitoring.core.errors import InvalidError

NUMBERS = st.integers(0, 2**63 - 1)
PLACES = st.builds(
    AlertsAfter,
    status=st.sampled_from(["active", "resolved", "all"]),
    severity=st.none() | st.sampled_from(["info", "critical"]),
    rule=st.none() | st.text(st.characters(max_codepoint=127), max_size=100),
    since=NUMBERS,
    before=NUMBERS,
    revision=NUMBERS,
)


@given(PLACES)
def test_a_cursor_is_read_back(place: AlertsAfter) -> None:
    text = encode_cursor(place)
    assert len(text) <= CURSOR_CHARS_MAX
    assert decode_cursor(text) == place


@given(st.text(max_size=40))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="expected the next_cursor of an earlier get_alerts"):
        decode_cursor(text)


def test_a_damaged_or_huge_cursor_or_one_of_another_version_is_refused() -> None:
    place = AlertsAfter(
        status="all", severity=None, rule=None, since=0, before=9, revision=9, version=2
    )
    text = encode_cursor(place)
    for wrong in (text, text[:-1], f"{text}AAAA", "A" * (CURSOR_CHARS_MAX + 1)):
        with pytest.raises(InvalidError):
            decode_cursor(wrong)
