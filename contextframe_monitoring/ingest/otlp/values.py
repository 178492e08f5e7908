"""Values of an OTLP document: attributes, times, ids, counts; each bounded, each plausible.

A document is whatever somebody sent. What has the wrong type where only a detail is lost is left
out; what would make a wrong fact is refused by `InvalidError`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.money import nano_usd
from contextframe_monitoring.ingest.transcripts.usage_fact import NAME_CHARS_MAX, TOKENS_MAX

Attributes = Mapping[str, str | int | float | bool]

ATTRIBUTES_MAX = 256
"""Of one span, point, record or resource; an SDK's default is 128."""
KEY_CHARS_MAX = 256
TEXT_CHARS_MAX = 4096
"""Of an attribute that is looked at; longer ones are contents."""
COST_USD_MAX = 1_000_000
_EARLIEST_US = 1_577_836_800_000_000
_LATEST_US = 4_102_444_800_000_000
"""The years 2020 to 2099."""
_HEX = re.compile(r"[0-9a-f]+")
_WHOLE = re.compile(r"-?[0-9]{1,24}")


def items(holder: object, key: str) -> Iterator[dict[str, Any]]:
    """Yield the objects in the list that stands under `key`."""
    found = holder.get(key) if isinstance(holder, dict) else None
    if isinstance(found, list):
        yield from (item for item in found if isinstance(item, dict))


def attributes(holder: object) -> Attributes:
    """Return the attributes of an object that are plain values, at most `ATTRIBUTES_MAX`."""
    found: dict[str, str | int | float | bool] = {}
    for pair in items(holder, "attributes"):
        key, value = pair.get("key"), _plain(pair.get("value"))
        if isinstance(key, str) and len(key) <= KEY_CHARS_MAX and value is not None:
            found[key] = value
            if len(found) >= ATTRIBUTES_MAX:
                break
    return found


def _plain(value: object) -> str | int | float | bool | None:
    if not isinstance(value, dict):
        return None
    text = value.get("stringValue")
    if isinstance(text, str):
        return text if len(text) <= TEXT_CHARS_MAX else None
    if "intValue" in value:
        return _whole(value["intValue"])
    flag = value.get("boolValue")
    if isinstance(flag, bool):
        return flag
    number = value.get("doubleValue")
    return number if isinstance(number, int | float) else None


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def time_us(holder: Mapping[str, Any], *keys: str) -> int:
    """Return the first of these times (nanoseconds) that is given, in microseconds.

    Raises `InvalidError` when none is, or when it isn't in this century's twenties to nineties.
    """
    nano = next((found for key in keys if (found := _whole(holder.get(key)))), None)
    if nano is None or not _EARLIEST_US <= nano // 1000 < _LATEST_US:
        raise InvalidError(keys[0], nano, "nanoseconds since 1970, in the years 2020 to 2099")
    return nano // 1000


def nanoseconds(holder: Mapping[str, Any], key: str) -> int:
    """Return a time in nanoseconds, 0 when it isn't known."""
    nano = _whole(holder.get(key)) or 0
    return nano if 0 <= nano < _LATEST_US * 1000 else 0


def hex_id(holder: Mapping[str, Any], key: str, chars: int) -> str | None:
    """Return a trace or span id in lower case, None when there is none."""
    found = holder.get(key)
    if not isinstance(found, str) or len(found) != chars:
        return None
    found = found.lower()
    return found if _HEX.fullmatch(found) and found.strip("0") else None


def text(found: Attributes, *names: str, chars_max: int = NAME_CHARS_MAX) -> str | None:
    """Return the first of these attributes that is a printable text of a bearable length."""
    for name in names:
        value = found.get(name)
        is_short = isinstance(value, str) and len(value) <= chars_max
        if isinstance(value, str) and is_short and value.strip() and value.isprintable():
            return value
    return None


def identity(found: Attributes, *names: str) -> str | None:
    """Return an id; one that is too long or not printable stands as its hash."""
    for name in names:
        value = found.get(name)
        if isinstance(value, str) and value.strip():
            if len(value) <= NAME_CHARS_MAX and value.isprintable():
                return value
            return hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return None


def count(found: Attributes, *names: str) -> int | None:
    """Return the first of these attributes as a number of tokens.

    Raises `InvalidError` for one that is no whole number from 0 to `TOKENS_MAX`.
    """
    for name in names:
        if name in found:
            return checked_count(name, found[name])
    return None


def checked_count(name: str, value: object, count_max: int = TOKENS_MAX) -> int:
    """Return `value` as a number of tokens. Raises `InvalidError`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = _whole(value)
    if whole is None or not 0 <= whole <= count_max:
        raise InvalidError(name, value, f"a whole number from 0 to {count_max}")
    return whole


def cost_nano_usd(name: str, value: object) -> int:
    """Return a reported cost in nano-dollars. Raises `InvalidError`."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise InvalidError(name, value, "a number of USD") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidError(name, value, "a number of USD")
    if not 0 <= value <= COST_USD_MAX:
        raise InvalidError(name, value, f"a number of USD from 0 to {COST_USD_MAX}")
    return nano_usd(value, name)
