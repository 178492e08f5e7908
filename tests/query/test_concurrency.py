"""How many operations ran at once, and over how many connections."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.query.concurrency import ActivePeak, Connections
from contextframe_monitoring.query.source import Rows

RUNS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=15)


@pytest.mark.requirement("spine:serve:active", "004:perf:concurrency")
@given(st.lists(RUNS, max_size=3))
def test_the_peak_is_the_most_that_ran_at_one_microsecond(
    batches: list[list[tuple[int, int]]],
) -> None:
    peak = ActivePeak(1_000)
    for batch in batches:
        starts = np.array([start for start, _ in batch], np.int64)
        peak.add(starts, np.array([lasted / 1_000 for _, lasted in batch]))
    runs = [run for batch in batches for run in batch]
    active = [
        sum(start <= moment < start + max(lasted, 1) for start, lasted in runs)
        for moment in range(80)
    ]
    assert peak.peak() == max(active)


def test_a_duration_without_end_is_no_overflow() -> None:
    peak = ActivePeak(10)
    peak.add(np.array([0, 5]), np.array([1e300, 1.0]))
    assert peak.peak() == 2


def test_too_many_operations_have_no_known_peak() -> None:
    peak = ActivePeak(2)
    for _ in range(3):
        peak.add(np.array([0]), np.array([1.0]))
    assert peak.peak() is None


def sessions(*pairs: tuple[str, str | None]) -> Rows:
    columns = [pa.array(column, pa.string()) for column in zip(*pairs, strict=True)]
    return Rows(pa.RecordBatch.from_arrays(columns, names=["writer", "session_id"]))


@pytest.mark.requirement("spine:serve:active", "002:perf:active-connections")
def test_a_connection_is_a_session_of_a_writer() -> None:
    connections = Connections()
    connections.add(sessions(("w", "s"), ("w", "s"), ("v", "s"), ("w", None), ("w", None)))
    assert connections.count() == 3


def test_too_many_sessions_are_not_counted() -> None:
    connections = Connections(sessions_max=2)
    connections.add(sessions(("w", "1"), ("w", "2"), ("w", "3")))
    connections.add(sessions(("w", "4")))
    assert connections.count() is None
