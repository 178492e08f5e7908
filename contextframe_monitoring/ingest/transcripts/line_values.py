"""The values on a line of a transcript: types that refuse what can't be, and conversions.

A line comes from outside and may hold anything: every name is bounded and printable, every count
and time is plausible.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec

from contextframe_monitoring.core.money import nano_usd
from contextframe_monitoring.ingest.transcripts.dialect import LineError
from contextframe_monitoring.ingest.transcripts.usage_fact import (
    MODEL_CHARS_MAX,
    NAME_CHARS_MAX,
    TOKENS_MAX,
    TOOLS_MAX,
)

Count = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]
RunningTotal = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX * 1_000_000)]
Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]
Name = Annotated[str, msgspec.Meta(max_length=NAME_CHARS_MAX)]
ModelName = Annotated[str, msgspec.Meta(max_length=MODEL_CHARS_MAX)]

_Entry = TypeVar("_Entry")


class _Anything(msgspec.Struct, gc=False):
    """An object of which nothing is kept."""


_ANYTHING = msgspec.json.Decoder(_Anything)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_COST_USD_MAX = Decimal(1_000_000)
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]")


def time_us(timestamp: datetime) -> int:
    """Return microseconds since the epoch."""
    if not _EARLIEST <= timestamp < _LATEST:
        raise LineError("timestamp is not between the years 2020 and 2099")
    return (timestamp - _EPOCH) // _MICROSECOND


def checked_name(field: str, value: str | None) -> str | None:
    """Return `value`, which may be absent but neither empty nor unprintable."""
    if value is not None and not (value.isprintable() and value.strip()):
        raise LineError(f"{field} is {'empty' if value.isprintable() else 'not printable'}")
    return value


def label(value: str | None) -> str | None:
    """Return what a flag is called, None when it is blank."""
    return value if value and value.strip() else None


def key_part(name: str) -> str:
    """Return `name` without the sign that parts the names of a key."""
    return name.replace("%", "%25").replace("/", "%2F")


def check_version(version: str | None) -> None:
    """Refuse a line of a tool whose version isn't major.minor.patch: it isn't the one we know."""
    if version is not None and not _VERSION.match(version):
        raise LineError("version is not of the form 1.2.3")


def reported_nano_usd(usd: Decimal | None) -> int | None:
    """Return a cost in nano-dollars, rounded half-even."""
    if usd is None:
        return None
    if not (usd.is_finite() and 0 <= usd <= _COST_USD_MAX):
        raise LineError(f"cost is not between 0 and {_COST_USD_MAX} USD")
    return nano_usd(usd)


def tool_names(names: Iterable[str | None]) -> tuple[str, ...]:
    """Return the names that can stand in an attribute, each once, sorted, at most `TOOLS_MAX`."""
    fit = {name for name in names if name and len(name) <= NAME_CHARS_MAX and name.isprintable()}
    return tuple(sorted(fit)[:TOOLS_MAX])


def decoded(
    decoder: msgspec.json.Decoder[_Entry], line: bytes, is_wanted: Callable[[dict[str, Any]], bool]
) -> _Entry | None:
    """Return `line` decoded, None when it is of another form and isn't one that `is_wanted`."""
    try:
        return decoder.decode(line)
    except msgspec.ValidationError as error:
        reason = str(error)
    except (msgspec.DecodeError, RecursionError) as error:
        raise LineError(str(error)) from error
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise LineError(str(error)) from error
    if not isinstance(entry, dict) or is_wanted(entry):
        raise LineError(reason)
    return None


def read_over(line: bytes) -> None:
    """Raise `LineError` when `line` isn't one whole JSON object."""
    try:
        _ANYTHING.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise LineError(str(error)) from error
