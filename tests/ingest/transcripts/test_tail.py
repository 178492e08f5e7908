"""Reading on where a file was left."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.ingest.transcripts import tail as tail_module
from contextframe_monitoring.ingest.transcripts.tail import LINE_BYTES_MAX, Tail, is_unchanged
from contextframe_monitoring.store.facts import Cursor


def read(path: Path, cursor: Cursor | None = None) -> tuple[list[bytes | None], Cursor]:
    tail = Tail(path, cursor)
    lines = list(tail.lines())
    return lines, tail.cursor("test", tail.context or b"context")


def test_the_next_reading_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\ntwo\n")
    lines, cursor = read(path)
    assert (lines, cursor.offset, cursor.lines) == ([b"one\n", b"two\n"], 8, 2)
    with path.open("ab") as file:
        file.write(b"three\n")
    tail = Tail(path, cursor)
    assert (list(tail.lines()), tail.number, tail.context) == ([b"three\n"], 3, b"context")


def test_a_line_without_its_end_is_left_for_the_next_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\nhal")
    tail = Tail(path)
    assert (list(tail.lines()), tail.offset, tail.is_unfinished) == ([b"one\n"], 4, True)
    path.write_bytes(b"one\nhalf\n")
    assert read(path, tail.cursor("test", None))[0] == [b"half\n"]


@pytest.mark.parametrize(
    "content", [b"", b"one\n", b"ONE\ntwo\n", b"ONE\ntwo\nthree\n", b"other\n" * 9]
)
def test_a_file_that_shrank_or_was_rewritten_is_read_from_its_start(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\ntwo\n")
    _, cursor = read(path)
    path.write_bytes(content)
    tail = Tail(path, cursor)
    assert (list(tail.lines()), tail.context) == (content.splitlines(keepends=True), None)


def test_a_line_that_is_too_long_is_passed_over_once_it_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "LINE_BYTES_MAX", 8)
    monkeypatch.setattr(tail_module, "_CHUNK_BYTES", 8)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\n" + b"x" * 100)
    lines, cursor = read(path)
    assert (lines, cursor.offset) == ([b"one\n"], 4)
    with path.open("ab") as file:
        file.write(b"x\nlast\n")
    lines, cursor = read(path, cursor)
    assert (lines, cursor.lines) == ([None, b"last\n"], 3)
    assert read(path, cursor)[0] == []
    assert LINE_BYTES_MAX == 16 * 1024 * 1024


def test_a_cursor_from_the_middle_never_passes_for_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\ntwo\nthree\n")
    tail = Tail(path)
    lines = tail.lines()
    assert next(lines) == b"one\n"
    middle = tail.cursor("test", None)
    assert not is_unchanged(middle, path.stat())
    assert list(lines) == [b"two\n", b"three\n"]
    assert is_unchanged(tail.cursor("test", None), path.stat())
    assert read(path, middle)[0] == [b"two\n", b"three\n"]


def test_a_file_is_unchanged_only_with_its_size_time_and_inode(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\n")
    _, cursor = read(path)
    assert is_unchanged(cursor, path.stat())
    os.utime(path, ns=(1, 1))
    assert not is_unchanged(cursor, path.stat())
    assert not is_unchanged(None, path.stat())


@given(st.lists(st.binary(max_size=6), max_size=8), st.lists(st.integers(1, 30), max_size=4))
def test_reading_in_steps_gives_each_complete_line_once(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("tail") / "a.jsonl"
    content = b"\n".join(parts)
    cursor, found = None, []
    for cut in [*sorted(cuts), len(content)]:
        path.write_bytes(content[:cut])
        lines, cursor = read(path, cursor)
        found += lines
    complete = content[: content.rfind(b"\n") + 1]
    assert found == [part + b"\n" for part in complete.split(b"\n")[:-1]]
