"""Where the configuration comes from: the caller, the environment, a TOML file, the defaults."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from contextframe_monitoring.core.config import (
    FILE_VARIABLE,
    MonitoringConfig,
    changed,
    config_from,
)
from contextframe_monitoring.core.errors import (
    InvalidError,
    LimitedError,
    NotFoundError,
    UnavailableError,
    UnknownKeyError,
)

FILE_BYTES_MAX = 1 << 20
_RULE = re.compile(r"alert rule '([^']*)'")


def load_config(path: str | None, environ: Mapping[str, str], **overrides: Any) -> MonitoringConfig:
    """Return the configuration: `overrides` that are not None win over the environment, that over
    the file, that over the defaults.

    The file is `path`, else the one that `CONTEXTFRAME_MONITORING_CONFIG` names, else none.
    Raises a `MonitoringError` that names the culprit and, for the file, its line.
    """
    path = path or environ.get(FILE_VARIABLE) or None
    text = "" if path is None else _text_of(path)
    values = {} if path is None else _table_of(path, text)
    try:
        config = config_from(values, path or "the configuration", environ)
    except UnknownKeyError as error:
        if error.key.partition(".")[0] not in values:
            raise
        where = f"{path}, line {_line_of(error.key, text)}"
        raise UnknownKeyError(error.key, error.known, where) from None
    except InvalidError as error:
        rule = _RULE.match(error.name)
        if path is not None and rule is not None:
            place = f"{path}, line {_line_saying(rule[1], text)}: {error.name}"
            raise InvalidError(place, error.value, error.allowed) from None
        if error.name.partition(".")[0] not in values:
            raise
        place = f"{path}, line {_line_of(error.name, text)}: {error.name}"
        raise InvalidError(place, error.value, error.allowed) from None
    return changed(config, {key: value for key, value in overrides.items() if value is not None})


def _text_of(path: str) -> str:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        hint = "give the path of a TOML file, or leave it out for the defaults"
        raise NotFoundError("configuration file", path, hint) from None
    except OSError as error:
        raise UnavailableError(
            f"configuration file {path!r} can't be read: {error.strerror}"
        ) from None
    if len(data) > FILE_BYTES_MAX:
        raise LimitedError("size of " + path, len(data), FILE_BYTES_MAX, "is it the right file?")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start : error.start + 1]
        raise InvalidError(f"{path}, line {line}", byte, "TOML files are UTF-8") from None


def _table_of(path: str, text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:  # its message ends in "(at line 3, column 7)"
        found = re.search(r"line (\d+)", str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1
        lines = [*text.splitlines(), ""]
        culprit = lines[min(line, len(lines)) - 1]
        raise InvalidError(f"{path}, line {line}", culprit, f"not TOML: {error}") from None


def _line_saying(name: str, text: str) -> int:
    """Return the number of the line that gives a rule its name."""
    found = re.search(rf"^\s*name\s*=\s*[\"']{re.escape(name)}[\"']", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1


def _line_of(key: str, text: str) -> int:
    """Return the number of the line that sets a key (`budget.monthly_usd`: in that section) or
    opens its table.
    """
    parts = key.split(".")
    for cut in range(len(parts), 0, -1):
        header = re.search(rf"^\s*\[+\s*{_dotted(parts[:cut])}\s*\]", text, re.MULTILINE)
        if header:
            opened = text.count("\n", 0, header.end()) + 1
            return _set_in(parts[cut:], text, header.end()) or opened
    return _set_in(parts, text, 0) or _opened(parts[0], text)


def _set_in(parts: list[str], text: str, start: int) -> int | None:
    """Return the number of the first line from `start` on that sets a key, or a table that it
    stands in.
    """
    for cut in range(len(parts), 0, -1):
        pattern = re.compile(rf"^\s*{_dotted(parts[:cut])}\s*=", re.MULTILINE)
        if found := pattern.search(text, start):
            return text.count("\n", 0, found.end()) + 1
    return None


def _opened(name: str, text: str) -> int:
    found = re.search(rf"^\s*(?:\[+\s*)?{_dotted([name])}\s*[.\]=]", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1


def _dotted(parts: list[str]) -> str:
    return r"\s*\.\s*".join(rf"[\"']?{re.escape(part)}[\"']?" for part in parts)
