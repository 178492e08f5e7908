"""The detector of anomalies: it hits the labelled windows, and is silent where nothing is wrong."""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.baseline import Floats, deviation
from contextframe_monitoring.core.rule_step import Memory, step
from contextframe_monitoring.core.rule_tables import rule_of
from contextframe_monitoring.core.threshold import bound_of, judge

SLOT = 300
DAY = 86_400 // SLOT
RULE = rule_of({"name": "Odd", "signal": "anomaly", "series": "latency", "keep_firing_for": "150m"})


def fired(values: Floats) -> list[int]:
    """Return the slots in which the rule fires, judged slot by slot."""
    memory: Memory | None = None
    found = []
    for at in range(len(values)):
        off = deviation(values[: at + 1], DAY)
        stepped = step(
            memory,
            judge(RULE, off, bound_of(RULE, None)),
            at * SLOT * 1_000_000,
            for_us=RULE.for_us,
            keep_firing_for_us=RULE.keep_firing_for_us,
            credit_us_max=SLOT * 1_000_000,
        )
        memory = stepped.memory
        if stepped.change == "fired":
            found.append(at)
    return found


def _seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


def _series(file: Path) -> tuple[float, Floats]:
    """Return the start and the mean of each slot, NaN where there is none."""
    with file.open(encoding="utf-8") as lines:
        rows = [(_seconds(row["timestamp"]), float(row["value"])) for row in csv.DictReader(lines)]
    start = rows[0][0]
    slots: list[list[float]] = [[] for _ in range(int((rows[-1][0] - start) // SLOT) + 1)]
    for at, value in rows:
        slots[int((at - start) // SLOT)].append(value)
    return start, np.array([float(np.mean(s)) if s else math.nan for s in slots])


@pytest.mark.parametrize(
    "name",
    ["ec2_cpu_utilization_825cc2", "ec2_request_latency_system_failure", "art_flatline"],
)
@pytest.mark.requirement("001:future:ml-anomaly", "002:future:anomaly")
@pytest.mark.requirement("alerts:rules:anomaly")
def test_the_labelled_windows_are_hit_and_nothing_outside(shared_data: Path, name: str) -> None:
    folder = shared_data / "timeseries"
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))[f"{name}.csv"]
    start, values = _series(folder / f"{name}.csv")
    times = [start + slot * SLOT for slot in fired(values)]
    windows = [(_seconds(first), _seconds(last)) for first, last in labels["windows"]]
    hits = [any(a - SLOT <= at <= b for at in times) for a, b in windows]
    outside = [at for at in times if not any(a - SLOT <= at <= b for a, b in windows)]
    assert (hits, outside) == ([True] * len(windows), [])


def _clock(days: int) -> Floats:
    return np.arange(days * DAY) % DAY / DAY


@pytest.mark.parametrize(
    "values",
    [
        np.full(5 * DAY, 7.0),
        np.zeros(5 * DAY),
        50 + 20 * np.sin(2 * np.pi * _clock(6)),
        np.where(_clock(6) < 0.3, 10.0, 100.0),
        np.where((np.arange(6 * DAY) % DAY) == 36, 500.0, 5.0),
        np.where((np.arange(6 * DAY) % 12) == 0, 40.0, 5.0),
    ],
    ids=["flat", "zero", "sine", "day and night", "a daily job", "an hourly job"],
)
@pytest.mark.requirement("alerts:rules:anomaly-silent")
def test_flat_and_clean_periodic_series_are_silent(values: Floats) -> None:
    assert fired(values) == []


def test_a_daily_job_that_starts_some_minutes_late_is_no_anomaly() -> None:
    values = np.where((np.arange(6 * DAY) % DAY) == 36, 500.0, 5.0)
    values[5 * DAY + 36], values[5 * DAY + 38] = 5.0, 500.0
    assert fired(values) == []


def test_a_daily_job_that_grows_threefold_is_one() -> None:
    values = np.where((np.arange(6 * DAY) % DAY) == 36, 500.0, 5.0)
    values[5 * DAY + 36] = 1500.0
    assert fired(values) == [5 * DAY + 36]


def test_counts_scatter_by_the_root_of_their_level() -> None:
    values = np.zeros(4 * DAY)
    values[-1] = 1.0
    assert deviation(values, DAY, one=1.0) == 1.0
    values[-1] = 20.0
    assert deviation(values, DAY, one=1.0) == 20.0


def test_nothing_is_said_before_two_days_have_passed() -> None:
    values = np.full(3 * DAY, 1.0)
    values[3 * DAY - 1] = 100.0
    assert deviation(values[: 3 * DAY - 1], DAY) is None
    assert deviation(values, DAY) == pytest.approx(99 / 0.01)
    assert deviation(np.full(3 * DAY, math.nan), DAY) is None


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.1, 1e6, allow_nan=False),
    st.floats(-1e6, 1e6, allow_nan=False),
)
def test_neither_unit_nor_zero_point_changes_much(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0.0, 1.0, 4 * DAY)
    values[-1] = 12.0
    found = deviation(values * scale, DAY)
    assert found == pytest.approx(deviation(values, DAY) or 0.0, rel=1e-6)
    moved = deviation(values + shift, DAY)
    assert moved is not None
    assert 0 <= moved <= (deviation(values, DAY) or 0.0) * 1.01
