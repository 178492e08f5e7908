"""`--help` of every command shows examples that would run, and shells complete what it names."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from contextframe_monitoring.cli import app
from tests.cli.command import run

NAME = "contextframe-monitoring"
ROOT: Any = get_command(app)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield a command and all below it, each with the words that lead to it."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


def examples(command: Any) -> list[str]:
    lines = [line.strip() for line in command.help.splitlines()]
    return [line for line in lines if line.startswith(f"{NAME} ")]


def understood(line: str) -> tuple[str, ...]:
    """Let the command line read an example, without running it; return which command it is."""
    words, path = shlex.split(line)[1:], ()
    while (*path, words[0]) in COMMANDS:
        path = (*path, words.pop(0))
        if not words:
            break
    COMMANDS[path].make_context(path[-1], words)
    return path


COMMANDS = dict(commands(ROOT))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
@pytest.mark.requirement("doors:first:help")
def test_every_help_shows_examples_that_the_command_understands(path: tuple[str, ...]) -> None:
    shown = examples(COMMANDS[path])
    assert shown
    meant = [understood(line) for line in shown]
    assert [found[: len(path)] for found in meant] == [path] * len(meant)

    rendered = run(*path, "--help")
    assert rendered.returncode == 0
    lines = [line.strip() for line in rendered.stdout.splitlines()]
    assert [line for line in shown if line not in lines] == []


def test_an_example_with_an_option_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(Exception, match="--nope"):
        understood(f"{NAME} report cost --nope")


def program(folder: Path) -> Path:
    """Put the command on a search path, as an installation does."""
    script = folder / NAME
    script.write_text(
        f"#!{sys.executable}\nfrom contextframe_monitoring.__main__ import main\nmain()\n"
    )
    script.chmod(0o755)
    return script


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs a bash")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("rep", ["report"]),
        ("report c", ["cost"]),
        ("report cost --gro", ["--group-by"]),
        ("install claude-", ["claude-desktop", "claude-code"]),
        ("uninstall claude-code --wr", ["--wrap", "--wrap-all"]),
    ],
)
@pytest.mark.requirement("doors:first:completion")
def test_a_shell_completes_commands_options_and_values(
    tmp_path: Path, words: str, found: list[str]
) -> None:
    folder = program(tmp_path).parent
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    ask = {**environment, "_CONTEXTFRAME_MONITORING_COMPLETE": "source_bash"}
    script = subprocess.run(
        [NAME], env=ask, capture_output=True, text=True, check=True, executable=folder / NAME
    ).stdout
    typed = f"{NAME} {words}".split()
    asked = (
        f"{script}\nCOMP_WORDS=({' '.join(typed)}); COMP_CWORD={len(typed) - 1}\n"
        f"_contextframe_monitoring_completion {NAME}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", asked], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == found
