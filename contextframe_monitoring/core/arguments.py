"""Arguments of the public calls, checked: a wrong one is refused at once, by name, with what is
allowed.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Mapping
from typing import Any

from contextframe_monitoring.core.errors import InvalidError

COUNT_MAX = 10**15
"""More bytes, tokens or results than anything real: a mistake."""


def text(name: str, value: object) -> str:
    """Return a non-empty string."""
    if not isinstance(value, str):
        raise InvalidError(name, value, "expected a string")
    if not value:
        raise InvalidError(name, value, "expected a string that is not empty")
    return value


def optional_text(name: str, value: object) -> str | None:
    """Return a string or None; an empty one means None."""
    if value is None or value == "":
        return None
    return text(name, value)


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """Return one of a closed set of words."""
    if not isinstance(value, str) or value not in allowed:
        raise InvalidError(name, value, f"expected one of {', '.join(allowed)}")
    return value


def count(name: str, value: object, maximum: int = COUNT_MAX) -> int:
    """Return a whole number from 0 to `maximum`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidError(name, value, "expected a whole number")
    if not 0 <= value <= maximum:
        raise InvalidError(name, value, f"expected 0 to {maximum}")
    return value


def optional_count(name: str, value: object) -> int | None:
    """Return a whole number that is not negative, or None for unknown."""
    return None if value is None else count(name, value)


def optional_code(name: str, value: object) -> int | None:
    """Return a status code (JSON-RPC's are negative), or None for unknown."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**31) <= value < 2**31:
        raise InvalidError(name, value, "expected a whole number of 32 bits")
    return value


def number(name: str, value: object, minimum: float | None = None) -> float:
    """Return a finite number, not below `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidError(name, value, "expected a number")
    if not math.isfinite(value):
        raise InvalidError(name, value, "expected a finite number")
    if minimum is not None and value < minimum:
        raise InvalidError(name, value, f"expected {minimum:g} or more")
    return float(value)


def optional_number(name: str, value: object, minimum: float | None = None) -> float | None:
    """Return a finite number, or None for unknown."""
    return None if value is None else number(name, value, minimum)


def mapping(name: str, value: object) -> Mapping[str, Any] | None:
    """Return a dictionary or None."""
    if value is not None and not isinstance(value, Mapping):
        raise InvalidError(name, value, "expected a dictionary")
    return value


def numbers(name: str, value: object, items_max: int = 32) -> dict[str, float]:
    """Return a dictionary of finite numbers by name, at most `items_max` of them."""
    found = mapping(name, value) or {}
    if len(found) > items_max:
        raise InvalidError(name, f"{len(found)} numbers", f"expected at most {items_max}")
    return {text(f"a key of {name}", key): number(f"{name}[{key}]", n) for key, n in found.items()}


def moment_us(name: str, value: object) -> int:
    """Return a time that knows its zone in microseconds since the epoch."""
    if not isinstance(value, dt.datetime):
        raise InvalidError(name, value, "expected a datetime")
    if value.tzinfo is None:
        raise InvalidError(name, value, "expected a datetime with a time zone")
    return round((value - _EPOCH) / dt.timedelta(microseconds=1))


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
