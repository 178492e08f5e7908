"""Imports of whole folders: increments, growth, rewriting, reports, and what is never kept."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contextframe_monitoring.ingest.transcripts.claude_code import CLAUDE_CODE, ClaudeCodeReader
from contextframe_monitoring.ingest.transcripts.codex import CODEX
from contextframe_monitoring.ingest.transcripts.import_report import (
    NAMED_MAX,
    ImportReport,
    Progress,
    SkippedLine,
)
from contextframe_monitoring.ingest.transcripts.settlement import calls_of
from contextframe_monitoring.store import facts as state
from tests.ingest.transcripts.desk import (
    OPUS,
    SONNET,
    Desk,
    as_bytes,
    by_dimensions,
    line,
    price,
    progress,
    tool_use,
    with_content,
    written,
)

MINUTES = st.integers(0, 3).map(lambda minute: f"2026-02-10T21:{minute:02}:00Z")


@st.composite
def lines(draw: st.DrawFn) -> dict:
    """Lines of few messages, so that every rule meets every other."""
    message = draw(st.sampled_from(["m1", "m2", "m3", None]))
    entry = line(
        message,
        draw(st.sampled_from(["r1", "r2"])),
        model=SONNET if message == "m2" else OPUS,
        when=draw(MINUTES),
        output=draw(st.integers(0, 3)),
        isSidechain=draw(st.booleans()),
        sessionId=draw(st.sampled_from(["s1", "s2"])),
        agentId=draw(st.sampled_from([None, "a1"])),
        costUSD=draw(st.sampled_from([None, None, 0.5])),
        usage={
            "cache_creation": draw(st.sampled_from([None, {"ephemeral_1h_input_tokens": 100}])),
            "speed": draw(st.sampled_from([None, "fast"])),
        },
    )
    entry = with_content(entry, tool_use(*draw(st.sampled_from([[], ["Bash"], ["Read"]]))))
    return progress(entry) if message and draw(st.booleans()) else entry


def truth(entries: list[dict]) -> tuple[int, int, int]:
    """Calls, output tokens and nano-dollars by the rules, worked out the long way."""
    facts = [ClaudeCodeReader(Path("/p/s.jsonl")).fact(as_bytes(entry)) for entry in entries]
    anonymous = [fact for fact in facts if fact.message_id is None]
    keys = {(fact.message_id, fact.request_id) for fact in facts} - {(None, "r1"), (None, "r2")}
    kept = {}
    for key in keys:
        same = [fact for fact in facts if (fact.message_id, fact.request_id) == key]
        same = [fact for fact in same if not fact.is_sidechain] or same
        most = max(fact.total_tokens for fact in same)
        same = [fact for fact in same if fact.total_tokens == most]
        told = [fact for fact in same if fact.reported_nano_usd is not None]
        kept[key] = max(told or same, key=lambda fact: price(fact)[0])
    counted = list(anonymous)
    for message in {message for message, _ in keys}:
        group = [fact for (name, _), fact in kept.items() if name == message]
        outside = [fact for fact in group if not fact.is_sidechain]
        counted += outside or [max(group, key=_preference)]
    cost = sum(
        price(fact)[0] if fact.reported_nano_usd is None else fact.reported_nano_usd
        for fact in counted
    )
    return len(counted), sum(fact.output_tokens for fact in counted), cost


def _preference(fact) -> tuple[int, int, int]:
    reported = -1 if fact.reported_nano_usd is None else fact.reported_nano_usd
    return fact.total_tokens, reported, price(fact)[0]


@pytest.mark.requirement("cost:shown:laws")
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(entries=st.lists(lines(), max_size=14), data=st.data())
def test_any_order_and_any_split_of_lines_and_imports_gives_the_same_sums(
    tmp_path_factory: pytest.TempPathFactory, entries: list[dict], data: st.DataObject
) -> None:
    once = tmp_path_factory.mktemp("once")
    written(once / "p" / "all.jsonl", *entries)
    at_once = Desk(CLAUDE_CODE, once)
    at_once.run()
    parts = tmp_path_factory.mktemp("parts")
    desk = Desk(CLAUDE_CODE, parts)
    desk.batch_facts_max = data.draw(st.integers(1, 5), "batch_facts_max")
    for entry in data.draw(st.permutations(entries), "order"):
        written(parts / "p" / f"{data.draw(st.sampled_from('xyz'), 'file')}.jsonl", entry)
        if data.draw(st.booleans(), "import now"):
            desk.run()
    parts.joinpath("p").mkdir(exist_ok=True)
    desk.run()
    desk.run()
    assert by_dimensions(desk.records) == by_dimensions(at_once.records)
    totals = desk.totals()
    found = (totals["calls"], totals["output_tokens"], totals["amount_nano_usd"])
    assert found == truth(entries)


@pytest.mark.requirement("cost:bad:files")
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(entries=st.lists(lines(), min_size=1, max_size=8), data=st.data())
def test_a_file_that_grows_byte_by_byte_shrinks_and_is_rewritten_ends_the_same(
    tmp_path_factory: pytest.TempPathFactory, entries: list[dict], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("grows")
    path = written(folder / "p" / "s.jsonl", *entries)
    content = path.read_bytes()
    at_once = Desk(CLAUDE_CODE, folder)
    at_once.run()
    desk = Desk(CLAUDE_CODE, folder)
    for size in data.draw(st.lists(st.integers(0, len(content)), max_size=6), "sizes"):
        path.write_bytes(content[:size])
        desk.run()
    path.write_bytes(content)
    desk.run()
    assert by_dimensions(desk.records) == by_dimensions(at_once.records)
    path.write_bytes(b"".join(reversed(content.splitlines(keepends=True))))
    desk.run()
    assert by_dimensions(desk.records) == by_dimensions(at_once.records)


@pytest.mark.requirement("cost:transcripts:incremental")
def test_a_second_import_reads_only_what_is_new(tmp_path: Path) -> None:
    path = written(tmp_path / "p" / "s.jsonl", line("m1"))
    written(tmp_path / "p" / "t.jsonl", line("m2"))
    desk = Desk(CLAUDE_CODE, tmp_path)
    first = desk.run()
    assert (first.files, first.files_read, first.lines, first.calls) == (2, 2, 2, 2)
    written(path, line("m3"))
    second = desk.run()
    size = len(as_bytes(line("m3")))
    assert (second.files_read, second.lines, second.bytes_read, second.calls) == (1, 1, size, 1)


@pytest.mark.requirement("cost:transcripts:incremental")
def test_the_last_message_of_a_file_is_corrected_when_it_grows(tmp_path: Path) -> None:
    path = written(tmp_path / "p" / "s.jsonl", line(output=4))
    desk = Desk(CLAUDE_CODE, tmp_path)
    desk.run()
    written(path, line(output=9, when="2026-02-10T21:54:58Z"))
    report = desk.run()
    (delta,) = desk.records[1:]
    assert (calls_of(delta.metadata), delta.output_tokens, delta.amount_nano_usd) == (0, 5, 125_000)
    assert (delta.time_us, report.calls, report.tokens) == (desk.records[0].time_us, 0, 5)


def test_a_file_that_is_deleted_stays_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "p" / "s.jsonl", line())
    desk = Desk(CLAUDE_CODE, tmp_path)
    desk.run()
    content = path.read_bytes()
    path.unlink()
    assert desk.run().files == 0
    path.write_bytes(content)
    assert (desk.run().records, desk.totals()["calls"]) == (0, 1)


def test_facts_that_are_forgotten_are_not_missed_while_their_file_stays_as_it_is(
    tmp_path: Path,
) -> None:
    written(tmp_path / "p" / "s.jsonl", line())
    desk = Desk(CLAUDE_CODE, tmp_path)
    desk.run()
    with desk.engine.begin() as connection:
        assert state.forget_facts(connection, desk.records[0].time_us) == 0
        # the call, and the mark of its session
        assert state.forget_facts(connection, desk.records[0].time_us + 1) == 2
    assert desk.run().records == 0


@pytest.mark.requirement("cost:bad:lines")
def test_damaged_lines_are_skipped_counted_and_named(tmp_path: Path) -> None:
    whole = as_bytes(line("m1"))
    path = written(
        tmp_path / "p" / "s.jsonl",
        whole,
        whole[:250] + b"\n",
        b"\n",
        line("m2", output=-5),
        line("m3"),
        b'{"type":"user"\n',
        line("m4")["message"],
        whole[:-1],
    )
    desk = Desk(CLAUDE_CODE, tmp_path)
    report = desk.run()
    assert report == ImportReport(
        source="claude-code",
        files=1,
        files_read=1,
        lines=7,
        bytes_read=path.stat().st_size - len(whole) + 1,
        usage_lines=2,
        records=2,
        calls=2,
        tokens=2 * 1112,
        amount_nano_usd=desk.totals()["amount_nano_usd"],
        unfinished=1,
        skipped_lines=3,
        skipped=[
            SkippedLine(
                file=str(path), line=2, reason="JSON is malformed: invalid character (byte 250)"
            ),
            SkippedLine(
                file=str(path),
                line=4,
                reason="Expected `int` >= 0 - at `$.message.usage.output_tokens`",
            ),
            SkippedLine(file=str(path), line=6, reason="Input data was truncated"),
        ],
    )


def test_a_report_names_a_bounded_number_of_lines_and_models(tmp_path: Path) -> None:
    many = range(NAMED_MAX + 10)
    written(tmp_path / "p" / "bad.jsonl", *([b"{\n"] * len(many)))
    written(tmp_path / "p" / "new.jsonl", *(line(f"m{n}", model=f"model-{n}") for n in many))
    report = Desk(CLAUDE_CODE, tmp_path).run()
    assert (report.skipped_lines, len(report.skipped)) == (NAMED_MAX + 10, NAMED_MAX)
    assert (report.unpriced_calls, len(report.unpriced)) == (NAMED_MAX + 10, NAMED_MAX)


def test_a_file_that_can_not_be_read_is_named_and_the_rest_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "p" / "a.jsonl", line("m1"))
    closed = written(tmp_path / "p" / "b.jsonl", line("m2"))
    opened = Path.open

    def guarded(self: Path, *args, **kwargs):
        if self == closed:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", guarded)
    desk = Desk(CLAUDE_CODE, tmp_path)
    report = desk.run()
    assert (report.unreadable, report.calls) == ([str(closed)], 1)
    monkeypatch.undo()
    assert desk.run().calls == 1


def test_names_of_any_bytes_are_imported(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/p\xff\n")
    written(Path(folder) / "s.jsonl", line())
    desk = Desk(CLAUDE_CODE, tmp_path)
    desk.run()
    assert desk.run().files_read == 0
    assert desk.records[0].attributes == ("project=p\\udcff\\n",)


@pytest.mark.requirement("cost:transcripts:progress")
def test_progress_tells_of_every_file_and_every_batch(tmp_path: Path) -> None:
    written(tmp_path / "p" / "a.jsonl", *(line(f"a{n}") for n in range(5)))
    last = written(tmp_path / "p" / "b.jsonl", line("b"))
    desk = Desk(CLAUDE_CODE, tmp_path)
    desk.batch_facts_max = 2
    told: list[Progress] = []
    desk.importer().run(told.append)
    size = len(as_bytes(line("a1")))
    total = 5 * size + last.stat().st_size
    assert [(one.files_done, one.lines, one.bytes_done) for one in told] == [
        (0, 2, 2 * size),
        (0, 4, 4 * size),
        (1, 5, 5 * size),
        (1, 6, total),
        (2, 6, total),
        (2, 6, total),
    ]
    assert {(one.files_total, one.bytes_total) for one in told} == {(2, total)}


@pytest.mark.requirement("cost:transcripts:contents")
def test_nothing_of_the_conversation_is_kept_anywhere(tmp_path: Path) -> None:
    secret = "hunter2-of-the-conversation"
    content = [
        {"type": "text", "text": secret},
        {"type": "thinking", "thinking": secret},
        {"type": "tool_use", "id": secret, "name": "Bash", "input": {"command": secret}},
    ]
    kept = with_content(line("m1", cwd=f"/{secret}", gitBranch=secret, uuid=secret), content)
    prompt = {"type": "user", "timestamp": "2026-02-10T00:00:00Z", "message": {"content": secret}}
    broken = with_content(line("m2", output=-1), content)
    quoting = {**prompt, "message": {"usage": secret}, "toolUseResult": {"usage": secret}}
    entries = [kept, prompt, broken, quoting, f'{{"a":"{secret}\n'.encode()]
    written(tmp_path / "data" / "p" / "s.jsonl", *entries, line(None, cwd=secret))
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{tmp_path / 'state.db'}")
    state.create_tables(engine)
    desk = Desk(CLAUDE_CODE, tmp_path / "data", engine=engine)
    bodies = []
    desk.accepts = lambda _: bool(bodies.append(_journal(engine))) or True
    report = desk.run()
    engine.dispose()
    assert (desk.totals()["calls"], report.skipped_lines) == (2, 3)
    everything = [repr(desk.records), repr(report), repr(bodies)]
    assert [secret in text for text in everything] == [False] * 3
    assert secret.encode() not in (tmp_path / "state.db").read_bytes()


def _journal(engine) -> bytes | None:
    with engine.connect() as connection:
        return state.read_journal(connection)


def test_two_tools_share_one_state(tmp_path: Path) -> None:
    written(tmp_path / "claude" / "p" / "s.jsonl", line())
    usage = {"input_tokens": 7, "output_tokens": 1}
    info = {"last_token_usage": usage, "total_token_usage": usage, "model": "gpt-5.2-codex"}
    payload = {"type": "token_count", "info": info}
    event = {"timestamp": "2026-05-13T09:00:00Z", "type": "event_msg", "payload": payload}
    written(tmp_path / "codex" / "rollout-a.jsonl", event)
    claude = Desk(CLAUDE_CODE, tmp_path / "claude")
    codex = Desk(CODEX, tmp_path / "codex", engine=claude.engine)
    assert (claude.run().calls, codex.run().calls) == (1, 1)
    assert (claude.run().files_read, codex.run().files_read) == (0, 0)
