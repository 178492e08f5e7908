"""`contextframe-monitoring wrap`: run any stdio MCP server, unchanged, and record what it does.

The server is named by `--name`, else by `server` in the configuration, else by itself (in its
answer to `initialize`, or in the `_meta` of its first answer), and until then by its command.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import ErrorCode, MonitoringError
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.mcp.command_name import command_name
from contextframe_monitoring.mcp.observer import Observer
from contextframe_monitoring.mcp.peers import Peers
from contextframe_monitoring.mcp.relay import Signals, relay, start
from contextframe_monitoring.store.machine import SystemClock
from contextframe_monitoring.store.settings import load_config

USAGE = (
    "usage: contextframe-monitoring wrap [--name NAME] [--store URI] [--config FILE]"
    " -- COMMAND [ARGS...]"
)
EXIT_USAGE, EXIT_NOT_RUNNABLE, EXIT_NOT_FOUND = 2, 126, 127
_OPTIONS = ("--name", "--store", "--config")
_SAY_SECONDS_MAX = 0.5


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
    notice = _Notice()
    recorder = _recorder(options, config, notice)
    if recorder is None or not recorder.enabled:
        return relay(child, None, signals)
    try:
        observer = _observer(options, config, recorder, notice)
        recorder.connections_changed(1)
        return relay(child, observer, signals)
    finally:
        recorder.close()
        notice.wait()


def _not_started(program: str, error: OSError) -> int:
    missing = isinstance(error, FileNotFoundError)
    reason = "was not found" if missing else f"can't be run: {error.strerror}"
    remedy = "check the name, or give its full path" if missing else "check its permissions"
    sys.stderr.write(f"contextframe-monitoring wrap: command {program!r} {reason}; {remedy}\n")
    return EXIT_NOT_FOUND if missing else EXIT_NOT_RUNNABLE


def _recorder(options: Options, config: MonitoringConfig, notice: _Notice) -> Recorder | None:
    label = options.name or config.server or command_name(options.command)
    try:
        recorder = open_recorder(config, label=label)
    except Exception as error:  # noqa: BLE001 - the server runs on, whatever is wrong with the store
        notice.not_recording(f"{type(error).__name__}: {error}")
        return None
    if recorder.last_error is not None:
        notice.not_recording(recorder.last_error)
    return recorder


def _observer(
    options: Options, config: MonitoringConfig, recorder: Recorder, notice: _Notice
) -> Observer:
    name = options.name or config.server
    peers = Peers(
        f"{recorder.writer}-c1",
        server=name or command_name(options.command),
        server_may_say=name is None,
        environment=config.environment,
    )

    def lost() -> None:
        notice.not_recording(recorder.last_error or ", ".join(recorder.losses))

    return Observer(recorder, SystemClock(), peers, lost=lost)


class _Notice:
    """Says once on the error stream that records are lost, without ever holding up the relay."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def not_recording(self, reason: str) -> None:
        """Say it, the first time only, in a thread: nobody may be reading that stream."""
        if self._thread is not None:
            return
        text = (
            f"contextframe-monitoring wrap: can't record ({reason});"
            " the server runs on and what is lost is counted\n"
        )
        self._thread = threading.Thread(target=self._say, args=(text,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Give the notice a moment to come out before we end."""
        if self._thread is not None:
            self._thread.join(_SAY_SECONDS_MAX)

    @staticmethod
    def _say(text: str) -> None:
        try:
            os.write(2, text.encode("utf-8", "replace"))
        except OSError:
            return  # there is no error stream: nobody can be told
