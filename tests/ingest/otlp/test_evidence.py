"""What metrics say beside the calls that are counted is kept, and shown where it differs."""

from __future__ import annotations

import json
from pathlib import Path

from contextframe_monitoring.ingest.otlp.evidence import Difference, differences
from tests.ingest.otlp.desk import desk
from tests.ingest.otlp.payloads import SONNET, api_request, logs, metrics, point, span, traces
from tests.processes import run

CLAUDE = "com.anthropic.claude_code"


def test_metrics_that_miss_a_call_are_shown_by_verify(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as door:
        door.take(
            ("metrics", metrics(point(100), point(10, kind="output"))),
            ("traces", traces(span(1), span(2, response="msg_2"))),
        )
        found = differences(door.monitor.store.engine)
        door.monitor.drain()
    expected = Difference("app", "sdk", SONNET, 100, 10, 200, 20)
    assert found == [expected]
    shown = run("verify", "--json", "--store", str(tmp_path / "s"))
    report = json.loads(shown.stdout)
    assert (shown.returncode, report["complete"]) == (0, True)
    assert [finding["problem"] for finding in report["findings"]] == [
        f"metrics of app (sdk) say 100 input and 10 output tokens of {SONNET},"
        " its calls tell of 200 and 20"
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
