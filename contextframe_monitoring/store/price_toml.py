"""Reading a price file: exact decimals, each complaint with file, line and what is allowed."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NoReturn

from contextframe_monitoring.core.errors import ErrorCode, InvalidError, MonitoringError, shown
from contextframe_monitoring.core.pricing_config import rate_usd

FILE_BYTES_MAX: Final = 1_048_576
TEXT_CHARS_MAX: Final = 1_000
LIST_MAX: Final = 200

_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY: Final = re.compile(r"""^\s*["']?([A-Za-z0-9_-]+)["']?\s*(?:\.[^=]*)?=""")
_AT_LINE: Final = re.compile(r"\s*\(at line (\d+), column \d+\)")
_AT_END: Final = " (at end of document)"

Place = tuple[str | int, ...]


class PriceFileError(MonitoringError):
    """A price file can't be used as it stands."""

    code: ErrorCode = "invalid"

    def __init__(self, file: str, line: int | None, reason: str) -> None:
        """`file` and `line` say where, `reason` names the culprit and what is allowed."""
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"{where}: {reason}")
        self.file, self.line, self.reason = file, line, reason


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed price file. `label` is its name in messages and price ids."""

    label: str
    root: dict[str, Any]
    lines: dict[Place, int]

    @classmethod
    def read(cls, path: Path, label: str) -> Document:
        """Read a file of at most `FILE_BYTES_MAX` bytes; `PriceFileError` if that fails."""
        try:
            with path.open("rb") as file:
                raw = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise PriceFileError(label, None, f"can't be read: {reason}") from error
        if len(raw) > FILE_BYTES_MAX:
            raise PriceFileError(label, None, f"is larger than {FILE_BYTES_MAX} bytes: split it")
        return cls.parse(raw, label)

    @classmethod
    def parse(cls, raw: bytes, label: str) -> Document:
        """Parse the bytes of a file."""
        try:
            text = raw.decode("utf-8")
            root = tomllib.loads(text, parse_float=Decimal)
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise PriceFileError(label, line, "is not UTF-8") from error
        except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
            message = str(error)
            found = _AT_LINE.search(message)
            line = int(found[1]) if found else text.count("\n") + 1
            message = _AT_LINE.sub("", message).removesuffix(_AT_END)
            raise PriceFileError(label, line, f"is not TOML here: {message}") from error
        return cls(label, root, dict(_index(text)))

    def line(self, place: Place) -> int | None:
        """Return the line of a key or table, or of the nearest table around it."""
        while place and place not in self.lines and (*place, 0) not in self.lines:
            place = place[:-1]
        return self.lines.get(place, self.lines.get((*place, 0)))


def _index(text: str) -> Iterator[tuple[Place, int]]:
    """Yield the place of each header and key with its line; tables of arrays count from 0."""
    here: Place = ()
    counts: dict[Place, int] = {}
    quoted = False
    for number, line in enumerate(text.splitlines(), start=1):
        fences = line.count('"""') + line.count("'''")
        if quoted or fences % 2:
            quoted = quoted != bool(fences % 2)
            if not fences or not _KEY.match(line):
                continue
        if header := _HEADER.match(line):
            here = _place(header[2], counts, is_array=header[1] == "[[")
            yield here, number
        elif key := _KEY.match(line):
            yield (*here, key[1]), number


def _place(header: str, counts: dict[Place, int], *, is_array: bool) -> Place:
    place: Place = ()
    names = [name.strip().strip("\"'") for name in header.split(".")]
    for position, name in enumerate(names):
        place = (*place, name)
        if is_array and position == len(names) - 1:
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place


