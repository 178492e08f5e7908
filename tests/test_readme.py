"""The first screen of the README is true: the picture is there, and what it tells to type works."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest

from contextframe_monitoring.mcp.wrap import parse
from tests.cli.test_help import NAME, understood

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
FIRST = README.partition("\n## ")[0]
LINES_MAX = 50
PICTURE_BYTES_MAX = 200_000


def blocks(text: str, kind: str) -> list[str]:
    """Return the code blocks of a kind."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for name, block in found if name == kind]


@pytest.mark.requirement("doors:first:readme")
def test_one_screen_says_what_it_is_with_two_commands_and_the_configuration() -> None:
    assert len(FIRST.splitlines()) <= LINES_MAX
    assert FIRST.splitlines()[2].startswith("Monitoring as agent tools. It sees every message of ")
    (shown,) = blocks(FIRST, "")
    install, ours = [line.removeprefix("$ ") for line in shown.splitlines()]
    assert install.startswith("uv tool install .")
    assert understood(ours.partition("  #")[0]) == ("install",)

    (snippet,) = blocks(FIRST, "json")
    servers = json.loads(snippet)["mcpServers"]
    watched, own = servers.values()
    assert (watched["command"], own["command"], own["args"]) == (NAME, NAME, ["serve"])
    assert watched["args"][0] == "wrap"
    options = parse(watched["args"][1:])
    assert (options.name, options.command) == ("time", ["uvx", "mcp-server-time"])


@pytest.mark.requirement("doors:first:picture")
def test_the_picture_of_an_answer_is_there_and_small() -> None:
    (place,) = re.findall(r"!\[.+?\]\((.+?)\)", FIRST)
    data = (REPOSITORY / place).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width >= 800 <= 2 * height
    assert len(data) <= PICTURE_BYTES_MAX


def test_every_command_that_the_readme_shows_is_understood() -> None:
    shown = [
        line.partition("  #")[0].removeprefix("$ ").strip()
        for block in blocks(README, "")
        for line in block.splitlines()
        if line.removeprefix("$ ").startswith(f"{NAME} ")
    ]
    assert len(shown) >= 10
    assert [line for line in shown if not understood(line)] == []


def test_every_file_that_the_readme_links_to_is_there() -> None:
    places = re.findall(r"\]\(([^)#]+)\)", README)
    local = [place for place in places if "://" not in place]
    assert local
    assert [place for place in local if not (REPOSITORY / place).exists()] == []
