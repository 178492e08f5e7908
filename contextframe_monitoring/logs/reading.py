"""Log lines read back: those of one request, or those that match, the newest last."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from contextframe_monitoring.core.errors import InvalidError, UnavailableError
from contextframe_monitoring.core.logging_settings import LOG_LEVELS
from contextframe_monitoring.logs.line import LINE_BYTES_MAX
from contextframe_monitoring.logs.log_file import files_of

LINES_MAX = 10_000
GROUPS_MAX = 1_000
OTHER = "(other)"
NONE = "(none)"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class LineQuery:
    """Which lines are wanted. Raises `InvalidError` when a value is not allowed.

    `where` maps a key of a line, or of its context, to the text of its value; `level` is the
    lowest level. Times are microseconds, start <= time < end.
    """

    start_us: int
    end_us: int
    correlation_id: str | None = None
    level: str = "debug"
    where: Mapping[str, str] = field(default_factory=dict)
    limit: int = 200

    def __post_init__(self) -> None:
        """Check the level and the limit."""
        if self.level not in LOG_LEVELS:
            raise InvalidError("level", self.level, f"expected one of {', '.join(LOG_LEVELS)}")
        if not 1 <= self.limit <= LINES_MAX:
            raise InvalidError("limit", self.limit, f"expected 1 to {LINES_MAX}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLines:
    """What was found: the newest `lines`, `matched` in all, and `damaged` ones that are no JSON."""

    lines: list[dict[str, Any]]
    matched: int
    damaged: int


def read_lines(path: Path, query: LineQuery) -> FoundLines:
    """Return the lines of a log that match, set-aside files included.

    Raises `UnavailableError` when there is no such log, or it can't be read.
    """
    kept: collections.deque[dict[str, Any]] = collections.deque(maxlen=query.limit)
    matched = damaged = 0
    for line in _matching(path, query):
        if line is None:
            damaged += 1
        else:
            matched += 1
            kept.append(line)
    lines = sorted(kept, key=lambda line: str(line.get("timestamp")))
    return FoundLines(lines=lines, matched=matched, damaged=damaged)


def count_lines(path: Path, query: LineQuery, key: str) -> dict[str, int]:
    """Return how many lines match by the value of a key, the most frequent first; beyond
    `GROUPS_MAX` values the others are `(other)`.
    """
    counts: collections.Counter[str] = collections.Counter()
    for line in _matching(path, query):
        if line is not None:
            value = _value(line, key)
            name = NONE if value is None else _text(value)
            counts[name if name in counts or len(counts) < GROUPS_MAX else OTHER] += 1
    return dict(counts.most_common())


def _matching(path: Path, query: LineQuery) -> Iterator[dict[str, Any] | None]:
    """Yield the lines that match, and None for each that is no line of ours."""
    levels = LOG_LEVELS[LOG_LEVELS.index(query.level) :]
    start, end = _moment(query.start_us), _moment(query.end_us)
    wanted = None if query.correlation_id is None else query.correlation_id.encode()
    for raw in _raw_lines(path):
        if wanted is not None and wanted not in raw:
            continue
        try:
            line = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield None
            continue
        if (
            start <= str(line.get("timestamp")) < end
            and line.get("level") in levels
            and (wanted is None or line.get("correlation_id") == query.correlation_id)
            and all(_says(line, key, text) for key, text in query.where.items())
        ):
            yield line


def _raw_lines(path: Path) -> Iterator[bytes]:
    found = files_of(path)
    if not found:
        hint = "set [logging] file, or name one with --file"
        raise UnavailableError(f"log file {str(path)!r} does not exist: {hint}")
    for file in found:
        opener: Callable[..., Any] = gzip.open if file.suffix == ".gz" else open
        try:
            with contextlib.suppress(FileNotFoundError), opener(file, "rb") as lines:
                while raw := lines.readline(2 * LINE_BYTES_MAX):
                    if raw.strip():
                        yield raw
        except (OSError, EOFError, zlib.error) as error:
            raise UnavailableError(f"log file {str(file)!r} can't be read: {error}") from None


def _moment(time_us: int) -> str:
    """Return a time as lines write it: such texts sort as the times do."""
    moment = dt.datetime.fromtimestamp(time_us / 1e6, dt.UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _value(line: dict[str, Any], key: str) -> Any:
    if key in line:
        return line[key]
    context = line.get("context")
    return context.get(key) if isinstance(context, dict) else None


def _says(line: dict[str, Any], key: str, text: str) -> bool:
    value = _value(line, key)
    return value is not None and _text(value) == text


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
