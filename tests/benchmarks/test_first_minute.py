"""A fresh person: from a built wheel in an empty environment to an answer, in under two minutes.

What the installers take is not counted. They ask the package index: pip, uv and pipx as they come.
Run with -s to see the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from contextframe_monitoring.cli.clients import claude_desktop

pytestmark = pytest.mark.packaging

REPOSITORY = Path(__file__).parents[2]
NAME = "contextframe-monitoring"
BIN = "Scripts" if os.name == "nt" else "bin"
SECONDS_MAX = 120.0
CALLS = 3
INSTALL_SECONDS_MAX = 400


def ran(*command: object, **more: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_SECONDS_MAX,
        env={**os.environ, **more},
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def environment(folder: Path, *packages: object) -> Path:
    """Make an empty environment, install into it, and return where its programs are."""
    ran(sys.executable, "-m", "venv", folder)
    pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    ran(folder / BIN / "python", *pip, *packages)
    return folder / BIN


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, check=True, capture_output=True, cwd=REPOSITORY)
    (found,) = folder.glob("*.whl")
    return found


def by_pip(wheel: Path, folder: Path) -> list[str]:
    constraints = REPOSITORY / "constraints.txt"
    return [str(environment(folder / "env", wheel, "-c", constraints) / NAME)]


def by_uvx(wheel: Path, folder: Path) -> list[str]:
    uvx = str(environment(folder / "uv", "uv") / "uvx")
    os.environ["UV_CACHE_DIR"] = str(folder / "cache")
    command = [uvx, "--python", sys.executable, "--from", str(wheel), NAME]
    ran(*command, "--help")
    return command


def by_pipx(wheel: Path, folder: Path) -> list[str]:
    pipx = environment(folder / "pipx", "pipx") / "pipx"
    places = {"PIPX_HOME": str(folder / "home"), "PIPX_BIN_DIR": str(folder / "bin")}
    ran(pipx, "install", "--python", sys.executable, wheel, **places)
    return [str(folder / "bin" / NAME)]


async def called(entry: dict[str, Any], tool: str, arguments: dict[str, Any]) -> list[Any]:
    """Start what a client's configuration says, as a client does, and call a tool."""
    server = StdioServerParameters(command=entry["command"], args=entry["args"])
    async with Client(stdio_client(server)) as client:
        return [await client.call_tool(tool, arguments) for _ in range(CALLS)]


@pytest.mark.requirement("doors:well:two-minutes", "doors:first:uvx", "doors:first:pipx")
@pytest.mark.parametrize("how", [by_pip, by_uvx, by_pipx], ids=lambda how: how.__name__)
async def test_a_fresh_person_has_an_answer_in_under_two_minutes(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Any
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", "")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    command = how(wheel, tmp_path)

    started = time.monotonic()
    file = claude_desktop.places(sys.platform, os.environ, Path.home(), Path.cwd())[0].file
    file.parent.mkdir(parents=True)
    clock = {"command": sys.executable, "args": ["-m", "mcp_server_time"]}
    file.write_text(json.dumps({"mcpServers": {"time": clock}}))
    said = ran(*command, "install", "claude-desktop", "--wrap-all")
    assert "wraps time" in said.splitlines()

    entries = json.loads(file.read_text())["mcpServers"]
    answers = await called(entries["time"], "get_current_time", {"timezone": "UTC"})
    assert [answer.is_error for answer in answers] == [False] * CALLS
    _, _, answer = await called(entries[NAME], "get_performance_metrics", {"group_by": "target"})
    took = time.monotonic() - started
    found = {row["category"]: row["count"] for row in answer.structured_content["breakdown"]}
    assert found["get_current_time"] == CALLS
    assert answer.content[0].text.splitlines()[0].startswith(f"{sum(found.values())} operations")

    ran(*command, "uninstall", "claude-desktop")
    assert json.loads(file.read_text()) == {"mcpServers": {"time": clock}}
    print(f"\n{how.__name__}: first answer {took:.1f} s after the installation")
    assert took < SECONDS_MAX
