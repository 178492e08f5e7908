"""The export folder: nothing that an agent names lies outside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.export.folder import inside


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "exports").mkdir()
    return tmp_path / "exports"


def test_names_below_the_folder_are_allowed_also_as_absolute_paths(folder: Path) -> None:
    assert inside(folder, "costs.csv") == folder / "costs.csv"
    assert inside(folder, "2026/november/costs.csv") == folder / "2026/november/costs.csv"
    assert inside(folder, str(folder / "costs.csv")) == folder / "costs.csv"
    assert inside(folder, "Über uns.json") == folder / "Über uns.json"


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x.csv", "a/../../x.csv", "a/../x.csv", "./x.csv", "a//b.csv", "a/",
        "/etc/passwd", "//host/share/x", "~/x.csv", "~root/x", "C:/x.csv", "c:x.csv",
        "file:///x.csv", "x.csv:stream", "..\\x.csv", "a\\b.csv", "\\\\host\\x", "a\0b", "a\nb",
        "\u202ecsv.exe", "con", "NUL.csv", "a/com1.txt", "LPT9", "aux .csv", ".bashrc",
        "a/.ssh/keys", "x.", "x ", "n" * 201, "/".join(["abc"] * 300), None, 7, b"x.csv",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused_naming_the_folder(
    folder: Path, name: object
) -> None:
    with pytest.raises(InvalidError) as caught:
        inside(folder, name)  # type: ignore[arg-type]
    assert str(caught.value).startswith("output = ")
    assert f"expected a file name below {folder}" in str(caught.value)


def test_links_that_lead_out_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").write_text("x")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "file").symlink_to(tmp_path / "secret/file")
    (folder / "dangling").symlink_to(tmp_path / "new")
    (folder / "circle").symlink_to(folder / "circle")
    for name in ("out/x.csv", "file", "dangling", "circle", "circle/x.csv"):
        with pytest.raises(InvalidError):
            inside(folder, name)


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "link").symlink_to(folder / "real")
    assert inside(folder, "link/x.csv") == folder / "real/x.csv"


def test_a_folder_that_is_itself_a_link_is_fine(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert inside(link, "x.csv") == folder / "x.csv"
    assert inside(link, str(link / "x.csv")) == folder / "x.csv"


def test_what_is_no_file_is_refused(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "file").write_text("x")
    os.mkfifo(folder / "pipe")
    for name in ("sub", "pipe", "file/x.csv"):
        with pytest.raises(InvalidError):
            inside(folder, name)
    assert inside(folder, "file") == folder / "file"
