"""The secrets of one channel: read when they are needed, and kept out of whatever is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from contextframe_monitoring.core.channel_settings import Channel
from contextframe_monitoring.core.errors import MonitoringError, UnavailableError
from contextframe_monitoring.core.notification import line
from contextframe_monitoring.core.privacy import MASK
from contextframe_monitoring.core.secret import Secret

SECRET_BYTES_MAX = 16 << 10
_SAID_CHARS_MAX = 200
_PART_CHARS_MIN = 6
"""Shorter parts of an address (`v2`, `hooks`) are no secrets."""


class Secrets:
    """Reads the secrets that one channel names. One that changes is seen by the next read."""

    def __init__(self, path: str, environ: Mapping[str, str]) -> None:
        """`path` is the channel's table (`channels.ops`), for errors."""
        self._path, self._environ = path, environ
        self._seen: set[str] = set()

    def read(self, key: str, secret: Secret) -> str:
        """Return the value of a secret. Raises `UnavailableError` where there is none."""
        place = f"{self._path}.{key}"
        value = self._of_file(place, secret.file) if secret.file else self._of_env(place, secret)
        value = value.strip()
        if not value or not value.isprintable():
            raise UnavailableError(f"the secret of {place} is empty or more than one line")
        self._seen.add(value)
        self._seen |= {part for part in _parts(value) if len(part) >= _PART_CHARS_MIN}
        return value

    def _of_env(self, place: str, secret: Secret) -> str:
        value = self._environ.get(secret.env or "")
        if value is None:
            raise UnavailableError(f"{place}: the variable {secret.env} is not set")
        return value

    def _of_file(self, place: str, path: str) -> str:
        try:
            with Path(path).expanduser().open("rb") as file:
                data = file.read(SECRET_BYTES_MAX + 1)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise UnavailableError(f"{place}: the file {path} can't be read: {why}") from None
        if len(data) > SECRET_BYTES_MAX:
            raise UnavailableError(f"{place}: the file {path} is too large for a secret")
        return data.decode("utf-8", "replace")

    def scrubbed(self, text: str) -> str:
        """Return what the other side said as one bounded line, without any of the secrets."""
        for value in sorted(self._seen, key=len, reverse=True):
            text = text.replace(value, MASK)
        return line(text, _SAID_CHARS_MAX)


def _parts(value: str) -> Iterator[str]:
    """Yield what of an address is secret by itself."""
    if "://" in value:
        found = urlsplit(value)
        yield from found.path.split("/")
        yield from (piece.partition("=")[2] for piece in found.query.split("&"))
        yield from (found.username or "", found.password or "")


def secrets_in(value: Any, key: str = "") -> Iterator[tuple[str, Secret]]:
    """Yield key and place of every secret that a channel or an option of it names."""
    if isinstance(value, Secret):
        yield key, value
    elif isinstance(value, Channel):
        for name in value.__struct_fields__:
            yield from secrets_in(getattr(value, name), name)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from secrets_in(inner, f"{key}.{name}" if key else str(name))


def missing_secrets(name: str, channel: Channel, environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the secrets of a channel, in words."""
    secrets, problems = Secrets(f"channels.{name}", environ), []
    for key, secret in secrets_in(channel):
        try:
            secrets.read(key, secret)
        except MonitoringError as error:
            problems.append(str(error))
    return problems


def with_values(options: Mapping[str, Any], secrets: Secrets) -> dict[str, Any]:
    """Return the options of a plug-in with its secrets read: `{ env = "X" }` becomes a text."""
    found = {}
    for key, value in options.items():
        is_secret = isinstance(value, Mapping) and value.keys() in ({"env"}, {"file"})
        found[key] = secrets.read(key, msgspec.convert(value, Secret)) if is_secret else value
    return found
