"""`Sampling`: which lines of a high-volume message are written. Warnings and errors always are."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Mapping

_ALWAYS = frozenset({"warning", "error", "critical"})
_SHARES = 1 << 32


class Sampling:
    """Decides by the correlation id, so that the lines of one request stay together."""

    def __init__(self, rates: Mapping[str, float]) -> None:
        """`rates`: message, or its beginning up to a dot, -> share that is written."""
        self._exact = {name: rate for name, rate in rates.items() if not name.endswith(".")}
        beginnings = [(name, rate) for name, rate in rates.items() if name.endswith(".")]
        self._beginnings = sorted(beginnings, key=lambda rule: -len(rule[0]))
        self._numbers = itertools.count(1)

    def rate_of(self, level: str, message: str) -> float:
        """Return the share of such lines that is written; the most specific rule counts."""
        if level in _ALWAYS or not (self._exact or self._beginnings):
            return 1.0
        rate = self._exact.get(message)
        if rate is not None:
            return rate
        for beginning, found in self._beginnings:
            if message.startswith(beginning):
                return found
        return 1.0

    def keeps(self, rate: float, correlation_id: str | None) -> bool:
        """Return whether a line at this rate is written; without an id every nth is."""
        if rate >= 1.0:
            return True
        if correlation_id is not None:
            return zlib.crc32(correlation_id.encode("utf-8", "replace")) < rate * _SHARES
        number = next(self._numbers)
        return int(number * rate) != int((number - 1) * rate)
