"""Once and only once, wherever the process dies."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import ConflictError, StoreError, UnavailableError
from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.ingest.recorder import open_recorder
from contextframe_monitoring.ingest.transcripts.books import BATCH_VERSION, Books
from contextframe_monitoring.ingest.transcripts.claude_code import CLAUDE_CODE
from contextframe_monitoring.ingest.transcripts.importer import Importer
from contextframe_monitoring.ingest.transcripts.settlement import calls_of
from contextframe_monitoring.store import facts as state
from tests.ingest.transcripts.desk import OPUS, Desk, by_dimensions, line, price, written
from tests.recorded import recorded


class Crash(Exception):  # noqa: N818
    """The process dies here."""


def transcript(folder: Path, *names: str, output: int = 10) -> None:
    written(folder / "p" / "s.jsonl", *(line(name, f"r{name}", output=output) for name in names))


def journal(engine: Engine) -> bytes | None:
    with engine.connect() as connection:
        return state.read_journal(connection)


def crash_at(desk: Desk, number: int, *, after: bool) -> None:
    """Let the process die at the record of this number, before or after it is safe."""
    calls = iter(range(1, 1_000_000))

    def accepts(record: CostRecord) -> bool:
        if next(calls) == number:
            if after:
                desk.records.append(record)
            raise Crash
        return True

    desk.accepts = accepts


def revive(desk: Desk) -> None:
    desk.accepts = lambda _: True


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_crash_while_recording_is_made_good_by_the_next_import(
    tmp_path: Path, engine: Engine, number: int, *, after: bool
) -> None:
    desk = Desk(CLAUDE_CODE, tmp_path, engine=engine)
    transcript(tmp_path, "a", "b")
    desk.run()
    transcript(tmp_path, "b", "c", "d", output=30)
    crash_at(desk, number, after=after)
    if number < 4:
        with pytest.raises(Crash):
            desk.run()
        assert journal(engine) is not None
        revive(desk)
    report = desk.run()
    assert journal(engine) is None
    assert report.finished_records == (0 if number == 4 else 4 - number - after)
    at_once = Desk(CLAUDE_CODE, tmp_path)
    at_once.run()
    assert by_dimensions(desk.records) == by_dimensions(at_once.records)
    assert len(desk.records) == 5


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_crash_at_any_points_then_an_import_is_one_import(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("crash")
    desk = Desk(CLAUDE_CODE, folder)
    desk.batch_facts_max = data.draw(st.integers(1, 4), "batch_facts_max")
    left = {"steps": 0}

    def step(*_: object) -> None:
        if left["steps"] == 0:
            raise Crash
        left["steps"] -= 1

    def accepts(record: CostRecord) -> bool:
        step()
        if left["steps"] == 0:
            desk.records.append(record)
            raise Crash
        return True

    desk.accepts = accepts
    event.listen(desk.engine, "commit", step)
    messages = st.tuples(st.sampled_from("abcd"), st.integers(1, 3), st.booleans())
    for _ in range(data.draw(st.integers(1, 4), "growths")):
        entries = [
            line(name, f"r{name}{int(side)}", output=output, isSidechain=side)
            for name, output, side in data.draw(st.lists(messages, min_size=1, max_size=5))
        ]
        written(folder / "p" / f"{data.draw(st.sampled_from('st'))}.jsonl", *entries)
        left["steps"] = data.draw(st.integers(0, 16), "steps until the crash")
        try:
            desk.run()
        except Crash:
            continue
    left["steps"] = 1_000_000
    desk.run()
    at_once = Desk(CLAUDE_CODE, folder)
    at_once.run()
    assert by_dimensions(desk.records) == by_dimensions(at_once.records)
    assert journal(desk.engine) is None
    names = [(record.fact_id, record.metadata) for record in desk.records]
    assert len(set(names)) == len(names)


def test_a_refused_record_stops_the_import_and_the_next_one_goes_on(
    tmp_path: Path, engine: Engine
) -> None:
    desk = Desk(CLAUDE_CODE, tmp_path, engine=engine)
    transcript(tmp_path, "a", "b", "c")
    desk.accepts = lambda _: len(desk.records) < 1
    with pytest.raises(UnavailableError, match="refused cost record 2 of 3: nothing is lost"):
        desk.run()
    with pytest.raises(UnavailableError, match="refused cost record 1 of 2: nothing is lost"):
        desk.run()
    revive(desk)
    assert (desk.run().finished_records, desk.totals()["calls"]) == (2, 3)


def test_two_imports_do_not_settle_at_the_same_time(tmp_path: Path, engine: Engine) -> None:
    desk = Desk(CLAUDE_CODE, tmp_path, engine=engine)
    transcript(tmp_path, "a")
    other = Desk(CLAUDE_CODE, tmp_path, engine=engine)

    def accepts(_: CostRecord) -> bool:
        with pytest.raises(ConflictError, match="another import is at work in this store"):
            other.books.settle([], [])
        return True

    desk.accepts = accepts
    desk.run()
    assert (desk.totals()["calls"], other.records) == (1, [])
    other.books.settle([], [])


@pytest.mark.parametrize(
    "body", [b"\xff", msgspec.msgpack.encode([BATCH_VERSION + 1, [], [], [], []])]
)
def test_a_journal_of_another_version_is_left_in_place(
    tmp_path: Path, engine: Engine, body: bytes
) -> None:
    with engine.begin() as connection:
        state.claim_journal(connection)
        state.write_journal(connection, body)
    with pytest.raises(StoreError, match="its import journal holds a batch of another version"):
        Desk(CLAUDE_CODE, tmp_path, engine=engine).run()
    assert journal(engine) == body


def test_what_had_no_price_is_priced_later_and_its_history_kept(
    tmp_path: Path, engine: Engine
) -> None:
    desk = Desk(CLAUDE_CODE, tmp_path, engine=engine)
    written(tmp_path / "p" / "s.jsonl", line("m1"), line("m2", model="claude-next"))
    report = desk.run()
    assert (report.unpriced, report.calls) == ({"claude-next": 1}, 2)
    assert [len(page) for page in desk.books.reprice()] == [0]

    def later(fact) -> tuple[int | None, str | None]:
        return (77, "claude-next/2026-03") if fact.model == "claude-next" else price(fact)

    desk.price = later
    (page,) = desk.books.reprice()
    assert [(calls_of(record.metadata), record.amount_nano_usd) for record in page] == [
        (-1, None),
        (1, 77),
    ]
    assert desk.records[-2:] == page
    known = sum(record.amount_nano_usd for record in desk.records if record.model == OPUS)
    assert desk.totals()["amount_nano_usd"] == known + 77
    assert [len(page) for page in desk.books.reprice()] == [0]
    written(tmp_path / "p" / "s.jsonl", line("m2", model="claude-next", output=99))
    desk.run()
    assert desk.totals()["amount_nano_usd"] == known + 77


def test_a_crash_while_pricing_anew_is_made_good(tmp_path: Path, engine: Engine) -> None:
    desk = Desk(CLAUDE_CODE, tmp_path, engine=engine)
    transcript(tmp_path, "a", "b", "c")
    desk.run()
    desk.price = lambda fact: (price(fact)[0] + 1, "new")
    crash_at(desk, 2, after=True)
    with pytest.raises(Crash):
        list(desk.books.reprice())
    revive(desk)
    assert sum(len(page) for page in desk.books.reprice()) == 0
    assert sum(record.amount_nano_usd for record in desk.records[3:]) == 3


def test_a_process_that_dies_between_spool_and_state_counts_once(
    tmp_path: Path, engine: Engine
) -> None:
    """With the recorder that ships: what the spool holds is found there again."""
    desk = Desk(CLAUDE_CODE, tmp_path / "data", engine=engine)
    transcript(tmp_path / "data", "a", "b", "c", "d")
    config = MonitoringConfig(store=str(tmp_path / "store"), start_keeper=False)
    first = open_recorder(config, label="import")

    def record_two(record: CostRecord) -> bool:
        if first.recorded == 2:
            raise Crash
        return first.record(record)

    def stored_facts(_: object) -> dict[str, int]:
        desk.records = recorded(tmp_path / "store" / "spool")
        return desk.stored_facts({record.fact_id for record in desk.records})

    def importer(record) -> Importer:
        books = Books(engine, price=price, record=record, stored_facts=stored_facts)
        return Importer(CLAUDE_CODE, desk.paths, books)

    with pytest.raises(Crash):
        importer(record_two).run()
    second = open_recorder(config, label="import")
    report = importer(second.record).run()
    second.close()
    first.close()
    assert (report.finished_records, report.calls) == (2, 0)
    standing = recorded(tmp_path / "store" / "spool")
    assert sorted(record.operation_id for record in standing) == ["ra", "rb", "rc", "rd"]
