"""A bill against what we counted: per model and UTC day, with the reason where it can be told.

Pure: it compares two tables of (day, model) sums.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from contextframe_monitoring.core.bills import BillLine, plain_model

Place = tuple[str, str | None]
"""(UTC day, plain name of the model)."""
Tokens = tuple[int, int, int, int]
_NOTHING: Tokens = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What we counted in one place; `unknown` of the `count` facts have no price."""

    nano_usd: int = 0
    count: int = 0
    unknown: int = 0
    tokens: Tokens = _NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What was billed in one place; None where no page says it."""

    nano_usd: int | None = None
    tokens: Tokens | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place; `difference_nano_usd` is billed less computed, None where no amount is billed."""

    day: str
    model: str | None
    computed: Counted
    billed: Billed
    difference_nano_usd: int | None
    is_within: bool
    reason: str | None = None


def billed_by_place(lines: Iterable[BillLine]) -> dict[Place, Billed]:
    """Add up the lines of a bill."""
    found: dict[Place, Billed] = {}
    for line in lines:
        place = (line.day, plain_model(line.model))
        before = found.get(place, Billed())
        amount, tokens = before.nano_usd, before.tokens
        if line.amount_nano_usd is not None:
            amount = (amount or 0) + line.amount_nano_usd
        if line.tokens is not None:
            tokens = _added(tokens or _NOTHING, line.tokens)
        found[place] = Billed(nano_usd=amount, tokens=tokens)
    return found


def differences(
    computed: Mapping[Place, Counted], billed: Mapping[Place, Billed], tolerance_nano_usd: int
) -> list[Difference]:
    """Return every place of either side, by day and model, with the reason for what differs."""
    has_amounts = any(one.nano_usd is not None for one in billed.values())
    found = []
    for place in sorted({*computed, *billed}, key=lambda one: (one[0], one[1] or "")):
        ours, theirs = computed.get(place, Counted()), billed.get(place, Billed())
        gap = (theirs.nano_usd or 0) - ours.nano_usd if has_amounts else None
        if gap is None:
            is_within = ours.tokens == (theirs.tokens or _NOTHING)
        else:
            is_within = abs(gap) <= tolerance_nano_usd and not ours.unknown
        one = Difference(
            day=place[0],
            model=place[1],
            computed=ours,
            billed=theirs,
            difference_nano_usd=gap,
            is_within=is_within,
        )
        found.append(one if is_within else replace(one, reason=_reason(one)))
    return _across_midnight(found, tolerance_nano_usd)


def _reason(one: Difference) -> str | None:
    ours, theirs = one.computed, one.billed
    if ours.unknown:
        return f"unknown price: {ours.unknown} of {ours.count} facts are in no sum"
    if not ours.count:
        return "missing source: nothing was recorded for it on that day"
    if theirs.nano_usd is None and theirs.tokens is None:
        return "not on the bill"
    if theirs.tokens is None:
        return None
    return _token_reason(ours.tokens, theirs.tokens)


def _token_reason(ours: Tokens, theirs: Tokens) -> str:
    if ours == theirs:
        return "price: the same tokens were billed at another price"
    cached = theirs[1] + theirs[2]
    if sum(ours[:3]) == sum(theirs[:3]) and ours[3] == theirs[3]:
        return (
            f"cache: {cached:,} input tokens were billed as cached, we counted {sum(ours[1:3]):,}"
        )
    if cached and not ours[1] and not ours[2]:
        return f"cache: {cached:,} cached tokens were billed, we counted none"
    if all(mine <= billed for mine, billed in zip(ours, theirs, strict=True)):
        missing = sum(theirs) - sum(ours)
        return f"missing source: {missing:,} billed tokens were not recorded"
    if all(mine >= billed for mine, billed in zip(ours, theirs, strict=True)):
        return f"more was recorded than billed: {sum(ours) - sum(theirs):,} tokens"
    return "the tokens differ in both directions"


def _across_midnight(found: list[Difference], tolerance_nano_usd: int) -> list[Difference]:
    """Name the time zone where what is missing on one day is too much on the next."""
    gaps: defaultdict[Place, int] = defaultdict(int)
    for one in found:
        gaps[one.day, one.model] = one.difference_nano_usd or 0
    named = []
    for one in found:
        gap = one.difference_nano_usd
        if not one.is_within and gap and not one.computed.unknown:
            for step in (-1, 1):
                other = (date.fromisoformat(one.day) + timedelta(days=step)).isoformat()
                opposite = gaps.get((other, one.model), 0)
                if opposite * gap < 0 and abs(gap + opposite) <= tolerance_nano_usd:
                    one = replace(  # noqa: PLW2901 - the same place, explained
                        one, reason=f"time zone: it makes up for {other}; bills count UTC days"
                    )
        named.append(one)
    return named


def _added(one: Tokens, other: Tokens) -> Tokens:
    first, second, third, fourth = (a + b for a, b in zip(one, other, strict=True))
    return first, second, third, fourth
