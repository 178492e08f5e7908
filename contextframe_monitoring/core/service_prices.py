"""Prices of what is not a model call: storage, bandwidth, compute time, upstream API calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.model_names import specificity
from contextframe_monitoring.core.price_history import Span
from contextframe_monitoring.core.prices import Cost, Unknown, cost_of
from contextframe_monitoring.core.token_usage import COUNT_MAX

ServiceKind = Literal["storage", "bandwidth", "compute", "api"]
Quantity = int | float | Decimal

GB_BYTES: Final = 2**30
QUANTITY_MAX: Final = COUNT_MAX * GB_BYTES

UNITS: Final[dict[ServiceKind, dict[str, tuple[tuple[str, int], ...]]]] = {
    "storage": {
        "read": (("read_gb", GB_BYTES),),
        "write": (("write_gb", GB_BYTES),),
        "delete": (("delete_gb", GB_BYTES),),
        "month": (("month_gb", GB_BYTES),),
    },
    "bandwidth": {"egress": (("egress_gb", GB_BYTES),), "ingress": (("ingress_gb", GB_BYTES),)},
    "compute": {"second": (("second", 1), ("hour", 3_600))},
    "api": {"call": (("call", 1), ("kcall", 1_000))},
}
"""Operations by kind, and the keys (with the quantity they are listed for) that price each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEntry:
    """One dated price list for services with one of `names`; `rates` are USD by key of `UNITS`."""

    kind: ServiceKind
    names: tuple[str, ...]
    price_id: str
    source: str
    checked: date | None
    origin: str
    rates: tuple[tuple[str, Decimal], ...]
    span: Span


def service_cost(
    layers: Iterable[Iterable[ServiceEntry]],
    kind: ServiceKind,
    operation: str,
    quantity: Quantity,
    *,
    name: str,
    at_us: int,
) -> Cost:
    """Price `quantity` (bytes, byte-months, seconds or calls) at the time of the event.

    The first layer that prices the operation answers; within it the most exact name wins, then the
    latest entry. Raises `InvalidError` for an operation that the kind does not have, or a quantity
    that cannot be.
    """
    keys = UNITS[kind].get(operation)
    if keys is None:
        raise InvalidError(f"{kind} operation", operation, f"one of {', '.join(UNITS[kind])}")
    amount = _exact(quantity)
    for layer in layers:
        entry = _best(layer, kind, keys, name.lower(), at_us)
        rate = entry and _rate(entry, keys)
        if entry and rate:
            return cost_of(
                amount * Fraction(rate[0]) / rate[1],
                price_id=f"{entry.price_id}#{operation}",
                source=entry.source,
                checked=entry.checked,
            )
    return Unknown(reason=f"no {kind} price for {operation} of {name!r} holds at that time").cost()


def _best(
    layer: Iterable[ServiceEntry],
    kind: ServiceKind,
    keys: tuple[tuple[str, int], ...],
    name: str,
    at_us: int,
) -> ServiceEntry | None:
    ranked = [
        ((fit, entry.span.from_us or 0), entry)
        for entry in layer
        if entry.kind == kind
        and entry.span.holds(at_us)
        and _rate(entry, keys)
        and (fit := specificity(entry.names, name)) is not None
    ]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _rate(entry: ServiceEntry, keys: tuple[tuple[str, int], ...]) -> tuple[Decimal, int] | None:
    rates = dict(entry.rates)
    return next(((rates[key], per) for key, per in keys if key in rates), None)


def _exact(quantity: object) -> Fraction:
    allowed = f"a number from 0 to {QUANTITY_MAX}"
    if isinstance(quantity, bool) or not isinstance(quantity, (int, float, Decimal)):
        raise InvalidError("quantity", quantity, allowed)
    number = Decimal(repr(quantity)) if isinstance(quantity, float) else Decimal(quantity)
    if not number.is_finite() or not 0 <= number <= QUANTITY_MAX:
        raise InvalidError("quantity", quantity, allowed)
    return Fraction(number)
