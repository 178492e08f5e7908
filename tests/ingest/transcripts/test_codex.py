"""The rules by which events of Codex become facts."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import NotFoundError
from contextframe_monitoring.ingest.transcripts.codex import CODEX, CodexReader, default_folders
from contextframe_monitoring.ingest.transcripts.dialect import LineError
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact
from tests.ingest.transcripts.desk import Desk, as_bytes, by_dimensions, grouped, written

MODEL = "gpt-5.2-codex"
ROLLOUT = "sessions/2026/05/13/rollout-2026-05-13T09-00-00-thread-1.jsonl"


def tokens(given: int, out: int, cached: int = 0, reasoning: int = 0, **more: int) -> dict:
    return {
        "input_tokens": given,
        "cached_input_tokens": cached,
        "output_tokens": out,
        "reasoning_output_tokens": reasoning,
        **more,
    }


def event(kind: str, payload: dict, when: str = "2026-05-13T09:00:00Z") -> dict:
    return {"timestamp": when, "type": kind, "payload": payload}


def meta(thread: str, **payload: str) -> dict:
    return event("session_meta", {"id": thread, "cwd": "/Users/me/demo", **payload})


def model(name: str = MODEL) -> dict:
    return event("turn_context", {"model": name, "cwd": "/Users/me/demo"})


def used(last: dict | None, total: dict | None, minute: int = 0, **info: object) -> dict:
    found = {"last_token_usage": last, "total_token_usage": total, **info}
    kept = {name: value for name, value in found.items() if value is not None}
    payload = {"type": "token_count", "info": kept, "rate_limits": {"used_percent": 3.0}}
    return event("event_msg", payload, f"2026-05-13T09:{minute:02}:00Z")


def imported(tmp_path: Path, **files: list) -> Desk:
    for name, entries in files.items():
        written(tmp_path / "sessions" / "2026" / f"rollout-{name}.jsonl", *entries)
    desk = Desk(CODEX, tmp_path)
    desk.run()
    return desk


def facts(*entries: dict, path: str = ROLLOUT) -> list[UsageFact]:
    reader = CodexReader(Path(path))
    return [fact for entry in entries if (fact := reader.fact(as_bytes(entry))) is not None]


@pytest.mark.requirement("cost:transcripts:codex")
def test_the_developer_data_cost_what_they_should(usage_data: Path) -> None:
    truth = json.loads((usage_data / "codex.expected.json").read_text())
    desk = Desk(CODEX, usage_data / "codex")
    desk.run()
    sums = grouped(desk.records, lambda record: record.model)
    assert {
        name: {
            **{
                column: values[column]
                for column in ("input_tokens", "cache_read_tokens", "output_tokens")
            },
            "cost_usd": Decimal(values["amount_nano_usd"]).scaleb(-9),
        }
        for name, values in sums.items()
    } == {
        day["model"]: {
            **{
                column: day[column]
                for column in ("input_tokens", "cache_read_tokens", "output_tokens")
            },
            "cost_usd": Decimal(day["cost_usd"]),
        }
        for day in truth["daily"].values()
    }
    assert Decimal(desk.totals()["amount_nano_usd"]).scaleb(-9) == Decimal("0.01089375")
    reasoning = [record.reasoning_tokens for record in desk.records]
    assert sum(reasoning) == truth["total"]["reasoning_tokens"]


def test_the_parts_of_input_are_taken_out_of_it() -> None:
    last = tokens(1000, 125, cached=250, reasoning=75, cache_write_input_tokens=100)
    (fact,) = facts(meta("thread-1"), model(), used(last, last))
    assert fact == UsageFact(
        key="codex/thread-1/0/1000-125-250-100-75",
        group="codex/thread-1/0/1000-125-250-100-75",
        source="codex",
        provider="openai",
        time_us=1_778_662_800_000_000,
        line_us=1_778_662_800_000_000,
        model=MODEL,
        input_tokens=650,
        cache_read_tokens=250,
        cache_write_5m_tokens=100,
        cache_write_1h_tokens=0,
        output_tokens=125,
        reasoning_tokens=75,
        session="thread-1",
        project="-Users-me-demo",
    )


def test_running_totals_are_never_added_up(tmp_path: Path) -> None:
    entries = [
        used(tokens(100, 10), tokens(100, 10)),
        used(tokens(200, 20), tokens(300, 30)),
        used(tokens(400, 40), tokens(700, 70)),
    ]
    desk = imported(tmp_path, a=[meta("t"), model(), *entries])
    assert [desk.totals()[name] for name in ("calls", "input_tokens", "output_tokens")] == [
        3,
        700,
        70,
    ]


def test_without_the_last_usage_the_growth_of_the_total_counts(tmp_path: Path) -> None:
    entries = [used(None, tokens(100, 10)), used(None, tokens(300, 30))]
    desk = imported(tmp_path, a=[meta("t"), model(), *entries])
    assert (desk.totals()["input_tokens"], desk.totals()["output_tokens"]) == (300, 30)


def test_without_a_total_each_event_counts(tmp_path: Path) -> None:
    entries = [used(tokens(100, 10), None), used(tokens(100, 10), None)]
    desk = imported(tmp_path, a=[meta("t"), model(), *entries])
    assert desk.totals()["input_tokens"] == 200


def test_an_event_that_is_written_again_counts_once(tmp_path: Path) -> None:
    first, second = tokens(1000, 100), tokens(2000, 200)
    entries = [
        used(first, first, 1),
        used(first, first, 2),
        used(first, first, 3),
        used(second, tokens(3000, 300), 4),
        used(second, tokens(3000, 300), 5),
    ]
    desk = imported(tmp_path, a=[meta("t"), model(), *entries])
    assert (desk.totals()["calls"], desk.totals()["input_tokens"]) == (2, 3000)


def test_a_total_that_falls_back_starts_a_new_count(tmp_path: Path) -> None:
    entries = [
        used(None, tokens(500, 50)),
        used(None, tokens(100, 10)),
        used(None, tokens(600, 60)),
    ]
    desk = imported(tmp_path, a=[meta("t"), model(), *entries])
    assert (desk.totals()["calls"], desk.totals()["input_tokens"]) == (3, 1100)


def fork_lines() -> tuple[list, list, list]:
    """A thread, its fork with the thread's history under new times, and a fork of that fork."""
    one, two = tokens(1000, 100), tokens(2500, 220)
    history = [used(one, one, 1), used(tokens(1500, 120), two, 2)]
    copied = [used(one, one, 30), used(tokens(1500, 120), two, 30)]
    parent = [meta("t"), model(), *history]
    own = used(tokens(500, 50), tokens(3000, 270), 31)
    fork = [meta("f", forked_from_id="t"), meta("t"), model(), *copied, own]
    heads = [meta("g", forked_from_id="f"), meta("f", forked_from_id="t"), meta("t"), model()]
    second = [*heads, *copied, own, used(tokens(7, 7), tokens(3007, 277), 45)]
    return parent, fork, second


