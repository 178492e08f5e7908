"""Where the configuration comes from: the caller, the environment, a TOML file, the defaults."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from contextframe_monitoring.core.config import (
    FILE_VARIABLE,
    MonitoringConfig,
    changed,
    config_from,
    config_keys,
    sections,
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
        section, _, key = error.key.partition(".")
        if section not in values:
            raise
        where = f"{path}, line {_line_of(error.key, text)}"
        names: Iterable[str] = config_keys()
        if key:
            names = (f"{section}.{one}" for one in sections()[section].__struct_fields__)
        raise UnknownKeyError(error.key, names, where) from None
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
    section, _, inner = key.partition(".")
    if inner:
        before = _line_of(section, text) - 1
        lines = text.splitlines(keepends=True)
        return before + _line_of(inner, "".join(lines[before:]))
    name = rf"[\"']?{re.escape(key)}[\"']?"
    found = re.search(rf"^\s*(?:{name}\s*[=.]|\[+\s*{name}\s*[.\]])", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1
