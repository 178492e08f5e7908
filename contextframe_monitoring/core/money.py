"""Nano-dollars and dollars: exact decimals with at most nine places, never a float in between."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.records import NANO_PER_USD

_PLACES = 9
AMOUNT_USD_MAX = 10**12


def usd(nano_usd: int) -> Decimal:
    """Return an integer amount of nano-dollars in dollars, exact, without trailing zeros."""
    whole, rest = divmod(abs(nano_usd), NANO_PER_USD)
    text = f"{whole}.{rest:0{_PLACES}d}".rstrip("0").rstrip(".")
    return Decimal(f"-{text}" if nano_usd < 0 else text)


def nano_usd(name: str, amount: Decimal) -> int:
    """Return an amount that is not negative in nano-dollars, half-even at the ninth place.

    `name` says in the `InvalidError` what the amount is for.
    """
    if not amount.is_finite() or not 0 <= amount <= AMOUNT_USD_MAX:
        raise InvalidError(name, amount, f"expected an amount from 0 to {AMOUNT_USD_MAX} dollars")
    return round(Fraction(amount) * NANO_PER_USD)
