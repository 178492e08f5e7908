"""The rules by which lines of Claude Code become facts."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import NotFoundError
from contextframe_monitoring.ingest.transcripts.claude_code import (
    CLAUDE_CODE,
    ClaudeCodeReader,
    default_folders,
)
from contextframe_monitoring.ingest.transcripts.dialect import LineError
from contextframe_monitoring.ingest.transcripts.usage_fact import UsageFact
from tests.ingest.transcripts.desk import (
    HAIKU,
    OPUS,
    SONNET,
    TOKENS,
    Desk,
    as_bytes,
    grouped,
    line,
    price,
    progress,
    tool_use,
    with_content,
    written,
)

PLACE = Path("/Users/me/.claude/projects/-Users-me-demo/session-1.jsonl")
START_US = 1_770_760_495_364_000
COLUMNS = ("messages", *TOKENS, "cost_usd")


def read(entry: dict | bytes, path: Path = PLACE) -> UsageFact | None:
    return ClaudeCodeReader(path).fact(as_bytes(entry))


def imported(tmp_path: Path, **files: list) -> Desk:
    """Import lines by file; a file is named `project__session` or `project__session__agent`."""
    for name, entries in files.items():
        project, session, *agents = name.split("__")
        place = tmp_path / "projects" / project / session
        below = place / "subagents" / f"agent-{agents[0]}" if agents else place
        written(below.with_suffix(".jsonl"), *entries)
    desk = Desk(CLAUDE_CODE, tmp_path)
    desk.run()
    return desk


def expected(values: dict) -> dict[str, object]:
    return {name: values[name] for name in values if name in COLUMNS}


def summed(desk: Desk, key) -> dict[str, dict[str, object]]:
    """Sums in the shape of expected.json."""
    return {
        name: {
            "messages": sums["calls"],
            **{column: sums[column] for column in TOKENS},
            "cost_usd": f"{Decimal(sums['amount_nano_usd']).scaleb(-9):.8f}",
        }
        for name, sums in grouped(desk.records, key).items()
    }


@pytest.fixture
def developer_data(usage_data: Path) -> tuple[Desk, dict]:
    desk = Desk(CLAUDE_CODE, usage_data / "claude_code")
    desk.run()
    return desk, json.loads((usage_data / "claude_code.expected.json").read_text())


@pytest.mark.requirement("cost:well:claude-code")
def test_the_developer_data_cost_what_they_should_by_model_day_and_session(developer_data) -> None:
    desk, truth = developer_data
    assert summed(desk, lambda _: "all") == {"all": expected(truth["total"])}
    assert truth["total"]["cost_usd"] == "11.04254485"
    by_model = {name: expected(values) for name, values in truth["by_model"].items()}
    assert summed(desk, lambda record: record.model) == by_model
    by_session = {name: expected(values) for name, values in truth["by_session_id"].items()}
    assert summed(desk, lambda record: record.origin.session_id) == by_session
    by_day = {name: expected(values) for name, values in truth["daily"].items()}
    days = {20_494: "2026-02-10", 20_496: "2026-02-12"}
    assert summed(desk, lambda record: days[record.time_us // 86_400_000_000]) == by_day
    assert {record.attributes[0] for record in desk.records} == {"project=-home-user-demo"}


def test_importing_the_developer_data_again_adds_nothing(developer_data) -> None:
    desk, _ = developer_data
    before = list(desk.records)
    again = desk.run()
    assert (desk.records, again.files, again.files_read, again.lines) == (before, 6, 0, 0)


@pytest.mark.requirement("cost:well:naive-fails")
def test_each_wrong_rule_gives_another_sum_on_the_developer_data(usage_data: Path) -> None:
    rows = []
    for path in sorted((usage_data / "claude_code").rglob("*.jsonl")):
        reader = ClaudeCodeReader(path)
        for text in path.read_bytes().splitlines(keepends=True):
            fact, wrapped = reader.fact(text), json.loads(text)["type"] == "progress"
            if fact is not None:
                rows.append((fact, wrapped, price(fact)[0]))
    first: dict[str, int] = {}
    largest: dict[str, int] = {}
    for fact, _, cost in rows:
        first.setdefault(fact.key, cost)
        largest[fact.key] = max(largest.get(fact.key, 0), cost)
    known_outside = {f.key for f, wrapped, _ in rows if wrapped or not f.is_sidechain}
    wrong = {
        "every line": sum(cost for *_, cost in rows),
        "no progress lines, no deduplication": sum(c for _, wrapped, c in rows if not wrapped),
        "first wins": sum(first.values()),
        "sidechains dropped": sum(cost for key, cost in largest.items() if key in known_outside),
        "cache ignored": sum(_without_cache(fact) for fact in _largest(rows)),
    }
    assert {name: str(Decimal(cost).scaleb(-9)) for name, cost in wrong.items()} == {
        "every line": "25.085640150",
        "no progress lines, no deduplication": "23.627474050",
        "first wins": "10.491994850",
        "sidechains dropped": "10.882627750",
        "cache ignored": "0.775673000",
    }


def _largest(rows: list) -> list[UsageFact]:
    found: dict[str, UsageFact] = {}
    for fact, *_ in rows:
        known = found.get(fact.key)
        if known is None or fact.total_tokens > known.total_tokens:
            found[fact.key] = fact
    return list(found.values())


def _without_cache(fact: UsageFact) -> int:
    rates = {OPUS: (5000, 25_000), SONNET: (3000, 15_000), HAIKU: (1000, 5000)}[fact.model]
    return fact.input_tokens * rates[0] + fact.output_tokens * rates[1]


@pytest.mark.requirement("cost:transcripts:attributes")
def test_a_line_becomes_a_fact_of_counts_ids_and_names_alone() -> None:
    entry = with_content(
        line(
            agentId="a1",
            isSidechain=True,
            costUSD=0.0123,
            usage={"speed": "fast", "server_tool_use": {"web_search_requests": 3}},
        ),
        [{"type": "text", "text": "secret"}, *tool_use("Read", "Bash", "Read")],
    )
    assert read(entry) == UsageFact(
        key="anthropic/msg_1/req_1",
        group="anthropic/msg_1",
        source="claude-code",
        provider="anthropic",
        time_us=START_US,
        line_us=START_US,
        model=OPUS,
        input_tokens=2,
        cache_read_tokens=1000,
        cache_write_5m_tokens=60,
        cache_write_1h_tokens=40,
        output_tokens=10,
        reported_nano_usd=12_300_000,
        service_tier="standard",
        speed="fast",
        web_searches=3,
        is_sidechain=True,
        message_id="msg_1",
        request_id="req_1",
        session="session-1",
        project="-Users-me-demo",
        subagent="a1",
        tools=("Bash", "Read"),
    )


@pytest.mark.requirement("cost:transcripts:dedup")
def test_a_growing_message_counts_once_with_its_largest_total(tmp_path: Path) -> None:
    lines = [line(output=1), line(output=40), line(output=7)]
    desk = imported(tmp_path, p__s=lines)
    assert (desk.totals()["calls"], desk.totals()["output_tokens"]) == (1, 40)


@pytest.mark.requirement("cost:transcripts:dedup")
def test_one_message_in_two_files_counts_once(tmp_path: Path) -> None:
    desk = imported(tmp_path, p__s=[line(output=5)], p__resumed=[line(output=5, sessionId="s2")])
    assert desk.totals()["calls"] == 1


def test_a_message_of_two_requests_counts_twice(tmp_path: Path) -> None:
    desk = imported(tmp_path, p__s=[line(request="r1"), line(request="r2")])
    assert desk.totals()["calls"] == 2


def test_the_line_outside_a_sidechain_is_kept_even_if_it_is_smaller(tmp_path: Path) -> None:
    inside = line(output=99, isSidechain=True, agentId="a1")
    desk = imported(tmp_path, p__s=[line(output=5)], p__s__a1=[inside])
    assert (desk.totals()["calls"], desk.totals()["output_tokens"]) == (1, 5)


@pytest.mark.requirement("cost:transcripts:claude-code")
@pytest.mark.parametrize("replay_first", [True, False])
def test_a_sidechain_that_replays_a_message_under_another_request_is_dropped(
    tmp_path: Path, *, replay_first: bool
) -> None:
    replay = line(request="r2", isSidechain=True, usage={"cache_read_input_tokens": 50_000})
    lines = [replay, line(request="r1")] if replay_first else [line(request="r1"), replay]
    desk = imported(tmp_path, p__s=lines)
    assert (desk.totals()["calls"], desk.totals()["cache_read_tokens"]) == (1, 1000)


def test_sidechain_messages_of_their_own_count(tmp_path: Path) -> None:
    own = line("msg_2", "r2", isSidechain=True, agentId="a1", output=20)
    desk = imported(tmp_path, p__s=[line(output=10)], p__s__a1=[own])
    assert desk.totals()["calls"] == 2
    by_agent = grouped(desk.records, lambda record: record.attributes)
    assert {name: sums["output_tokens"] for name, sums in by_agent.items()} == {
        ("project=p",): 10,
        ("project=p", "subagent=a1", "sidechain=true"): 20,
    }


@pytest.mark.requirement("cost:transcripts:claude-code")
def test_a_message_that_stands_in_progress_lines_only_counts(tmp_path: Path) -> None:
    desk = imported(tmp_path, p__s=[progress(line("msg_9", "r9", model=HAIKU), agent="a7")])
    (record,) = desk.records
    assert (record.model, record.origin.session_id) == (HAIKU, "session-1")
    assert record.attributes == ("project=p", "subagent=a7", "sidechain=true")


def test_a_progress_line_and_the_subagents_own_line_are_one_message(tmp_path: Path) -> None:
    own = line(isSidechain=True, agentId="a1", output=80)
    desk = imported(tmp_path, p__s=[progress(line(output=3))], p__s__a1=[own])
    assert (desk.totals()["calls"], desk.totals()["output_tokens"]) == (1, 80)


def test_lines_without_a_message_id_are_never_taken_for_each_other(tmp_path: Path) -> None:
    same = line(message=None)
    desk = imported(tmp_path, p__s=[same, same], p__t=[same])
    assert desk.totals()["calls"] == 3
    written(tmp_path / "projects" / "p" / "s.jsonl", same)
    desk.run()
    desk.run()
    assert desk.totals()["calls"] == 4


def test_lines_without_a_message_id_stay_counted_once_when_their_folder_moves(
    tmp_path: Path,
) -> None:
    desk = imported(tmp_path / "old", p__s=[line(message=None)])
    (tmp_path / "old").rename(tmp_path / "new")
    desk.paths = (tmp_path / "new",)
    desk.run()
    assert desk.totals()["calls"] == 1


def test_of_equal_totals_the_dearer_line_wins_then_one_with_speed(tmp_path: Path) -> None:
    flat = {"cache_creation": None}
    desk = imported(tmp_path, p__s=[line(usage=flat), line(), line(usage=flat)])
    assert desk.totals()["cache_write_1h_tokens"] == 40
    fast = imported(tmp_path / "2", p__s=[line(usage={"speed": "fast"}), line()])
    assert '"speed":"fast"' in fast.records[0].metadata


def test_cache_writes_without_their_split_are_five_minute_writes() -> None:
    fact = read(line(usage={"cache_creation": None}))
    assert (fact.cache_write_5m_tokens, fact.cache_write_1h_tokens) == (100, 0)
    part = read(line(usage={"cache_creation": {"ephemeral_1h_input_tokens": 30}}))
    assert (part.cache_write_5m_tokens, part.cache_write_1h_tokens) == (70, 30)


def test_a_cost_that_was_reported_is_taken_and_kept(tmp_path: Path) -> None:
    desk = imported(tmp_path, p__s=[line(costUSD=0.0123456789), line("m2", "r2")])
    told, computed = sorted(desk.records, key=lambda record: record.provenance == "computed")
    assert (told.amount_nano_usd, told.reported_nano_usd, told.provenance) == (
        12_345_679,
        12_345_679,
        "reported",
    )
    assert (computed.reported_nano_usd, computed.price_id) == (None, f"test/{OPUS}")


def test_lines_of_the_tool_itself_are_no_calls() -> None:
    assert read(line(model="<synthetic>")) is None


def test_usage_elsewhere_on_a_line_is_not_the_messages() -> None:
    result = {"type": "user", "timestamp": "2026-02-10T00:00:00Z", "message": {"content": []}}
    assert read({**result, "toolUseResult": {"usage": {"input_tokens": 5}}}) is None
    hook = {"type": "hook_progress", "message": 'text with "usage" in it'}
    assert read({**result, "type": "progress", "data": hook}) is None
    assert read({"type": "summary", "message": "usage", "usage": "x"}) is None


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (line(message=""), "message.id is empty"),
        (line(request=""), "requestId is empty"),
        (line(model=""), "message.model is empty"),
        (line(sessionId=""), "sessionId is empty"),
        (line(message="a\nb"), "message.id is not printable"),
        (line(version="next"), "version is not of the form 1.2.3"),
        (line(when="1999-01-01T00:00:00Z"), "timestamp is not between the years 2020 and 2099"),
        (
            line(when="2026-02-10T21:54:55"),
            "Expected `datetime` with a timezone component - at `$.timestamp`",
        ),
        (line(costUSD=-1), "cost is not between 0 and 1000000 USD"),
        (line(costUSD="NaN"), "cost is not between 0 and 1000000 USD"),
        (line(output=-1), "Expected `int` >= 0 - at `$.message.usage.output_tokens`"),
        (
            line(output=10**12),
            "Expected `int` <= 1000000000 - at `$.message.usage.output_tokens`",
        ),
        (line(output=True), "Expected `int`, got `bool` - at `$.message.usage.output_tokens`"),
        (line(output=1.5), "Expected `int`, got `float` - at `$.message.usage.output_tokens`"),
        (
            line(model="m" * 10_000),
            "Expected `str` of length <= 256 - at `$.message.model`",
        ),
        (
            progress(line(output=-1)),
            "Expected `int` >= 0 - at `$.data.message.message.usage.output_tokens`",
        ),
        (
            b'{"message":{"usage":{"input_tokens":NaN}}}',
            "JSON is malformed: invalid character (byte 36)",
        ),
        (as_bytes(line())[:200], "Input data was truncated"),
        (b'{"message":"usage', "Input data was truncated"),
        (b"[1, 2]", "Expected `object`, got `array`"),
        (b'["usage"]', "Expected `object`, got `array`"),
        (b"\x00\x00", "JSON is malformed: invalid character (byte 0)"),
        (
            b'{"usage":' + b"[" * 100_000,
            "maximum recursion depth exceeded while deserializing an object",
        ),
    ],
)
def test_a_line_that_can_not_be_is_refused_with_its_reason(entry, reason: str) -> None:
    with pytest.raises(LineError) as error:
        read(entry)
    assert str(error.value) == reason


def test_tools_of_odd_names_or_odd_content_are_left_out() -> None:
    odd = with_content(line(), tool_use("Read", "a\u0000b", "x" * 200, ""))
    assert read(odd).tools == ("Read",)
    assert read(with_content(line(), "tool_use")).tools == ()
    many = with_content(line(), tool_use(*(f"tool{n:03}" for n in range(100))))
    assert read(many).tools == tuple(f"tool{n:03}" for n in range(32))


@pytest.mark.parametrize(
    ("path", "project"),
    [
        ("/h/.claude/projects/-h-demo/s.jsonl", "-h-demo"),
        ("/h/.claude/projects/-h-demo/s/subagents/agent-1.jsonl", "-h-demo"),
        ("/h/projects/x/.claude/projects/-h-demo/s.jsonl", "-h-demo"),
        ("/backup/-h-demo/s/subagents/deeper/agent-1.jsonl", "-h-demo"),
        ("/backup/-h-demo/s.jsonl", "-h-demo"),
    ],
)
def test_the_project_is_known_from_the_path_however_it_was_given(path: str, project: str) -> None:
    assert read(line(), Path(path)).project == project


@pytest.mark.requirement("cost:transcripts:claude-code")
def test_default_folders_are_those_that_hold_projects(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="give PATH or CLAUDE_CONFIG_DIR"):
        default_folders({}, tmp_path)
    for name in (".claude", ".config/claude", "one", "two"):
        (tmp_path / name / "projects").mkdir(parents=True)
    assert default_folders({}, tmp_path) == [tmp_path / ".config/claude", tmp_path / ".claude"]
    listed = f"{tmp_path}/one, ~/two,{tmp_path}/three,{tmp_path}/one/projects"
    assert default_folders({"CLAUDE_CONFIG_DIR": listed}, tmp_path) == [
        tmp_path / "one",
        tmp_path / "two",
        tmp_path / "one" / "projects",
    ]
    with pytest.raises(NotFoundError):
        default_folders({"CLAUDE_CONFIG_DIR": f"{tmp_path}/three"}, tmp_path)


def test_a_path_may_be_the_configuration_the_projects_a_project_or_a_file(tmp_path: Path) -> None:
    written(tmp_path / "projects" / "p" / "s.jsonl", line())
    written(tmp_path / "history.jsonl", line("elsewhere"))
    desk = Desk(CLAUDE_CODE)
    for place in ("", "projects", "projects/p", "projects/p/s.jsonl"):
        desk.paths = (tmp_path / place,)
        assert desk.run().files == 1
    assert desk.totals()["calls"] == 1
