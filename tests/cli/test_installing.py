"""`install` and `uninstall`, as a person uses them, on files shaped like real ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import contextframe_monitoring
from contextframe_monitoring.cli.clients.document import Document
from contextframe_monitoring.cli.clients.launcher import own_launcher
from contextframe_monitoring.cli.installing import client_places
from tests.cli.clients.configurations import documents
from tests.cli.clients.test_installation import CONFIGURATIONS, DESKTOP
from tests.cli.command import run

CODE = {
    "numStartups": 41,
    "theme": "dark",
    "oauthAccount": {"emailAddress": "jo@example.org"},
    "mcpServers": {
        "github": {
            "type": "stdio",
            "env": {"GITHUB_TOKEN": "hunter2"},
            "command": "sh",
            "args": ["-c", "exec server"],
        },
        "linear": {"type": "sse", "url": "https://example.org/sse"},
    },
    "projects": {
        "/home/me/My Project": {
            "allowedTools": [],
            "mcpServers": {"db": {"command": "sh", "args": ["db.sh"]}},
        }
    },
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own home, and a project to stand in."""
    found = tmp_path / "home of jo"
    (found / "project").mkdir(parents=True)
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "APPDATA"):
        monkeypatch.setenv(name, str(found))
    monkeypatch.chdir(found / "project")
    return found


@pytest.fixture
def desktop(home: Path) -> Path:
    file = client_places("claude-desktop")[0].file
    file.parent.mkdir(parents=True)
    file.write_text(DESKTOP, encoding="utf-8", newline="")
    return file


@pytest.fixture
def code(home: Path) -> Path:
    file = home / ".claude.json"
    file.write_text(json.dumps(CODE, indent=2), encoding="utf-8")
    return file


def servers_of(text: str) -> dict[str, Any]:
    """Return the servers of a configuration with comments."""
    return Document(text, "f").value["mcpServers"]


def servers(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())["mcpServers"]


@pytest.mark.requirement("doors:install:shows")
def test_a_dry_run_shows_the_difference_and_changes_nothing(desktop: Path) -> None:
    done = run("install", "claude-desktop", "--wrap", "time", "--dry-run")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"--- {desktop}", f"+++ {desktop}"]
    assert '-            "command": "uvx",' in lines
    assert lines[lines.index("adds contextframe-monitoring") + 1] == "wraps time"
    assert (desktop.read_text(), os.listdir(desktop.parent)) == (DESKTOP, [desktop.name])


@pytest.mark.requirement(
    "doors:install:restores",
    "doors:install:idempotent",
    "doors:install:backup",
    "doors:shown:round-trips",
)
def test_a_round_trip_gives_back_every_byte(desktop: Path) -> None:
    assert run("install", "claude-desktop", "--wrap-all").returncode == 0
    assert desktop.read_text() != DESKTOP
    again = run("install", "claude-desktop")
    assert again.stdout == f"{desktop}: nothing to change\n"
    assert len(os.listdir(desktop.parent)) == 2
    shown = run("uninstall", "claude-desktop", "--dry-run")
    assert "removes contextframe-monitoring" in shown.stdout.splitlines()
    assert desktop.read_text() != DESKTOP
    assert run("uninstall", "claude-desktop").returncode == 0
    assert (desktop.read_text(), os.listdir(desktop.parent)) == (DESKTOP, [desktop.name])
    assert run("uninstall", "claude-desktop").stdout == f"{desktop}: nothing to change\n"


def test_installing_step_by_step_still_goes_back_to_the_start(desktop: Path) -> None:
    run("install", "claude-desktop")
    run("install", "claude-desktop", "--wrap", "time")
    run("install", "claude-desktop", "--wrap-all")
    run("uninstall", "claude-desktop")
    assert (desktop.read_text(), os.listdir(desktop.parent)) == (DESKTOP, [desktop.name])


def test_what_was_added_between_two_installations_stays(desktop: Path) -> None:
    run("install", "claude-desktop", "--wrap", "time")
    desktop.write_text(desktop.read_text().replace('"dark"', '"light"'))
    run("install", "claude-desktop", "--wrap", "files")
    run("uninstall", "claude-desktop")
    assert desktop.read_text() == DESKTOP.replace('"dark"', '"light"')


