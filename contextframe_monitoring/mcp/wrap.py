"""`contextframe-monitoring wrap`: run any stdio MCP server, unchanged, and record what it does.

The server is named by `--name`, else by `server` in the configuration, else by itself (in its
answer to `initialize`, or in the `_meta` of its first answer), and until then by its command.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import ErrorCode, MonitoringError
from contextframe_monitoring.mcp.relay import Signals, relay, start
from contextframe_monitoring.store.settings import load_config

USAGE = (
    "usage: contextframe-monitoring wrap [--name NAME] [--store URI] [--config FILE]"
    " -- COMMAND [ARGS...]"
)
EXIT_USAGE, EXIT_NOT_RUNNABLE, EXIT_NOT_FOUND = 2, 126, 127
_OPTIONS = ("--name", "--store", "--config")


class UsageError(MonitoringError):
    """The command line can't be understood."""

    code: ErrorCode = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    command: list[str]
    name: str | None = None
    store: str | None = None
    config: str | None = None


def parse(arguments: list[str]) -> Options:
    """Read the arguments after `wrap`. Raises `UsageError`, which names the culprit."""
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0] != "--":
        option, equals, value = rest.pop(0).partition("=")
        if option not in _OPTIONS:
            raise UsageError(f"{option!r} is no option of wrap: {_advice(option)}; {USAGE}")
        if not equals:
            value = rest.pop(0) if rest and rest[0] != "--" else ""
        if not value:
            raise UsageError(f"{option} needs a value; {USAGE}")
        given[option.removeprefix("--")] = value
    if len(rest) < 2:
        raise UsageError(f"the command to run is missing after '--'; {USAGE}")
    return Options(command=rest[1:], **given)


def _advice(argument: str) -> str:
    if argument.startswith("-"):
        return f"it has {', '.join(_OPTIONS)}"
    return "put '--' before the command"


def main(arguments: list[str]) -> int:
    """Run `wrap` with the arguments that follow it; return the exit code."""
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(f"{USAGE}\n{__doc__}")
        return 0
    try:
        options = parse(arguments)
        config = load_config(options.config, os.environ, store=options.store)
    except MonitoringError as error:
        sys.stderr.write(f"contextframe-monitoring wrap: {error}\n")
        return EXIT_USAGE
    return run(options, config)


def run(options: Options, config: MonitoringConfig) -> int:
    """Start the command, relay until it ends, and return its exit code."""
    signals = Signals()
    signals.catch()
    try:
        child = start(options.command)
    except OSError as error:
        return _not_started(options.command[0], error)
    signals.child_is(child)
    from contextframe_monitoring.mcp.recording import Recording  # loads while the child starts

    recording = Recording(config, name=options.name, command=options.command)
    try:
        return relay(child, recording.observer, signals)
    finally:
        recording.close()


def _not_started(program: str, error: OSError) -> int:
    missing = isinstance(error, FileNotFoundError)
    reason = "was not found" if missing else f"can't be run: {error.strerror}"
    remedy = "check the name, or give its full path" if missing else "check its permissions"
    sys.stderr.write(f"contextframe-monitoring wrap: command {program!r} {reason}; {remedy}\n")
    return EXIT_NOT_FOUND if missing else EXIT_NOT_RUNNABLE