@pytest.mark.parametrize("order", ["abc", "cba", "bca", "cab"])
def test_a_fork_that_replays_its_parent_adds_only_its_own_calls(tmp_path: Path, order: str) -> None:
    files = dict(zip("abc", fork_lines(), strict=True))
    desk = Desk(CODEX, tmp_path)
    for name in order:
        written(tmp_path / "sessions" / f"rollout-{name}.jsonl", *files[name])
        desk.run()
    by_session = grouped(desk.records, lambda record: record.origin.session_id)
    assert {name: sums["input_tokens"] for name, sums in by_session.items()} == {
        "t": 2500,
        "f": 500,
        "g": 7,
    }
    at_once = Desk(CODEX, tmp_path)
    at_once.run()
    assert by_dimensions(desk.records) == by_dimensions(at_once.records)


def test_equal_counts_in_unrelated_sessions_all_count(tmp_path: Path) -> None:
    call = [model(), used(tokens(100, 10), tokens(100, 10))]
    desk = imported(tmp_path, a=[meta("t1"), *call], b=[meta("t2"), *call])
    assert desk.totals()["calls"] == 2


def test_a_session_that_is_archived_stays_counted_once(tmp_path: Path) -> None:
    desk = imported(tmp_path, a=[model(), used(tokens(100, 10), tokens(100, 10))])
    (tmp_path / "archived_sessions").mkdir()
    name = "rollout-a.jsonl"
    (tmp_path / "sessions" / "2026" / name).rename(tmp_path / "archived_sessions" / name)
    assert desk.run().files_read == 1
    assert desk.totals()["calls"] == 1


