"""Money: integer nano-dollars where it is stored and added, Decimal where it is shown. Never
float.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

from contextframe_monitoring.core.errors import InvalidError

NANO_PER_USD = 1_000_000_000
USD_MAX = Decimal(9_000_000_000)
"""Bound of one amount: what 64 bits of nano-dollars hold."""
_EXACT = Context(prec=60)
"""An application may have set the precision of its own context to anything."""


def nano_usd(amount: object, name: str = "cost", *, minimum: int | None = None) -> int:
    """Return an amount of USD in nano-dollars, rounded half-even; a float means the decimal that
    it prints as.

    Raises `InvalidError` for what is no finite number of at most `USD_MAX`.
    """
    allowed = f"a finite number of USD, at most {USD_MAX}"
    if isinstance(amount, bool) or not isinstance(amount, int | float | Decimal):
        raise InvalidError(name, amount, allowed)
    exact = Decimal(repr(amount)) if isinstance(amount, float) else Decimal(amount)
    if not exact.is_finite() or abs(exact) > USD_MAX:
        raise InvalidError(name, amount, allowed)
    if minimum is not None and exact < minimum:
        raise InvalidError(name, amount, f"expected {minimum} USD or more")
    nano = _EXACT.multiply(exact, Decimal(NANO_PER_USD))
    return int(nano.to_integral_value(rounding=ROUND_HALF_EVEN))


def nano_usd_of_ratio(numerator: int, scale: int) -> int:
    """Return `numerator / scale` USD in nano-dollars, rounded half to even."""
    whole, rest = divmod(numerator * NANO_PER_USD, scale)
    twice = 2 * rest
    return whole + (twice > scale or (twice == scale and whole % 2 == 1))


def usd(nano: int) -> Decimal:
    """Return nano-dollars as USD, exact, without needless zeros."""
    whole, rest = divmod(abs(nano), NANO_PER_USD)
    text = f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
    return Decimal(f"-{text}" if nano < 0 else text)