@pytest.mark.requirement("doors:install:unwraps")
def test_one_server_is_unwrapped_and_everything_else_stays(desktop: Path) -> None:
    run("install", "claude-desktop", "--wrap-all")
    wrapped = servers_of(desktop.read_text())
    done = run("uninstall", "claude-desktop", "--wrap", "time", "--dry-run")
    assert (done.returncode, servers_of(desktop.read_text())) == (0, wrapped)
    assert "unwraps time" in done.stdout.splitlines()

    done = run("uninstall", "claude-desktop", "--wrap", "time")
    assert done.returncode == 0
    assert servers_of(desktop.read_text()) == {**wrapped, "time": servers_of(DESKTOP)["time"]}
    again = run("uninstall", "claude-desktop", "--wrap", "time")
    assert again.stdout == f"{desktop}: nothing to change\nleaves time: it is not wrapped\n"

    run("install", "claude-desktop", "--wrap", "time")
    assert servers_of(desktop.read_text()) == wrapped
    run("uninstall", "claude-desktop", "--wrap-all")
    assert servers_of(desktop.read_text()).keys() - servers_of(DESKTOP).keys() == {
        "contextframe-monitoring"
    }
    run("uninstall", "claude-desktop")
    assert (desktop.read_text(), os.listdir(desktop.parent)) == (DESKTOP, [desktop.name])


def test_unwrapping_the_last_of_ours_leaves_no_backup(code: Path, home: Path) -> None:
    shared = home / "project" / ".mcp.json"
    shared.write_text('{"mcpServers": {"web": {"command": "sh"}}}')
    run("install", "claude-code", "--wrap", "web")
    run("uninstall", "claude-code", "--wrap", "web")
    assert shared.read_text() == '{"mcpServers": {"web": {"command": "sh"}}}'
    assert sorted(os.listdir(shared.parent)) == [".mcp.json"]
    run("uninstall", "claude-code")
    assert code.read_text() == json.dumps(CODE, indent=2)


def test_a_server_that_is_not_there_can_not_be_unwrapped(code: Path) -> None:
    run("install", "claude-code", "--wrap", "github")
    before = code.read_text()
    done = run("uninstall", "claude-code", "--wrap", "github", "--wrap", "gitlab")
    assert (done.returncode, code.read_text()) == (2, before)
    assert done.stderr == (
        "contextframe-monitoring: MCP server 'gitlab' does not exist:"
        " there are contextframe-monitoring, db, github, linear\n"
    )


@pytest.mark.requirement("doors:install:adds")
def test_a_client_that_was_never_set_up_gets_a_file_and_loses_it_again(home: Path) -> None:
    file = client_places("claude-desktop")[0].file
    assert run("install", "claude-desktop").returncode == 0
    assert servers(file).keys() == {"contextframe-monitoring"}
    command = servers(file)["contextframe-monitoring"]
    assert (command["command"], *command["args"]) == (*own_launcher(), "serve")
    assert run("install", "claude-desktop", "--store", "st ore").returncode == 0
    assert run("uninstall", "claude-desktop").returncode == 0
    assert os.listdir(file.parent) == []


def test_a_file_that_we_made_and_others_used_stays_without_us(home: Path) -> None:
    file = client_places("claude-desktop")[0].file
    run("install", "claude-desktop")
    file.write_text(json.dumps({**json.loads(file.read_text()), "theme": "dark"}))
    run("uninstall", "claude-desktop")
    assert json.loads(file.read_text()) == {"theme": "dark", "mcpServers": {}}


