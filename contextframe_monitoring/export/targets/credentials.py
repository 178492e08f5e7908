"""Secrets, read where the configuration says they stand."""

from __future__ import annotations

import os
from collections.abc import Mapping

from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.core.secret import Secret

_BYTES_MAX = 65_536


def revealed(value: str | Secret, key: str, environ: Mapping[str, str]) -> str:
    """Return a value, read where it stands if it is a secret.

    Raises `UnavailableError`, which names `key` and the place.
    """
    if isinstance(value, str):
        return value
    if value.env is not None:
        if not environ.get(value.env):
            raise UnavailableError(f"{key}: the variable {value.env} is not set")
        return environ[value.env].strip()
    path = os.path.expanduser(value.file or "")
    try:
        with open(path, "rb") as file:
            return file.read(_BYTES_MAX).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UnavailableError(f"{key}: the file {value.file} can't be read ({reason})") from None


def headers_of(
    headers: Mapping[str, str | Secret], key: str, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return headers as they are sent. Raises `UnavailableError`."""
    return {name: revealed(value, f"{key}.{name}", environ) for name, value in headers.items()}
