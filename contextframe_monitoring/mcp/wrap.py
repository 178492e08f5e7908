"""`contextframe-monitoring wrap`: run any stdio MCP server, unchanged, and record what it does; or
stand before one that speaks streamable HTTP: clients use the address that `--listen` gives, with
the path of the server's URL.

The server is named by `--name`, else by `server` in the configuration, else by itself (in its
answer to `initialize`, or in the `_meta` of its first answer), and until then by its command or
address.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import ErrorCode, MonitoringError, UnavailableError
from contextframe_monitoring.mcp.relay import Signals, relay, start
from contextframe_monitoring.store.settings import load_config

USAGE = (
    "usage: contextframe-monitoring wrap [--name NAME] [--store URI] [--config FILE]"
    " (-- COMMAND [ARGS...] | --http URL --listen HOST:PORT)"
)
EXIT_UNAVAILABLE, EXIT_USAGE, EXIT_NOT_RUNNABLE, EXIT_NOT_FOUND = 1, 2, 126, 127
OPTIONS = ("--name", "--store", "--config", "--http", "--listen")


class UsageError(MonitoringError):
    """The command line can't be understood."""

    code: ErrorCode = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    command: list[str] = field(default_factory=list)
    http: str | None = None
    listen: str | None = None
    name: str | None = None
    store: str | None = None
    config: str | None = None


def parse(arguments: list[str]) -> Options:
    """Read the arguments after `wrap`. Raises `UsageError`, which names the culprit."""
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0] != "--":
        option, equals, value = rest.pop(0).partition("=")
        if option not in OPTIONS:
            raise UsageError(f"{option!r} is no option of wrap: {_advice(option)}; {USAGE}")
        if not equals:
            value = rest.pop(0) if rest and rest[0] != "--" else ""
        if not value:
            raise UsageError(f"{option} needs a value; {USAGE}")
        given[option.removeprefix("--")] = value
    options = Options(command=rest[1:], **given)
    if options.http is None and options.listen is None:
        if not options.command:
            raise UsageError(f"the command to run is missing after '--'; {USAGE}")
    elif options.http is None or options.listen is None:
        missing = "--listen" if options.listen is None else "--http"
        raise UsageError(f"{missing} is missing: --http and --listen go together; {USAGE}")
    elif options.command:
        raise UsageError(f"--http takes no command: that server runs already; {USAGE}")
    return options


def _advice(argument: str) -> str:
    if argument.startswith("-"):
        return f"it has {', '.join(OPTIONS)} and, alone, --help"
    return "put '--' before the command"


def main(arguments: list[str]) -> int:
    """Run `wrap` with the arguments that follow it; return the exit code."""
    try:
        options = parse(arguments)
        config = load_config(options.config, os.environ, store=options.store)
        if options.http is not None and options.listen is not None:
            from contextframe_monitoring.mcp.wrap_http import run_http

            return run_http(config, url=options.http, listen=options.listen, name=options.name)
    except UnavailableError as error:
        sys.stderr.write(f"contextframe-monitoring wrap: {error}\n")
        return EXIT_UNAVAILABLE
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
    # these load while the child starts
    from contextframe_monitoring.mcp.command_name import command_name
    from contextframe_monitoring.mcp.recording import Recording

    recording = Recording(config, name=options.name, known_as=command_name(options.command))
    connection = recording.connection("stdio")
    try:
        return relay(child, connection and connection.observer, signals)
    finally:
        recording.close()


def _not_started(program: str, error: OSError) -> int:
    missing = isinstance(error, FileNotFoundError)
    reason = "was not found" if missing else f"can't be run: {error.strerror}"
    remedy = "check the name, or give its full path" if missing else "check its permissions"
    sys.stderr.write(f"contextframe-monitoring wrap: command {program!r} {reason}; {remedy}\n")
    return EXIT_NOT_FOUND if missing else EXIT_NOT_RUNNABLE
