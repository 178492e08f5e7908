"""Claude Code's log events, and one call through every door at once."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from pathlib import Path

import pytest

from contextframe_monitoring.ingest.transcripts.books import open_books
from contextframe_monitoring.ingest.transcripts.claude_code import CLAUDE_CODE
from contextframe_monitoring.ingest.transcripts.importer import Importer
from tests.clocks import ManualClock
from tests.ingest.otlp.desk import Desk, calls, desk, totals
from tests.ingest.otlp.payloads import (
    PROTOBUF,
    SONNET,
    START_NS,
    api_request,
    logs,
    span,
    traces,
    usage,
)
from tests.ingest.transcripts.desk import line

EVENT_NANO = 2 * 3000 + 10 * 15_000 + 1000 * 300 + 100 * 3750
SPLIT_NANO = 2 * 3000 + 10 * 15_000 + 1000 * 300 + 60 * 3750 + 40 * 6000
WHEN = "2026-11-20T14:48:18.000Z"


def imported(door: Desk, folder: Path) -> None:
    """Import a transcript that tells of the same request as `api_request()`."""
    path = folder / "projects" / "p" / "session-1.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(line(model=SONNET, when=WHEN)) + "\n", encoding="utf-8")
    monitor = door.monitor
    books = open_books(monitor.store, monitor.cost.open_catalogue(), monitor.recorder.record)
    Importer(CLAUDE_CODE, [folder], books).run()


@pytest.mark.requirement("cost:otlp:flavours")
@pytest.mark.parametrize("media", ["application/json", PROTOBUF])
def test_an_api_request_is_one_call_with_the_reported_cost_beside_ours(
    tmp_path: Path, media: str
) -> None:
    with desk(tmp_path / "s") as door:
        sent = ("logs", logs(api_request(cost_usd_micros=500_000)))
        door.take(sent, sent, media=media)
        (record,) = door.costs
    assert (record.amount_nano_usd, record.reported_nano_usd) == (EVENT_NANO, 500_000_000)
    assert (record.provenance, record.source) == ("computed", "claude-code")
    assert record.origin.session_id == "session-1"


def test_an_unknown_model_is_counted_at_what_was_reported(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as door:
        door.take(("logs", logs(api_request(model="no-such-model"))))
        (record,) = door.costs
    assert (record.amount_nano_usd, record.provenance) == (500_000_000, "reported")


def test_events_without_a_request_id_are_told_apart_by_what_they_say(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as door:
        one, other = logs(api_request(None)), logs(api_request(None, at=2.0))
        door.take(("logs", one), ("logs", other), ("logs", one))
        assert totals(door.costs)["calls"] == 2


def test_other_events_and_scopes_are_dropped(tmp_path: Path) -> None:
    prompt = api_request(**{"event.name": "user_prompt", "prompt": "secret"})
    with desk(tmp_path / "s") as door:
        door.take(("logs", logs(prompt)), ("logs", logs(api_request(), scope="another")))
        assert door.records == []


def test_a_transcript_an_event_and_a_span_of_one_request_count_once(tmp_path: Path) -> None:
    told = usage(1102, 10, **{"cache_read.input_tokens": 1000, "cache_creation.input_tokens": 100})
    exact = span(response="msg_1", told=told, **{"anthropic.request.id": "req_1"})
    found = set()
    for number, order in enumerate(itertools.permutations(["transcript", "event", "span"])):
        with desk(tmp_path / f"s{number}") as door:
            for kind in order:
                if kind == "transcript":
                    imported(door, tmp_path / f"t{number}")
                elif kind == "event":
                    door.take(("logs", logs(api_request())))
                else:
                    door.take(("traces", traces(exact)))
            assert totals(door.costs)["amount_nano_usd"] == SPLIT_NANO
            assert totals(door.costs)["calls"] == 1
            found.add(str(calls(door.costs)))
    (row,) = found
    assert "'project=p', 'witness=event', 'witness=span:sdk'" in row
    assert "disagrees" not in row


def test_a_witness_that_disagrees_is_named(tmp_path: Path) -> None:
    with desk(tmp_path / "s") as door:
        imported(door, tmp_path / "t")
        door.take(("traces", traces(span(told=usage(1102, 9)))))
        (row,) = calls(door.costs)
    assert "'project=p', 'witness=span:sdk', 'disagrees=span:sdk'" in row[0]


@pytest.mark.requirement("cost:once:witnesses")
def test_the_cost_report_shows_who_disagrees(tmp_path: Path) -> None:
    clock = ManualClock(START_NS // 1000 + 60_000_000)
    with desk(tmp_path / "s", clock=clock) as door:
        imported(door, tmp_path / "t")
        door.take(("traces", traces(span(told=usage(1102, 9)))))
        reports = door.monitor.reports
        question = reports.question("cost", since="1h", group_by=("attribute:disagrees",))
        report = reports.cost(question)
    found = [(row.category, row.count, row.cost) for row in report.breakdown if row.count]
    assert found == [("span:sdk", 1, Decimal(SPLIT_NANO).scaleb(-9))]
    assert report.total_cost == Decimal(SPLIT_NANO).scaleb(-9)
