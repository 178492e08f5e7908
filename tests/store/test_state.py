"""The state: made once by many, and every trouble with it says what to do."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.store.ledger import Ledger, WriterState
from contextframe_monitoring.store.state import STATE_FILE, open_state
from tests.nobody import nobody, open_to_all
from tests.small_disk import small_disk

WRITER = WriterState(writer="w", drained_seq=3, label="me", pid=1, created_us=1, ended=False)
OPEN = """
import sys
from pathlib import Path
from contextframe_monitoring.store.ledger import Ledger
from contextframe_monitoring.store.state import open_state
print("ready", flush=True)
sys.stdin.readline()
engine = open_state(Path(sys.argv[1]), create=True)
print(Ledger(engine).position())
"""


def made(folder: Path) -> Ledger:
    engine = open_state(folder, create=True)
    assert engine is not None
    return Ledger(engine)


def test_there_is_no_state_until_it_is_made(tmp_path: Path) -> None:
    assert open_state(tmp_path, create=False) is None
    made(tmp_path).meet([WRITER])
    engine = open_state(tmp_path, create=False)
    assert engine is not None
    assert Ledger(engine).known_writers() == [WRITER]


def test_a_file_that_was_left_before_it_was_filled_is_no_state_yet(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).touch()
    assert open_state(tmp_path, create=False) is None
    with sqlite3.connect(tmp_path / STATE_FILE) as connection:
        connection.execute("CREATE TABLE meta (key VARCHAR(64) PRIMARY KEY, value TEXT NOT NULL)")
    connection.close()
    assert open_state(tmp_path, create=False) is None
    assert made(tmp_path).position() == (0, {})


def test_processes_that_make_it_at_the_same_time_all_succeed(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in processes] == ["(0, {})\n"] * 4


@pytest.mark.requirement("spine:fault:newer")
def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    made(tmp_path)
    with sqlite3.connect(tmp_path / STATE_FILE) as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
    connection.close()
    with pytest.raises(StoreError) as caught:
        open_state(tmp_path, create=True)
    assert str(caught.value) == (
        f"store '{tmp_path}' can't be used: its state has format 2, this program knows 1; "
        "upgrade contextframe-monitoring"
    )


@pytest.mark.parametrize("create", [True, False])
def test_a_file_that_is_no_database_names_the_remedy(tmp_path: Path, create: bool) -> None:
    (tmp_path / STATE_FILE).write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError) as caught:
        open_state(tmp_path, create=create)
    assert caught.value.reason == "its state.db can't be used (file is not a database)"
    assert "move state.db aside" in str(caught.value)


def test_damage_that_is_met_later_names_the_remedy_too(tmp_path: Path) -> None:
    ledger = made(tmp_path)
    ledger.note_losses({"w": {f"a reason {number}": number for number in range(2000)}})
    ledger._engine.dispose()
    path = tmp_path / STATE_FILE
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = os.urandom(len(data) - len(data) // 2)
    path.write_bytes(data)
    engine = open_state(tmp_path, create=False)
    assert engine is not None
    with pytest.raises(StoreError, match=r"malformed.*move state.db aside"):
        Ledger(engine).losses()


def test_a_locked_state_names_who_to_look_for(tmp_path: Path) -> None:
    ledger = made(tmp_path)
    with ledger._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")  # not ten seconds in a test
    other = sqlite3.connect(tmp_path / STATE_FILE)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreError) as caught:
            ledger.meet([WRITER])
    finally:
        other.close()
    assert caught.value.reason == "its state.db can't be used (database is locked)"
    ledger.meet([WRITER])
    assert ledger.known_writers() == [WRITER]


def test_readers_are_not_held_up_by_a_writer(tmp_path: Path) -> None:
    ledger = made(tmp_path)
    ledger.meet([WRITER])
    other = sqlite3.connect(tmp_path / STATE_FILE)
    other.execute("BEGIN IMMEDIATE")
    assert ledger.position() == (0, {"w": 3})
    other.close()


@pytest.mark.requirement("spine:fault:full")
def test_a_full_disk_is_named_and_nothing_is_lost_when_it_has_room_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 800 << 10) as disk:
        ledger = made(disk.path)
        ledger.meet([WRITER])
        many = {f"a reason {number}": number for number in range(12_000)}
        with pytest.raises(StoreError, match=r"full.*free space"):
            ledger.note_losses({"w": many})
        assert ledger.known_writers() == [WRITER]
        disk.resize(8 << 20)
        ledger.note_losses({"w": {"disk_full": 1}})
        assert ledger.losses()["w"] == {"disk_full": 1}
        ledger._engine.dispose()


def test_a_conflict_is_left_to_the_caller(tmp_path: Path) -> None:
    ledger = made(tmp_path)
    ledger.meet([WRITER])
    with pytest.raises(sa.exc.IntegrityError), ledger._engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO writers SELECT * FROM writers")


def test_who_may_not_write_sees_what_was_written_last(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    writing = made(folder)
    writing.meet([WRITER])  # stands in the log beside the database while its writer lives
    open_to_all(folder)
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    with nobody():
        engine = open_state(folder, create=False)
        assert engine is not None
        assert Ledger(engine).known_writers() == [WRITER]
    later = dataclasses.replace(WRITER, writer="later")
    writing.meet([later])
    with nobody():
        assert Ledger(engine).known_writers() == [WRITER, later]
    folder.chmod(0o755)
