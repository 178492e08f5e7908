"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.core.errors import InvalidError, LimitedError
from contextframe_monitoring.export.files import ExportError, Sink, opened, replaced


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_appear_when_the_block_ends_and_not_before(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("old")
    with replaced(one, two) as (first, second):
        first.write(b"new")
        second.write(b"x")
        assert one.read_text() == "old"
        assert not two.exists()
    assert (one.read_text(), two.read_text()) == ("new", "x")
    assert names(tmp_path) == ["one", "two"]
    assert (first.size_bytes, first.sha256) == (3, hashlib.sha256(b"new").hexdigest())


def interrupted(path: Path, error: type[BaseException]) -> Sink:
    with contextlib.suppress(error), replaced(path) as (sink,):
        sink.write(b"new")
        raise error
    return sink


def test_an_exception_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    for error in (KeyboardInterrupt, ValueError):
        sink = interrupted(path, error)
        assert (path.read_text(), names(tmp_path)) == ("old", ["x"])
        assert sink.write(b"last words") == 10
        assert path.read_text() == "old"


def write(path: Path, size_bytes: int, bytes_max: int) -> None:
    with replaced(path, bytes_max=bytes_max) as (sink,):
        for _ in range(size_bytes):
            sink.write(b"0")


def test_a_bound_ends_the_export_and_says_how_to_stay_below(tmp_path: Path) -> None:
    with pytest.raises(LimitedError, match="above its limit of 10: narrow the window"):
        write(tmp_path / "x", 11, 10)
    assert names(tmp_path) == []
    write(tmp_path / "x", 10, 10)
    assert names(tmp_path) == ["x"]


def test_a_place_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "missing" / "x", tmp_path / "pipe"):
        with pytest.raises(InvalidError, match="expected a file in a folder that exists"):
            write(path, 1, 1)


class Full(io.RawIOBase):
    """A disk without room."""

    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_refusing_stream_is_named_with_its_reason() -> None:
    stream: Any = Full()
    with pytest.raises(ExportError) as caught, opened(stream, "the stream") as sink:
        sink.write(b"x")
    assert str(caught.value) == (
        "export to 'the stream' failed: No space left on device; nothing was left there: "
        "free space, narrow the window or choose another place"
    )
    assert caught.value.code == "unavailable"


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(InvalidError, match="expected a file in a folder that exists"),
        replaced(tmp_path / "file" / "x"),
    ):
        pass


def test_leftovers_of_killed_exports_go_with_the_next_one(tmp_path: Path) -> None:
    old, new = (tmp_path / f".contextframe-export-1-{name}.part" for name in ("old", "new"))
    other = tmp_path / "mine.part"
    for path in (old, new, other):
        path.write_text("x")
    for path in (old, other):
        os.utime(path, (0, 0))
    with replaced(tmp_path / "x"):
        pass
    assert names(tmp_path) == [new.name, "mine.part", "x"]
