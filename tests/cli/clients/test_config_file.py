"""A configuration file: replaced whole or not at all, and given back as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from contextframe_monitoring.cli.clients import config_file
from contextframe_monitoring.cli.clients.config_file import find_backup, install, read, restore
from contextframe_monitoring.core.errors import (
    ConflictError,
    InvalidError,
    LimitedError,
    UnavailableError,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a folder" / "config.json"
    path.parent.mkdir()
    path.write_bytes(b"before\r\n")
    path.chmod(0o640)
    return path


def names(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


@pytest.mark.requirement("doors:install:backup")
def test_a_file_is_replaced_with_its_backup_beside_it_and_comes_back(file: Path) -> None:
    backup = install(file, b"before\r\n", b"before\r\n", b"after")
    assert (file.read_bytes(), backup.read_bytes()) == (b"after", b"before\r\n")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, backup)] == [0o640, 0o640]
    assert names(file) == ["config.json", backup.name]
    found = find_backup(file, b"after")
    assert found is not None
    assert (found.data, found.is_exact) == (b"before\r\n", True)
    restore(file, b"after", b"before\r\n")
    assert (file.read_bytes(), names(file)) == (b"before\r\n", ["config.json"])


def test_a_file_that_was_not_there_goes_again(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "config.json"
    assert read(file) is None
    backup = install(file, None, None, b"after")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = find_backup(file, b"after")
    assert found is not None
    assert (found.path, found.data, found.is_exact) == (backup, None, True)
    restore(file, b"after", None)
    assert names(file) == []


def test_a_backup_is_not_exact_once_the_file_has_changed(file: Path) -> None:
    install(file, b"before\r\n", b"before\r\n", b"after")
    file.write_bytes(b"changed")
    found = find_backup(file, b"changed")
    assert found is not None
    assert (found.data, found.is_exact) == (b"before\r\n", False)


def test_installing_again_leaves_one_backup(file: Path) -> None:
    install(file, b"before\r\n", b"before\r\n", b"after")
    second = install(file, b"after", b"before\r\n", b"more")
    assert names(file) == ["config.json", second.name]


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file)
    backup = install(link, b"before\r\n", b"before\r\n", b"after")
    assert (link.is_symlink(), file.read_bytes(), backup.parent) == (True, b"after", tmp_path)
    restore(link, b"after", b"before\r\n")
    assert (link.is_symlink(), file.read_bytes()) == (True, b"before\r\n")


def test_a_file_that_changed_meanwhile_is_left(file: Path) -> None:
    with pytest.raises(ConflictError, match="was changed by another program"):
        install(file, b"older", b"older", b"after")
    with pytest.raises(ConflictError):
        restore(file, b"older", b"oldest")
    assert (file.read_bytes(), names(file)) == (b"before\r\n", ["config.json"])


def test_a_read_only_file_is_left(file: Path) -> None:
    file.chmod(0o440)
    with pytest.raises(UnavailableError, match="is read-only"):
        install(file, b"before\r\n", b"before\r\n", b"after")
    assert (file.read_bytes(), names(file)) == (b"before\r\n", ["config.json"])


def test_a_disk_that_refuses_leaves_the_file_and_no_debris(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_old: object, _new: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(UnavailableError, match="can't be written: No space left on device"):
        install(file, b"before\r\n", b"before\r\n", b"after")
    assert (file.read_bytes(), names(file)) == (b"before\r\n", ["config.json"])


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="expected a file"):
        read(tmp_path)


def test_a_huge_file_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_file, "FILE_BYTES_MAX", 7)
    with pytest.raises(LimitedError, match="above its limit of 7"):
        read(file)


def test_bytes_that_are_no_text_are_named_with_their_line(file: Path) -> None:
    with pytest.raises(InvalidError, match=r"config.json, line 2 = b'\\xff' is not allowed"):
        config_file.text_of(b"{\n\xff", file)
