"""How measured numbers are written: as many digits as mean something, None for no number."""

from __future__ import annotations

from math import isfinite

_MEASURED_DIGITS = 6
_SUM_DIGITS = 12
_SHARE_PLACES = 6


def measured(value: float | None) -> float | None:
    """Return a duration or rate with six significant digits."""
    return _rounded(value, _MEASURED_DIGITS)


def added_up(value: float | None) -> float | None:
    """Return a sum or mean of an application's numbers with twelve significant digits."""
    return _rounded(value, _SUM_DIGITS)


def share(value: float | None) -> float | None:
    """Return a share with six places."""
    return None if value is None or not isfinite(value) else round(value, _SHARE_PLACES)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not isfinite(value) else float(f"{value:.{digits}g}")
