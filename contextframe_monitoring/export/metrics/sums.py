"""Sums that are exact, and so independent of the order of their parts: a total that is read again
after a drain, a compaction or a restart is never an ulp smaller than before.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from contextframe_monitoring.query.source import Floats, Integers

_LIMB_BITS = 32
_MASK = (1 << _LIMB_BITS) - 1
_MANTISSA_BITS = 53
_BIAS = 1126
"""The smallest positive float is 2**-1074; `frexp` puts the end of its mantissa 52 bits below."""
_LIMBS = (_BIAS + 1024) // _LIMB_BITS + 3


class Sum(Protocol):
    """Totals by index, each the exact sum of what was added to it."""

    def add(self, at: Integers, values: Any) -> None:
        """Add each value to the total at its index."""
        ...

    def total(self, at: int) -> float:
        """Return a total; 0 where nothing was added."""
        ...

    def exact(self, at: int) -> str:
        """Return a total as text, to the last bit."""
        ...

    def add_exact(self, at: int, text: str) -> None:
        """Add what `exact` returned. Raises `ValueError` for other text."""
        ...


def grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the array with at least `size` rows, new ones zero, with room for more."""
    if len(array) >= size:
        return array
    larger = np.zeros((max(size, 2 * len(array), 16), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger


class WholeSum:
    """Sums of int64 values, up to 2**95."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._high: Integers = np.zeros(0, np.int64)
        self._low: Integers = np.zeros(0, np.int64)

    def add(self, at: Integers, values: Integers) -> None:
        """Add each value to the total at its index."""
        if not len(at):
            return
        self._high = grown(self._high, int(at.max()) + 1)
        self._low = grown(self._low, int(at.max()) + 1)
        np.add.at(self._high, at, values >> _LIMB_BITS)
        np.add.at(self._low, at, values & _MASK)
        self._high += self._low >> _LIMB_BITS
        self._low &= _MASK

    def total(self, at: int) -> int:
        """Return a total; 0 where nothing was added."""
        if at >= len(self._high):
            return 0
        return (int(self._high[at]) << _LIMB_BITS) + int(self._low[at])

    def exact(self, at: int) -> str:
        """Return a total as text, to the last bit."""
        return str(self.total(at))

    def add_exact(self, at: int, text: str) -> None:
        """Add what `exact` returned. Raises `ValueError` for other text."""
        high, low = divmod(int(text), 1 << _LIMB_BITS)
        self.add(np.array([at]), np.array([low]))
        self._high[at] += high


class ExactSum:
    """Sums of finite floats, rounded only when they are read; for up to a billion values each.

    A fixed-point accumulator over the whole range of floats, in limbs of 32 bits (Kulisch).
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._limbs: Integers = np.zeros((0, _LIMBS), np.int64)

    def add(self, at: Integers, values: Floats) -> None:
        """Add each value to the total at its index."""
        if not len(at):
            return
        self._limbs = grown(self._limbs, int(at.max()) + 1)
        mantissa, exponent = np.frexp(values)
        whole = np.ldexp(np.abs(mantissa), _MANTISSA_BITS).astype(np.int64)
        sign = np.where(mantissa < 0, -1, 1)
        limb, bit = np.divmod(exponent.astype(np.int64) - _MANTISSA_BITS + _BIAS, _LIMB_BITS)
        low, high = (whole & _MASK) << bit, (whole >> _LIMB_BITS) << bit
        flat = self._limbs.reshape(-1)
        first = at * _LIMBS + limb
        np.add.at(flat, first, sign * (low & _MASK))
        np.add.at(flat, first + 1, sign * ((low >> _LIMB_BITS) + (high & _MASK)))
        np.add.at(flat, first + 2, sign * (high >> _LIMB_BITS))

    def total(self, at: int) -> float:
        """Return a total, correctly rounded; infinite when no float is large enough."""
        if at >= len(self._limbs):
            return 0.0
        whole = self._whole(at)
        try:
            return whole / (1 << _BIAS)
        except OverflowError:
            return float("inf") if whole > 0 else float("-inf")

    def exact(self, at: int) -> str:
        """Return a total as text, to the last bit: a whole number in hex, and a power of two."""
        whole = self._whole(at) if at < len(self._limbs) else 0
        zeros = max((whole & -whole).bit_length() - 1, 0)
        return f"{whole >> zeros:x}p{zeros}"

    def add_exact(self, at: int, text: str) -> None:
        """Add what `exact` returned. Raises `ValueError` for other text."""
        digits, _, zeros = text.partition("p")
        whole = int(digits, 16) << min(int(zeros), _LIMBS * _LIMB_BITS)
        if abs(whole) >> (_LIMBS * _LIMB_BITS):
            raise ValueError(text[:80])
        self._limbs = grown(self._limbs, at + 1)
        sign, rest = (-1 if whole < 0 else 1), abs(whole)
        for limb in range(_LIMBS):
            self._limbs[at, limb] += sign * ((rest >> (limb * _LIMB_BITS)) & _MASK)

    def _whole(self, at: int) -> int:
        row = self._limbs[at]
        return sum(int(row[k]) << (_LIMB_BITS * int(k)) for k in np.flatnonzero(row))