@pytest.mark.requirement("doors:install:wraps")
def test_claude_code_is_wrapped_for_the_user_each_project_and_the_shared_file(
    code: Path, home: Path
) -> None:
    shared = home / "project" / ".mcp.json"
    shared.write_text('{"mcpServers": {"web": {"command": "sh"}}}')
    done = run("install", "claude-code", "--wrap-all", "--store", "s")
    assert done.returncode == 0
    said = [line for line in done.stdout.splitlines() if line[:1] not in "+-@ "]
    assert [line for line in said if not line.startswith("written;")] == [
        "adds contextframe-monitoring",
        "wraps github",
        "leaves linear: it is reached by URL, not started",
        "wraps db of /home/me/My Project",
        "wraps web",
        "note: this file is shared with everybody who works on the project: what is wrapped in it"
        " names programs of this machine; don't commit that",
        "start a new session of Claude Code to use it",
    ]
    sh, store = shutil.which("sh"), str(home / "project" / "s")
    launcher, *rest = own_launcher()
    assert servers(code)["github"] == {
        "type": "stdio",
        "command": launcher,
        "args": [
            *rest,
            "wrap",
            "--name",
            "github",
            "--store",
            store,
            "--",
            sh,
            "-c",
            "exec server",
        ],
        "env": CODE["mcpServers"]["github"]["env"],
    }
    assert servers(code)["contextframe-monitoring"] == {
        "type": "stdio",
        "command": launcher,
        "args": [*rest, "serve", "--store", store],
    }
    assert servers(shared)["web"]["args"][-2:] == ["--", sh]
    run("uninstall", "claude-code")
    assert code.read_text() == json.dumps(CODE, indent=2)
    assert shared.read_text() == '{"mcpServers": {"web": {"command": "sh"}}}'


def test_no_secret_is_shown(code: Path) -> None:
    done = run("install", "claude-code", "--wrap", "github", "--dry-run")
    assert '         "GITHUB_TOKEN": "…"' in done.stdout.splitlines()
    assert "hunter2" not in done.stdout


@pytest.mark.requirement("doors:first:errors")
def test_a_name_that_is_not_there_is_an_error_before_anything_is_written(code: Path) -> None:
    done = run("install", "claude-code", "--wrap", "gitlab", "--wrap", "github")
    assert done.returncode == 2
    assert done.stderr == (
        "contextframe-monitoring: MCP server 'gitlab' does not exist:"
        " there are db, github, linear\n"
    )
    assert json.loads(code.read_text()) == CODE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '{\n  "mcpServers": {\n    "a" {}\n  }\n}',
            ", line 3 = '\"a\" {}' is not allowed: not JSON",
        ),
        ('{"mcpServers": []}', "expected an object under 'mcpServers'"),
        ("[]", "expected an object, in braces"),
    ],
)
def test_a_file_that_is_no_configuration_is_left(desktop: Path, text: str, says: str) -> None:
    desktop.write_text(text)
    for command in ("install", "uninstall"):
        done = run(command, "claude-desktop")
        assert (done.returncode, done.stdout) == (2, "")
        assert says in done.stderr
    assert (desktop.read_text(), os.listdir(desktop.parent)) == (text, [desktop.name])


def test_a_bad_configuration_of_ours_is_refused_first(desktop: Path) -> None:
    done = run("install", "claude-desktop", "--config", "missing.toml")
    assert done.returncode == 2
    assert desktop.read_text() == DESKTOP


def test_a_client_that_we_do_not_know_is_named_with_those_that_we_do() -> None:
    done = run("install", "emacs")
    assert done.returncode == 2
    assert "'claude-desktop', 'claude-code'" in " ".join(done.stderr.split())


def test_a_wrapped_server_still_answers(code: Path, home: Path) -> None:
    """What install writes is run as a client runs it."""
    value = json.loads(code.read_text())
    value["mcpServers"] = {"echo": {"command": sys.executable, "args": ["-c", "print('hello')"]}}
    code.write_text(json.dumps(value))
    run("install", "claude-code", "--wrap", "echo", "--store", str(home / "store"))
    entry = servers(code)["echo"]
    done = subprocess.run(
        [entry["command"], *entry["args"]],
        input=b"",
        capture_output=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(contextframe_monitoring.__path__[0]).parent)},
    )
    assert (done.returncode, done.stdout.strip()) == (0, b"hello")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=documents(CONFIGURATIONS))
@pytest.mark.requirement("doors:install:restores", "doors:shown:round-trips")
def test_any_configuration_comes_back_byte_for_byte(
    home: Path, found: tuple[str, dict[str, Any]]
) -> None:
    file = home / ".claude.json"
    data = found[0].encode()
    file.write_bytes(data)
    for _ in range(2):
        done = run("install", "claude-code", "--wrap-all")
        taken = "contextframe-monitoring" in found[1]["mcpServers"]
        assert done.returncode == taken
    for name in found[1]["mcpServers"]:
        run("uninstall", "claude-code", f"--wrap={name}")
    run("uninstall", "claude-code")
    assert file.read_bytes() == data
