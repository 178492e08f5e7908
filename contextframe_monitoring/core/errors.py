"""One root error with six codes; each message names the culprit, its value and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

ErrorCode = Literal["invalid", "not_found", "conflict", "limited", "unavailable", "internal"]

_SHOWN_CHARS_MAX = 80


def shown(value: object) -> str:
    """Return `value` as a short, printable literal, safe to stand in a message that an agent
    reads.
    """
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= _SHOWN_CHARS_MAX else f"{text[: _SHOWN_CHARS_MAX - 3]}..."


class MonitoringError(Exception):
    """Root of all errors that this package raises on purpose."""

    code: ErrorCode = "internal"


class InvalidError(MonitoringError):
    """A value from outside is not allowed."""

    code: ErrorCode = "invalid"

    def __init__(self, name: str, value: object, allowed: str) -> None:
        """`name` is the parameter or key, `allowed` says in words what would be right."""
        super().__init__(f"{name} = {shown(value)} is not allowed: {allowed}")
        self.name, self.value, self.allowed = name, value, allowed


class UnknownKeyError(MonitoringError):
    """A configuration holds a key that means nothing."""

    code: ErrorCode = "invalid"

    def __init__(self, key: str, known: Iterable[str], where: str) -> None:
        """`where` names the file or environment that holds the key; the nearest known key is
        offered.
        """
        names = sorted(known)
        near = difflib.get_close_matches(key, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(names)}"
        super().__init__(f"unknown key {shown(key)} in {where}: {hint}")
        self.key, self.known = key, names


class NotFoundError(MonitoringError):
    """What was asked for does not exist."""

    code: ErrorCode = "not_found"

    def __init__(self, what: str, name: object, hint: str) -> None:
        """`hint` says how to see what exists."""
        super().__init__(f"{what} {shown(name)} does not exist: {hint}")


class ConflictError(MonitoringError):
    """Two things claim one name or place."""

    code: ErrorCode = "conflict"


class LimitedError(MonitoringError):
    """A bound was reached."""

    code: ErrorCode = "limited"

    def __init__(self, name: str, value: object, limit: object, hint: str) -> None:
        """`limit` is the bound, `hint` what to do to stay below it."""
        super().__init__(f"{name} = {shown(value)} is above its limit of {limit}: {hint}")


class UnavailableError(MonitoringError):
    """Something that is needed can't be reached now, or is not installed."""

    code: ErrorCode = "unavailable"


class StoreError(MonitoringError):
    """The store can't be used as it is: not a folder, read-only, full, or written by a newer
    version.
    """

    code: ErrorCode = "unavailable"

    def __init__(self, store: str, reason: str, remedy: str) -> None:
        """`store` is the URI, `remedy` what a person can do."""
        super().__init__(f"store {shown(store)} can't be used: {reason}; {remedy}")
        self.store, self.reason, self.remedy = store, reason, remedy
