"""What one entry under `mcpServers` starts: another's server, that server under our `wrap`, or our
own.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

OWN_NAME = "contextframe-monitoring"
"""Key of our own server's entry; the name of our command; that of our package."""
_MODULE = "contextframe_monitoring"
_RUNNERS = frozenset({"uvx", "uv", "pipx"})
_ENDING = re.compile(r"\.(?:exe|cmd|bat|com)$", re.IGNORECASE)
_REQUIREMENT = re.compile(rf"{OWN_NAME}(?:\[|@|[=<>~!]=|$)")

Kind = Literal["own", "wrapped", "stdio", "remote", "unclear"]
_KINDS: dict[str, Kind] = {"serve": "own", "wrap": "wrapped"}
Which = Callable[[str, str | None], str | None]
"""Returns the absolute path of a program on a search path (None: ours), None where it is not."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its command line, and what it is.

    `own_arguments` are what follows our program in it, None where it starts another.
    """

    command: str
    arguments: tuple[str, ...]
    kind: Kind
    own_arguments: tuple[str, ...] | None = None
    search_path: str | None = None

    @property
    def launcher_length(self) -> int:
        """How many words of the command line start our program."""
        return 1 + len(self.arguments) - len(self.own_arguments or ())

    @property
    def launcher(self) -> tuple[str, ...]:
        """The words that start our program."""
        return (self.command, *self.arguments)[: self.launcher_length]

    @property
    def is_written_by_us(self) -> bool:
        """Whether it starts our program as `install` writes it: not by `uvx` and the like."""
        return self.own_arguments is not None and program(self.command) not in _RUNNERS

    @property
    def wrapped(self) -> tuple[str, ...]:
        """The command line that `wrap` was given, empty where there is none."""
        words = self.own_arguments or ()
        return words[words.index("--") + 1 :] if self.kind == "wrapped" and "--" in words else ()


def read_entry(value: Any) -> Entry:
    """Return what an entry's value says."""
    if not isinstance(value, Mapping):
        return Entry("", (), "unclear")
    command, arguments = value.get("command"), value.get("args", [])
    if command is None and ("url" in value or "type" in value):
        return Entry("", (), "remote")
    is_stdio = value.get("type", "stdio") == "stdio"
    if not is_stdio:
        return Entry("", (), "remote")
    if not command or not isinstance(arguments, list) or not _are_texts(command, *arguments):
        return Entry("", (), "unclear")
    own = _own_arguments((command, *arguments))
    kind = _KINDS.get(own[0], "stdio") if own else "stdio"
    return Entry(
        command=command,
        arguments=tuple(arguments),
        kind=kind,
        own_arguments=None if kind == "stdio" else own,
        search_path=_search_path(value.get("env")),
    )


def _are_texts(*words: object) -> bool:
    return all(isinstance(word, str) for word in words)


def _own_arguments(words: Sequence[str]) -> tuple[str, ...]:
    """Return what follows our program in a command line, nothing when it starts another."""
    if program(words[0]) == OWN_NAME:
        return tuple(words[1:])
    for at, word in enumerate(words[1:], 1):
        if word == _MODULE and words[at - 1] == "-m":
            return tuple(words[at + 1 :])
        if program(words[0]) in _RUNNERS and _REQUIREMENT.match(word) and words[at - 1] != "--from":
            return tuple(words[at + 1 :])
        if word == "--":
            break
    return ()


def program(command: str) -> str:
    """Return the name of a program without folder and ending, on whatever system it is."""
    return _ENDING.sub("", re.split(r"[/\\]", command)[-1]).lower()


def _search_path(environment: Any) -> str | None:
    if not isinstance(environment, Mapping):
        return None
    found = next((v for k, v in environment.items() if k.upper() == "PATH"), None)
    return found if isinstance(found, str) else None


def absolute(entry: Entry, which: Which) -> str | None:
    """Return the absolute path of an entry's program, None where it can't be found.

    What names a folder already is left as it is: it may be relative to where the client starts.
    """
    if re.search(r"[/\\]", entry.command):
        return entry.command
    return which(entry.command, entry.search_path)


def on_path(name: str, search_path: str | None) -> str | None:
    """Find a program as the shell of this process would (`Which`)."""
    found = shutil.which(name, path=search_path)
    return None if found is None else os.path.abspath(found)


def is_same_program(path: str, written: str) -> bool:
    """Return whether `path` may be what `written` was resolved to."""
    return path == written or (
        not re.search(r"[/\\]", written) and program(path) == program(written)
    )