def test_the_model_is_the_one_of_the_turn_unless_the_event_names_it() -> None:
    found = facts(
        used(tokens(1, 1), tokens(1, 1)),
        model("one"),
        used(tokens(1, 1), tokens(2, 2)),
        model("two"),
        used(tokens(1, 1), tokens(3, 3)),
        used(tokens(1, 1), tokens(4, 4), model="three"),
    )
    assert [fact.model for fact in found] == [None, "one", "two", "three"]


def test_the_tools_of_a_call_are_those_that_stand_before_its_tokens() -> None:
    found = facts(
        event("response_item", {"type": "function_call", "name": "shell", "arguments": "{}"}),
        event("response_item", {"type": "custom_tool_call", "name": "apply_patch"}),
        event("response_item", {"type": "function_call_output", "output": "x"}),
        used(tokens(1, 1), tokens(1, 1)),
        used(tokens(1, 1), tokens(2, 2)),
    )
    assert [fact.tools for fact in found] == [("apply_patch", "shell"), ()]


def test_a_repeated_event_takes_no_tools_from_the_next_call() -> None:
    again = used(tokens(1, 1), tokens(1, 1))
    call = event("response_item", {"type": "function_call", "name": "shell"})
    found = facts(again, call, again, used(tokens(1, 1), tokens(2, 2)))
    assert [fact.tools for fact in found] == [(), ("shell",)]


def test_a_call_of_unknown_model_is_unknown_not_free(tmp_path: Path) -> None:
    desk = imported(tmp_path, a=[model("gpt-99"), used(tokens(5, 5), tokens(5, 5))])
    (record,) = desk.records
    assert (record.amount_nano_usd, record.provenance, record.input_tokens) == (None, None, 5)


def test_a_session_without_a_name_is_named_by_its_file() -> None:
    call = used(tokens(1, 1), tokens(1, 1))
    (fact,) = facts(call, path="/h/.codex/sessions/alpha/run.jsonl")
    assert (fact.session, fact.key) == ("alpha/run", "codex/alpha%2Frun/0/1-1-0-0-0")
    (elsewhere,) = facts(call, path="/elsewhere/run.jsonl")
    assert elsewhere.session == "run"


def test_events_without_tokens_and_other_lines_are_no_calls() -> None:
    none = {"timestamp": "2026-05-13T09:00:00Z", "type": "event_msg"}
    assert not facts(
        {**none, "payload": {"type": "token_count", "info": None}},
        {**none, "payload": {"type": "agent_message", "message": 'about "token_count"'}},
        {**none, "payload": {"type": "agent_message", "info": "token_count", "x": '"token_count"'}},
        {"type": "compacted", "payload": [1], "note": '"turn_context"'},
        used(tokens(0, 0), tokens(0, 0)),
    )


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (
            used(tokens(10, 1, cached=11), None),
            "a part is larger than its whole: cached in input, or reasoning in output tokens",
        ),
        (
            used(tokens(10, 1, reasoning=2), None),
            "a part is larger than its whole: cached in input, or reasoning in output tokens",
        ),
        (
            used(tokens(-1, 1), None),
            "Expected `int` >= 0 - at `$.payload.info.last_token_usage.input_tokens`",
        ),
        (
            used(None, tokens(10**10, 1)),
            "the growth of total_token_usage: Expected `int` <= 1000000000 - at `$.input_tokens`",
        ),
        (b'{"type":"event_msg","payload":{"type":"token_count"', "Input data was truncated"),
        (b"{nonsense", "JSON is malformed: object keys must be strings (byte 1)"),
    ],
)
def test_an_event_that_can_not_be_is_refused_with_its_reason(entry, reason: str) -> None:
    with pytest.raises(LineError) as error:
        facts(entry)
    assert str(error.value) == reason


def test_the_default_folder_is_codex_home(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="give PATH or CODEX_HOME"):
        default_folders({}, tmp_path)
    (tmp_path / ".codex" / "sessions").mkdir(parents=True)
    (tmp_path / "other" / "archived_sessions").mkdir(parents=True)
    assert default_folders({}, tmp_path) == [tmp_path / ".codex"]
    assert default_folders({"CODEX_HOME": f"{tmp_path}/other"}, tmp_path) == [tmp_path / "other"]