@dataclass(slots=True)
class Table:
    """One table of a document, read key by key; `finish` refuses what nobody asked for."""

    document: Document
    place: Place
    values: dict[str, Any]
    _read: set[str] = field(default_factory=set)

    @property
    def kind(self) -> str:
        """Return the table's header as written."""
        return ".".join(str(part) for part in self.place if isinstance(part, str))

    @property
    def origin(self) -> str:
        """Return where the table stands: file and line."""
        return f"{self.document.label}, line {self.document.line(self.place)}"

    def refuse(self, key: str | None, reason: str) -> NoReturn:
        """Raise the error for a key of this table (None: for the table itself)."""
        place = self.place if key is None else (*self.place, key)
        raise PriceFileError(self.document.label, self.document.line(place), reason)

    def _value(self, key: str, allowed: str) -> Any:
        self._read.add(key)
        if key not in self.values:
            self.refuse(key, f"{key} is missing in [[{self.kind}]]: {allowed}")
        return self.values[key]

    def _wrong(self, key: str, value: object, allowed: str) -> NoReturn:
        shown_value = str(value) if isinstance(value, (Decimal, date, datetime)) else shown(value)
        self.refuse(key, f"{key} = {shown_value} is not allowed: {allowed}")

    def text(self, key: str, allowed: str) -> str:
        """Return a required text."""
        value = self._value(key, allowed)
        if not isinstance(value, str) or not value.strip() or len(value) > TEXT_CHARS_MAX:
            self._wrong(key, value, allowed)
        return value

    def texts(self, key: str, allowed: str) -> tuple[str, ...]:
        """Return a required list of texts, at least one."""
        value = self._value(key, allowed)
        if not isinstance(value, list) or not 0 < len(value) <= LIST_MAX:
            self._wrong(key, value, allowed)
        for text in value:
            if not isinstance(text, str) or not text.strip() or len(text) > TEXT_CHARS_MAX:
                self._wrong(key, text, allowed)
        return tuple(value)

    def day(self, key: str) -> date:
        """Return a required date."""
        value = self._value(key, "a date, as in 2026-11-20")
        if isinstance(value, datetime) or not isinstance(value, date):
            self._wrong(key, value, "a date, as in 2026-11-20")
        return value

    def moment(self, key: str) -> datetime | None:
        """Return a date's start, or a time (UTC without an offset); None when the key is absent."""
        self._read.add(key)
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if not isinstance(value, date):
            self._wrong(key, value, "a date or a time, as in 2026-11-20 or 2026-11-20T16:00:00Z")
        return datetime(value.year, value.month, value.day, tzinfo=UTC)

    def flag(self, key: str) -> bool:
        """Return true or false; false when the key is absent."""
        self._read.add(key)
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            self._wrong(key, value, "true or false")
        return value

    def whole(self, key: str, allowed: str) -> int:
        """Return a required whole number above 0."""
        value = self._value(key, allowed)
        if type(value) is not int or value <= 0:
            self._wrong(key, value, allowed)
        return value

    def amounts(self, keys: Iterable[str]) -> dict[str, Decimal]:
        """Return those of `keys` that the table holds, as exact amounts of 0 or more."""
        found: dict[str, Decimal] = {}
        for key in keys:
            if key in self.values:
                self._read.add(key)
                value = self.values[key]
                try:
                    found[key] = rate_usd(key, None if isinstance(value, str) else value)
                except InvalidError as error:
                    self._wrong(key, value, error.allowed)
        return found

    def pairs(self, key: str, allowed: str) -> dict[str, str | bool]:
        """Return an inline table of texts and flags; empty when the key is absent."""
        self._read.add(key)
        value = self.values.get(key, {})
        fits = isinstance(value, dict) and all(isinstance(v, (str, bool)) for v in value.values())
        if not fits or len(value) > 8:
            self._wrong(key, value, allowed)
        return dict(value)

    def tables(self, key: str) -> Iterator[Table]:
        """Yield the tables of an array `[[...key]]`."""
        self._read.add(key)
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            header = ".".join([*filter(None, [self.kind]), key])
            self._wrong(key, value, f"an array of tables, [[{header}]]")
        for index, one in enumerate(value):
            yield Table(self.document, (*self.place, key, index), one)

    def has(self, key: str) -> bool:
        """Tell whether the key is there."""
        return key in self.values

    def finish(self, known: Iterable[str] = ()) -> None:
        """Refuse keys that were not read; the nearest allowed key is offered."""
        for key in self.values:
            if key not in self._read:
                names = sorted({*self._read, *known})
                near = difflib.get_close_matches(key, names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"allowed are {', '.join(names)}"
                where = f"in [[{self.kind}]]" if self.place else "at the top"
                self.refuse(key, f"unknown key {shown(key)} {where}: {hint}")
