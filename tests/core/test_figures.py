"""How measured numbers are written."""

from __future__ import annotations

import math

from contextframe_monitoring.core.figures import added_up, measured, share


def test_measured_numbers_carry_six_digits() -> None:
    assert [measured(value) for value in (0.0123456789, 1234.56789, 0.0)] == [
        0.0123457, 1234.57, 0.0,
    ]  # fmt: skip


def test_sums_carry_twelve_digits() -> None:
    assert added_up(0.1 + 0.2) == 0.3
    assert added_up(123_456_789_012.0) == 123_456_789_012.0


def test_shares_carry_six_places() -> None:
    assert share(1 / 3) == 0.333333


def test_what_is_no_number_is_unknown() -> None:
    for write in (measured, added_up, share):
        assert [write(value) for value in (None, math.nan, math.inf)] == [None] * 3
