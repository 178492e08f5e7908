"""Metrics: increments of series, counted where nothing more precise tells of the calls."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.ingest.otlp.metrics import SERIES, increments, read_points
from contextframe_monitoring.ingest.otlp.reading import Reading
from contextframe_monitoring.store.facts import Cursor
from tests.ingest.otlp.desk import desk, totals
from tests.ingest.otlp.payloads import (
    JSON,
    PROTOBUF,
    api_request,
    logs,
    metrics,
    point,
    span,
    traces,
)

DELTA, CUMULATIVE = 1, 2
KINDS = ["histogram", "exponentialHistogram", "sum"]
CLAUDE = {"name": "claude_code.token.usage", "scope": "com.anthropic.claude_code"}


def claude(value: int, kind: str, at: float = 1.0) -> dict[str, Any]:
    return point(value, at=at, kind="input", **{"type": kind, "session.id": "session-1"})


@pytest.mark.requirement("cost:otlp:temporality")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("media", [JSON, PROTOBUF])
def test_cumulative_totals_are_stored_as_increments(tmp_path: Path, kind: str, media: str) -> None:
    sent = [metrics(point(value, at=at), kind=kind) for at, value in ((1, 100), (2, 100), (3, 150))]
    with desk(tmp_path / "s") as door:
        door.take(*(("metrics", one) for one in (*sent, *sent)), media=media)
        assert [record.input_tokens for record in door.costs] == [100, 50]
        assert [record.provenance for record in door.costs] == ["estimated"] * 2


@pytest.mark.requirement("cost:otlp:temporality")
@pytest.mark.parametrize("kind", KINDS)
def test_deltas_add_up_and_a_repeated_one_adds_nothing(tmp_path: Path, kind: str) -> None:
    first = metrics(point(100, start=0, at=1), kind=kind, temporality=DELTA)
    second = metrics(point(50, start=1, at=2), kind=kind, temporality=DELTA)
    with desk(tmp_path / "s") as door:
        door.take(*(("metrics", one) for one in (first, first, second, first)))
        assert [record.input_tokens for record in door.costs] == [100, 50]


@pytest.mark.requirement("cost:otlp:temporality")
def test_a_series_that_starts_again_counts_from_zero(tmp_path: Path) -> None:
    sent = [
        metrics(point(100, start=0, at=1)),
        metrics(point(30, start=2, at=3)),  # a new process
        metrics(point(40, start=2, at=4)),
        metrics(point(5, start=2, at=5)),  # the same start, a smaller total
    ]
    with desk(tmp_path / "s") as door:
        door.take(*(("metrics", one) for one in sent))
        assert [record.input_tokens for record in door.costs] == [100, 30, 10, 5]


def test_an_older_total_that_comes_late_adds_nothing(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as door:
        door.take(("metrics", metrics(point(150, at=3))), ("metrics", metrics(point(100, at=2))))
        assert totals(door.costs)["input_tokens"] == 150


@pytest.mark.parametrize("spans_first", [True, False])
def test_spans_win_over_the_metrics_of_their_scope(tmp_path: Path, spans_first: bool) -> None:
    told = [
        ("traces", traces(span(told=None))),
        ("metrics", metrics(point(100), point(10, kind="output"))),
    ]
    with desk(tmp_path / "s") as door:
        door.take(*(told if spans_first else reversed(told)))
        found = totals(door.costs)
    assert (found["input_tokens"], found["output_tokens"], found["calls"]) == (100, 10, 1)


def test_metrics_of_another_scope_service_or_time_count_beside_spans(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as door:
        door.take(
            ("traces", traces(span())),
            ("metrics", metrics(point(1), scope="other")),
            ("metrics", metrics(point(20), service="other")),
            ("metrics", metrics(point(300, start=7200, at=7260))),
        )
        assert totals(door.costs)["input_tokens"] == 100 + 1 + 20 + 300


def test_spans_at_the_end_of_an_hour_are_seen_by_the_metrics_of_the_next(tmp_path: Path) -> None:
    # START_NS is 48 minutes and 17 seconds past the hour
    with desk(tmp_path / "s") as door:
        door.take(
            ("traces", traces(span(start=690, end=700))),
            ("metrics", metrics(point(100, start=680, at=740))),
        )
        assert totals(door.costs)["input_tokens"] == 100


def test_claude_codes_deltas_are_exclusive_and_priced(tmp_path: Path) -> None:
    points = [
        claude(2, "input"),
        claude(10, "output"),
        claude(1000, "cacheRead"),
        claude(100, "cacheCreation"),
    ]
    cost = metrics(
        point(0.5, **{"session.id": "session-1"}),
        kind="sum",
        temporality=DELTA,
        name="claude_code.cost.usage",
        scope="com.anthropic.claude_code",
    )
    with desk(tmp_path / "s") as door:
        sent = metrics(*points, kind="sum", temporality=DELTA, **CLAUDE)
        door.take(("metrics", sent), ("metrics", sent), ("metrics", cost))
        found = totals(door.costs)
        names = {record.provenance for record in door.costs}
    expected = 2 * 3000 + 10 * 15_000 + 1000 * 300 + 100 * 3750
    assert (found["amount_nano_usd"], names) == (expected, {"computed"})


@pytest.mark.parametrize("events_first", [True, False])
def test_events_win_over_the_metrics_of_their_session(tmp_path: Path, events_first: bool) -> None:
    told = [
        ("logs", logs(api_request())),
        ("metrics", metrics(claude(2, "input", at=9999), kind="sum", temporality=DELTA, **CLAUDE)),
    ]
    with desk(tmp_path / "s") as door:
        door.take(*(told if events_first else reversed(told)))
        assert totals(door.costs)["calls"] == 1
        assert totals(door.costs)["input_tokens"] == 2


def test_points_that_cannot_be_are_refused(tmp_path: Path) -> None:
    wrong = metrics(point(-5.0), point(7.0), {**point(9.0), "timeUnixNano": "0"})
    unspecified = metrics(point(1.0), temporality=0)
    with desk(tmp_path / "s") as door:
        answers = [door.send("metrics", one) for one in (wrong, unspecified)]
        assert totals(door.costs)["input_tokens"] == 7
    rejected = [json.loads(a.body)["partialSuccess"]["rejectedDataPoints"] for a in answers]
    assert rejected == ["2", "1"]


def test_points_without_a_value_and_other_metrics_are_passed_over(tmp_path: Path) -> None:
    empty = metrics({**point(5.0), "flags": 1})
    gauge = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": ["x"], "gauge": {}}]}]}]}
    with desk(tmp_path / "s") as door:
        door.take(
            ("metrics", empty), ("metrics", gauge), ("metrics", metrics(point(5.0), name="x"))
        )
        assert door.costs == []


@given(
    growth=st.lists(st.integers(0, 1000), min_size=1, max_size=12),
    seen=st.lists(st.integers(0, 11), min_size=1, max_size=30),
)
def test_increments_add_up_to_the_last_total_that_was_seen(
    growth: list[int], seen: list[int]
) -> None:
    sums = list(accumulate(growth))
    cursors: dict[str, Cursor] = {}
    counted: dict[str, int] = {}
    for number in seen:
        index = min(number, len(sums) - 1)
        reading = Reading()
        sent = metrics(point(sums[index], at=index + 1))
        increments(read_points(sent, reading), cursors, reading)
        counted |= {fact.key: fact.input_tokens for fact in reading.facts}
        cursors |= {cursor.path: cursor for cursor in reading.cursors}
    assert sum(counted.values()) == sums[min(max(seen), len(sums) - 1)]
    assert {cursor.source for cursor in cursors.values()} <= {SERIES}
