"""Questions to reports are checked before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.queries import ReportQuery, group_keys
from contextframe_monitoring.core.records import OWN_SERVER
from contextframe_monitoring.core.windows import Window

WINDOW = Window(0, 1)


@pytest.mark.requirement("spine:input:negative-limit")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limit": 0}, "limit = 0 is not allowed: expected a whole number from 1 to 1000"),
        ({"limit": -5}, "limit = -5 is not allowed"),
        ({"limit": 10_000}, "limit = 10000 is not allowed"),
        ({"limit": True}, "limit = True is not allowed"),
        ({"limit": 2.5}, "limit = 2.5 is not allowed"),
        ({"offset": -1}, "offset = -1 is not allowed"),
        ({"exact_rows_max": -1}, "exact_rows_max = -1 is not allowed"),
        ({"group_by": ("a", "b", "c", "d", "e")}, "expected at most 4 different keys"),
        ({"group_by": ("a", "a")}, "expected at most 4 different keys"),
        ({"group_by": ("",)}, "expected a text of 1 to 300 characters"),
        ({"group_by": ("x" * 301,)}, "expected a text of 1 to 300 characters"),
        ({"where": {str(i): "x" for i in range(9)}}, "expected at most 8 filters"),
        ({"where": {"agent": ""}}, "expected a text of 1 to 300 characters"),
        ({"where": {"agent": 5}}, "where = 5 is not allowed: expected a text"),
    ],
)
def test_a_question_that_can_not_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidError) as error:
        ReportQuery(window=WINDOW, **change)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "keys"),
    [(None, ()), ("", ()), ("none", ()), ("agent", ("agent",)), (" a , b ", ("a", "b"))],
)
def test_group_keys_are_a_comma_separated_list(text: str | None, keys: tuple[str, ...]) -> None:
    assert group_keys(text) == keys


def test_a_huge_list_of_keys_is_refused() -> None:
    with pytest.raises(InvalidError, match="expected at most 4 keys"):
        group_keys("a," * 100_000)


def test_our_own_server_is_shown_when_asked_for() -> None:
    assert not ReportQuery(window=WINDOW).shows_own
    assert ReportQuery(window=WINDOW, include_own=True).shows_own
    assert ReportQuery(window=WINDOW, where={"server": OWN_SERVER}).shows_own
