"""Retries: later each time, never before the other side asks for."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.backoff import SECONDS_MAX, retry_us

SECOND_US = 1_000_000


@given(st.integers(0, 10**6), st.floats(0, 3600) | st.none(), st.integers(0, 2**32))
def test_a_retry_is_later_each_time_within_bounds(
    attempts: int, asked: float | None, seed: int
) -> None:
    waits = retry_us(attempts, asked, 0, Random(seed)) / SECOND_US
    assert waits >= (asked or 0) - 1e-6
    assert 1.5 <= waits <= max(1.25 * SECONDS_MAX, asked or 0) + 1e-6


def test_each_wait_is_twice_the_one_before_on_the_whole() -> None:
    first = retry_us(1, None, 0, Random(1))
    waits = [retry_us(n, None, 0, Random(1)) / first for n in range(1, 5)]
    assert [round(one, 3) for one in waits] == [1, 2, 4, 8]
