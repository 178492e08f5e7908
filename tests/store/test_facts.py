"""Cursors, facts and the journal in SQL."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from contextframe_monitoring.core.errors import ConflictError, UnavailableError
from contextframe_monitoring.store import facts as state
from contextframe_monitoring.store.facts import Cursor, FactRow

POSTGRES_URL = os.environ.get("CONTEXTFRAME_TEST_POSTGRES")
"""SQLAlchemy URL of a database that the tests may empty; without it they run on SQLite alone."""


@pytest.fixture(params=["sqlite", *(["postgresql"] if POSTGRES_URL else [])])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        url, arguments = f"sqlite:///{tmp_path / 'state.db'}", {"timeout": 0}
    else:
        url, arguments = POSTGRES_URL, {"options": "-c lock_timeout=10"}
    engine = create_engine(url, connect_args=arguments)
    state.METADATA.drop_all(engine)
    state.create_tables(engine)
    yield engine
    engine.dispose()


def cursor(path: str, **values: object) -> Cursor:
    zero = {"inode": "7", "size": 10, "mtime_ns": 2**61, "offset": 9, "lines": 3}
    return Cursor(source="claude-code", path=path, digest=b"d" * 16, **{**zero, **values})


def row(key: str, group: str = "g", **values: object) -> FactRow:
    rest = {"time_us": 5, "revision": 1, "counted": True, "amount_nano_usd": 2**40}
    fixed = {"price_id": None, "body": b"\x00\xff"}
    return FactRow(key=key, group=group, **{**fixed, **rest, **values})


def test_cursors_come_back_as_they_were_and_replace_each_other(engine: Engine) -> None:
    long = "/" + "x" * 5000
    with engine.begin() as connection:
        state.write_cursors(connection, [cursor("/a"), cursor(long, context=b"c")])
        state.write_cursors(connection, [cursor("/a", offset=12)])
        state.write_cursors(connection, [])
    with engine.connect() as connection:
        assert state.read_cursors(connection, "claude-code") == {
            "/a": cursor("/a", offset=12),
            long: cursor(long, context=b"c"),
        }
        assert state.read_cursors(connection, "codex") == {}


def test_facts_are_found_by_group_however_many_there_are(engine: Engine) -> None:
    rows = [row(f"k{n}", f"g{n // 2}", amount_nano_usd=None, counted=False) for n in range(2400)]
    with engine.begin() as connection:
        state.write_facts(connection, rows, [])
        state.write_facts(connection, [row("k1", "g0", revision=2), row("new")], ["k1"])
        found = state.read_groups(connection, [f"g{n}" for n in range(600)])
    assert sorted(found, key=lambda fact: fact.key) == sorted(
        [row("k1", "g0", revision=2), rows[0], *rows[2:1200]], key=lambda fact: fact.key
    )


def test_pages_hold_counted_facts_in_the_order_of_their_keys(engine: Engine) -> None:
    rows = [row(f"k{n}", counted=n != 1) for n in range(5)]
    with engine.begin() as connection:
        state.write_facts(connection, rows, [])
        assert state.read_page(connection, "", 2) == [rows[0], rows[2]]
        assert state.read_page(connection, "k2", 9) == rows[3:]


def test_facts_before_a_time_are_forgotten(engine: Engine) -> None:
    with engine.begin() as connection:
        state.write_facts(connection, [row(f"k{n}", time_us=n) for n in range(5)], [])
        assert state.forget_facts(connection, 3) == 3
        assert [fact.key for fact in state.read_page(connection, "", 9)] == ["k3", "k4"]


def test_the_journal_has_one_slot(engine: Engine) -> None:
    with engine.begin() as connection:
        assert state.read_journal(connection) is None
        state.claim_journal(connection)
        state.write_journal(connection, b"batch")
    with engine.connect() as connection:
        assert state.read_journal(connection) == b"batch"
        with pytest.raises(ConflictError):
            state.claim_journal(connection)
    with engine.begin() as connection:
        state.clear_journal(connection)
        state.claim_journal(connection)


def test_a_state_that_is_locked_is_said_to_be(engine: Engine) -> None:
    with engine.begin() as one, engine.connect() as other:
        state.claim_journal(one)
        with pytest.raises(UnavailableError, match="locked by another process"):
            state.claim_journal(other)


def test_selected_facts_are_forgotten_however_many_there_are(engine: Engine) -> None:
    rows = [row(f"k{n:04}", body=b"gone" if n % 2 else b"kept") for n in range(4100)]
    with engine.begin() as connection:
        state.write_facts(connection, rows, [])
        state.write_cursors(connection, [cursor("/a")])
    assert state.forget_selected(engine, lambda body: body == b"gone") == 2050
    assert state.forget_selected(engine, lambda body: body == b"gone") == 0
    assert state.forget_all(engine) == 2050
    with engine.connect() as connection:
        assert state.read_cursors(connection, "claude-code") == {}


def test_nothing_is_forgotten_while_an_import_is_at_work(engine: Engine) -> None:
    with engine.begin() as connection:
        state.write_facts(connection, [row("k")], [])
        state.claim_journal(connection)
    with pytest.raises(ConflictError):
        state.forget_selected(engine, lambda _: True)
    with pytest.raises(ConflictError):
        state.forget_all(engine)


def test_a_store_without_imports_has_nothing_to_forget() -> None:
    engine = create_engine("sqlite://")
    assert state.forget_selected(engine, lambda _: True) == 0
    assert state.forget_all(engine) == 0
    engine.dispose()
