"""Where clients keep their configurations, on each platform."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from contextframe_monitoring.cli.clients import claude_code, claude_desktop
from contextframe_monitoring.cli.clients.launcher import is_temporary, own_launcher

JO = PureWindowsPath("C:\\Users\\Jo Doe")


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"APPDATA": "D:\\Roaming"}, "D:\\Roaming\\Claude"),
        ({}, "C:\\Users\\Jo Doe\\AppData\\Roaming\\Claude"),
    ],
)
@pytest.mark.requirement("doors:install:finds", "doors:shown:round-trips")
def test_claude_desktop_on_windows(environ: dict[str, str], folder: str) -> None:
    assert str(claude_desktop.folder("win32", environ, JO)) == folder


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("darwin", {}, "/Users/jo/Library/Application Support/Claude"),
        ("linux", {}, "/Users/jo/.config/Claude"),
        ("linux", {"XDG_CONFIG_HOME": "/etc/xdg jo"}, "/etc/xdg jo/Claude"),
    ],
)
@pytest.mark.requirement("doors:install:finds")
def test_claude_desktop_elsewhere(platform: str, environ: dict[str, str], folder: str) -> None:
    home = PurePosixPath("/Users/jo")
    assert str(claude_desktop.folder(platform, environ, home)) == folder


def test_the_packaged_application_has_files_of_its_own(tmp_path: Path) -> None:
    environ = {"APPDATA": str(tmp_path / "Roaming"), "LOCALAPPDATA": str(tmp_path / "Local")}

    def found() -> list[str]:
        places = claude_desktop.places("win32", environ, tmp_path, tmp_path)
        return [place.file.parent.relative_to(tmp_path).as_posix() for place in places]

    assert found() == ["Roaming/Claude"]
    packaged = "Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming"
    (tmp_path / packaged).mkdir(parents=True)
    assert found() == [f"{packaged}/Claude"]
    (tmp_path / "Roaming" / "Claude").mkdir(parents=True)
    assert found() == [f"{packaged}/Claude", "Roaming/Claude"]


@pytest.mark.requirement("doors:install:finds")
def test_claude_code_has_the_users_file_and_the_projects(tmp_path: Path) -> None:
    def found(environ: dict[str, str]) -> list[tuple[str, bool]]:
        places = claude_code.places("linux", environ, tmp_path / "home", tmp_path / "project")
        return [(place.file.relative_to(tmp_path).as_posix(), place.serves) for place in places]

    assert found({}) == [("home/.claude.json", True), ("project/.mcp.json", False)]
    moved = {"CLAUDE_CONFIG_DIR": str(tmp_path / "elsewhere")}
    assert found(moved)[0] == ("elsewhere/.claude.json", True)


def test_a_client_starts_the_script_that_runs_now(tmp_path: Path) -> None:
    script = tmp_path / "contextframe-monitoring"
    beside = str(tmp_path / "scripts")
    assert own_launcher(str(script), beside)[1:] == ("-m", "contextframe_monitoring")
    script.touch()
    assert own_launcher(str(script), beside) == (str(script),)
    assert own_launcher("/elsewhere/__main__.py", str(tmp_path)) == (str(script),)
    assert own_launcher("contextframe-monitoring", beside)[1:] == ("-m", "contextframe_monitoring")


@pytest.mark.parametrize(
    ("path", "temporary"),
    [
        ("/home/me/.cache/uv/archive-v0/xYz/bin/contextframe-monitoring", True),
        ("C:\\Users\\jo\\AppData\\Local\\uv\\cache\\archive-v0\\x\\Scripts\\a.exe", True),
        ("/home/me/.cache/uv/builds-v0/.tmpX/bin/python", True),
        ("/home/me/.local/pipx/.cache/ab12/bin/contextframe-monitoring", True),
        ("/home/me/.cache/pipx/ab12/bin/contextframe-monitoring", True),
        ("/home/me/.local/bin/contextframe-monitoring", False),
        ("/home/me/.local/share/uv/tools/contextframe-monitoring/bin/python", False),
    ],
)
def test_a_temporary_environment_is_known_by_its_path(path: str, temporary: bool) -> None:
    assert is_temporary((path,)) is temporary
