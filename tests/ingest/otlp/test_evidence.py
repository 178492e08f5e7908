"""What metrics say beside the calls that are counted is kept, and shown where it differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contextframe_monitoring.ingest.otlp.evidence import Difference, differences
from tests.ingest.otlp.desk import desk
from tests.ingest.otlp.payloads import (
    PROTOBUF,
    SONNET,
    api_request,
    logs,
    metrics,
    point,
    span,
    traces,
)
from tests.processes import run

CLAUDE = "com.anthropic.claude_code"


def test_metrics_that_miss_a_call_are_shown_by_verify(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as door:
        door.take(
            ("metrics", metrics(point(100), point(10, kind="output"))),
            ("traces", traces(span(1), span(2, response="msg_2"))),
            ("traces", traces(span(3, response="msg_3", model="claude-opus-4-6"))),
        )
        found = differences(door.monitor.store.engine)
        door.monitor.drain()
    expected = Difference("app", "sdk", SONNET, 100, 10, 200, 20)
    missed = Difference("app", "sdk", "claude-opus-4-6", 0, 0, 100, 10)
    assert found == [missed, expected]
    shown = run("verify", "--json", "--store", str(tmp_path / "s"))
    report = json.loads(shown.stdout)
    assert (shown.returncode, report["complete"]) == (0, True)
    assert [finding["problem"] for finding in report["findings"]] == [
        "metrics of app (sdk) say 0 input and 0 output tokens of claude-opus-4-6,"
        " its calls tell of 100 and 10",
        f"metrics of app (sdk) say 100 input and 10 output tokens of {SONNET},"
        " its calls tell of 200 and 20",
    ]


def test_metrics_that_agree_and_metrics_that_count_are_no_difference(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as door:
        assert differences(door.monitor.store.engine) == []
        door.take(
            ("metrics", metrics(point(100), point(10, kind="output"))),
            ("metrics", metrics(point(7), scope="alone")),
            ("traces", traces(span(1))),
            ("traces", traces(span(2, response="msg_2", start=9000, end=9001))),
        )
        assert differences(door.monitor.store.engine) == []


def test_a_session_is_held_against_its_own_events(tmp_path: Path) -> None:
    told = [
        point(value, **{"type": kind, "session.id": "session-1"})
        for kind, value in (
            ("input", 2),
            ("output", 11),
            ("cacheRead", 1000),
            ("cacheCreation", 100),
        )
    ]
    sent = metrics(*told, kind="sum", temporality=1, name="claude_code.token.usage", scope=CLAUDE)
    with desk(tmp_path / "s") as door:
        door.take(("metrics", sent), ("logs", logs(api_request())))
        (found,) = differences(door.monitor.store.engine)
    assert (found.said_input, found.told_input) == (1102, 1102)
    assert (found.said_output, found.told_output) == (11, 10)


@pytest.mark.parametrize(
    ("flavour", "missed"),
    [
        ("openllmetry", ["gpt-5"]),  # the Responses call
        ("otelv2", ["gpt-5-mini"]),  # the streamed call
        ("js", []),
        ("pydantic_ai", []),
    ],
)
def test_what_the_metrics_of_real_instrumentations_miss_is_found(
    tmp_path: Path, shared_data: Path, flavour: str, missed: list[str]
) -> None:
    with desk(tmp_path / "s") as door:
        for signal in ("metrics", "traces"):
            body = (shared_data / "otlp" / flavour / f"{signal}.pb").read_bytes()
            assert door.door.receive(signal, body, PROTOBUF).status == 200
        found = differences(door.monitor.store.engine)
    assert [(one.model, one.said_input, one.told_input) for one in found] == [
        (model, 0, 1200) for model in missed
    ]
