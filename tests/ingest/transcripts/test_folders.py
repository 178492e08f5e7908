"""Finding transcripts."""

import os
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import LimitedError, NotFoundError
from contextframe_monitoring.ingest.transcripts.folders import found_files, printable


def here(folder: Path) -> list[Path]:
    return [folder]


def found(*paths: Path, **limits: int) -> list[Path]:
    unreadable: list[str] = []
    return list(found_files(paths, here, unreadable, **limits))


def test_transcripts_are_found_below_folders_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("b/x.jsonl", "a/deep/er/y.jsonl", "a/notes.txt", "a/z.jsonl.bak"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    both = [tmp_path / "a/deep/er/y.jsonl", tmp_path / "b/x.jsonl"]
    assert found(tmp_path) == both
    assert found(tmp_path / "b", tmp_path / "a", tmp_path) == both
    assert found(tmp_path / "a/notes.txt") == [tmp_path / "a/notes.txt"]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"missing.* give a folder or a \.jsonl file"):
        found(tmp_path / "missing")


def test_more_files_than_the_limit_are_refused(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jsonl").touch()
    assert len(found(tmp_path, files_max=3)) == 3
    with pytest.raises(LimitedError, match="transcript files = 3 is above its limit of 2"):
        found(tmp_path, files_max=2)


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "dangling.jsonl").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "folder.jsonl").mkdir()
    assert found(tmp_path) == []


def test_any_name_becomes_printable() -> None:
    assert printable("/Users/mé/x") == "/Users/mé/x"
    assert printable("a\nb") == "a\\nb"
    assert printable("a\udcffb") == "a\\udcffb"
