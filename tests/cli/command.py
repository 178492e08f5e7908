"""The command, run in this process: the same code behind the same door, without its start."""

from __future__ import annotations

from dataclasses import dataclass

from typer.testing import CliRunner

from contextframe_monitoring.cli import app


@dataclass
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str, stdin: str | None = None) -> Ended:
    """Run the command with arguments."""
    found = CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1"}).invoke(app, arguments, input=stdin)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Ended(found.exit_code, found.stdout, found.stderr)
