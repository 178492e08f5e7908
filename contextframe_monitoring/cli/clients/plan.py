"""What is to happen to one configuration file, worked out whole before anything is written."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contextframe_monitoring.cli.clients import config_file
from contextframe_monitoring.cli.clients.config_file import Backup, find_backup, read, text_of
from contextframe_monitoring.cli.clients.document import Document
from contextframe_monitoring.cli.clients.entries import Which
from contextframe_monitoring.cli.clients.installation import (
    EVERYTHING,
    SERVERS,
    Change,
    Unwanted,
    Wanted,
    installed,
    is_blank,
    uninstalled,
)
from contextframe_monitoring.cli.clients.place import Place
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.privacy import masked_text

_LINE_CHARS_MAX = 300
_SECRET_MEMBER = re.compile(
    r'("(?:[A-Z][A-Z0-9_]+|(?i:authorization|[^"]*(?:token|secret|password|key)))"\s*:\s*)'
    r'"(?:[^"\\]|\\.)*"'
)
"""Environment variables and headers, as they stand in configurations."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A file that holds `now` (None: missing), becomes `after`, and goes back to `before`."""

    place: Place
    now: bytes | None
    after: bytes | None
    before: bytes | None
    change: Change

    @property
    def file(self) -> Path:
        """The file."""
        return self.place.file

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return self.after != self.now

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff; what looks like a secret is masked."""
        old, new = (text_of(data, self.file).splitlines() for data in (self.now, self.after))
        name = str(self.file)
        for line in difflib.unified_diff(old, new, name, name, lineterm="", n=2):
            masked = masked_text(_SECRET_MEMBER.sub(r'\1"…"', line), _LINE_CHARS_MAX)
            yield "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in masked)


def plan_install(place: Place, wanted: Wanted, which: Which) -> Plan:
    """Return what installing does to a file. Raises a `MonitoringError` that names file and
    line.
    """
    now = read(place.file)
    if now is None and not place.serves:
        return Plan(place, None, None, None, Change(""))
    name, text = str(place.file), text_of(now, place.file)
    here = dataclasses.replace(wanted, serves=place.serves, typed=place.typed)
    change = installed(text, name, here, which)
    after = now if change.text == text else _encoded(change.text, name)
    backup = find_backup(place.file, now)
    if backup is not None and backup.is_exact:
        return Plan(place, now, after, backup.data, change)
    before, _ = _undone(text, name, now, backup)
    return Plan(place, now, after, before, change)


def plan_uninstall(place: Place, unwanted: Unwanted = EVERYTHING) -> Plan:
    """Return what uninstalling does to a file. Raises what `plan_install` raises."""
    now = read(place.file)
    if now is None:
        return Plan(place, None, None, None, Change(""))
    backup = find_backup(place.file, now)
    text, name = text_of(now, place.file), str(place.file)
    before, everything = _undone(text, name, now, backup)
    if backup is not None and backup.is_exact:
        before = backup.data
    if unwanted == EVERYTHING:
        return Plan(place, now, before, before, everything)
    after, change = _undone(text, name, now, backup, unwanted)
    return Plan(place, now, after, before, change)


def _undone(
    text: str,
    name: str,
    now: bytes | None,
    backup: Backup | None,
    unwanted: Unwanted = EVERYTHING,
) -> tuple[bytes | None, Change]:
    """Return a file without what is unwanted; None when nothing is left of what we created."""
    if now is None:
        return None, Change("")
    original = None
    if backup is not None and backup.data is not None:
        original = backup.data.decode("utf-8", "replace")
    change = uninstalled(text, name, original, unwanted)
    if change.text == text:
        return now, change
    created = backup is not None and backup.data is None
    if created and _is_empty(change.text, name):
        return None, change
    return _encoded(change.text, name), change


def _is_empty(text: str, name: str) -> bool:
    return is_blank(text) or Document(text, name).value in ({}, {SERVERS: {}})


def _encoded(text: str, name: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        culprit = text[error.start : error.end]
        raise InvalidError(name, culprit, "a path in it can't be written as UTF-8") from None


def carry_out_install(plan: Plan) -> Path:
    """Write an installation and return the backup. Raises `ConflictError`, `UnavailableError`."""
    return config_file.install(plan.file, plan.now, plan.before, plan.after or b"")


def carry_out_uninstall(plan: Plan) -> None:
    """Write the file; its backups go when nothing of ours is left. Raises what installing
    raises.
    """
    if plan.after == plan.before or plan.after is None:
        config_file.restore(plan.file, plan.now, plan.after)
    elif plan.changes:
        config_file.install(plan.file, plan.now, plan.before, plan.after)
