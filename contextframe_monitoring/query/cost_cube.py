"""Cost facts added up by every combination of the keys that a report needs, once.

Any part of the report is a sum over some of the keys, so that parts and whole always agree.

Corrections are rows of their own, which add facts, nothing or take them back: `store.fact_counts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from contextframe_monitoring.query.folded import Folded
from contextframe_monitoring.query.grouping import Grouping, Pairing
from contextframe_monitoring.query.keys import Key
from contextframe_monitoring.query.labels import Labels
from contextframe_monitoring.query.source import Integers, Mask, Rows
from contextframe_monitoring.query.sums import IntegerSums
from contextframe_monitoring.store.fact_counts import fact_counts
from contextframe_monitoring.store.rollup import UNPRICED

TOKENS = (
    "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "output_tokens", "reasoning_tokens",
)  # fmt: skip
COST_COLUMNS = ("timestamp", "amount_nano_usd", "metadata", *TOKENS)
COST_MEASURES = ("status", "count", "weight", "unknown_cost", "nano_usd", *TOKENS)
"""What `CostCube.add` reads of rollup rows."""
BILLED = "billed"

GroupLabels = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class CostSum:
    """What a group costs: known nano-dollars, the facts behind them, and those without a price.

    Tokens are those of all facts, in the order of `TOKENS`.
    """

    nano_usd: int
    count: int
    unknown: int
    tokens: tuple[int, ...]

    @property
    def known_nano_usd(self) -> int | None:
        """The cost, None when there are facts and none of them has a price."""
        priced = self.nano_usd or self.count > self.unknown
        return None if self.unknown > 0 and not priced else self.nano_usd

    @property
    def is_something(self) -> bool:
        """Whether corrections have left anything of the facts."""
        return bool(self.nano_usd or self.count or self.unknown or any(self.tokens))

    @property
    def tokens_total(self) -> int:
        """All tokens; reasoning is a part of the output."""
        return sum(self.tokens[:-1])


class PricedKey:
    """Whether a fact has a price."""

    columns = ("amount_nano_usd",)

    def __init__(self) -> None:
        """Begin without labels."""
        self._statuses = Labels()

    def codes(self, rows: Rows) -> Integers:
        """Return 1 where the amount is known, 0 where it is not."""
        if isinstance(rows, Folded):
            statuses = rows.labels("status")
            return 1 - self._statuses.values(statuses, _is_unpriced).astype(np.int64)
        known = rows.known("amount_nano_usd")
        return np.ones(len(rows), np.int64) if known is None else known.astype(np.int64)

    def names(self) -> Sequence[str | None]:
        """Return the labels by code."""
        return (UNPRICED, "priced")

    def mask(self, rows: Rows, label: str | None) -> Mask:
        """Return which rows have that label."""
        mask: Mask = self.codes(rows) == (label != UNPRICED)
        return mask


def _is_unpriced(status: str | None) -> int:
    return int(status == UNPRICED)


class CostCube:
    """Adds up cost facts by the combinations of some named keys."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        """Add up by these keys, `provenance` among them: what was billed is told apart."""
        self._names = tuple(keys)
        self._grouping = Grouping(tuple(keys.values()))
        self.columns = tuple(dict.fromkeys((*COST_COLUMNS, *self._grouping.columns)))
        self._nano_usd, self._counts, self._unknown = (IntegerSums() for _ in range(3))
        self._tokens = [IntegerSums() for _ in TOKENS]

    def add(self, rows: Rows) -> None:
        """Add facts."""
        codes = self._grouping.codes(rows)
        groups = len(self._grouping)
        if isinstance(rows, Folded):
            self._add_folded(rows, codes, groups)
            return
        facts = fact_counts(rows.labels("metadata"))
        priced = rows.known("amount_nano_usd")
        self._nano_usd.add(codes, rows.integers("amount_nano_usd"), groups, priced)
        self._counts.add(codes, facts, groups)
        self._unknown.add(codes, facts * 0 if priced is None else facts * ~priced, groups)
        for name, sums in zip(TOKENS, self._tokens, strict=True):
            sums.add(codes, rows.integers(name), groups)

    def _add_folded(self, rows: Folded, codes: Integers, groups: int) -> None:
        self._nano_usd.add(codes, rows.integers("nano_usd"), groups)
        self._counts.add(codes, rows.counts(), groups)
        self._unknown.add(codes, rows.integers("unknown_cost"), groups)
        for name, sums in zip(TOKENS, self._tokens, strict=True):
            sums.add(codes, rows.integers(name), groups)

    def by(self, *names: str, billed: bool = False) -> dict[GroupLabels, CostSum]:
        """Return the sums by the labels of these keys; without names, one sum of all.

        What was billed is left out, or with `billed` the only thing taken. A group of which
        corrections have left nothing is none.
        """
        wanted = self._is_billed() == billed
        codes, labels = self._marginal(names)
        codes = np.where(wanted, codes, -1)
        groups = len(labels)
        columns = zip(
            self._nano_usd.regrouped(codes, groups),
            self._counts.regrouped(codes, groups),
            self._unknown.regrouped(codes, groups),
            zip(*(sums.regrouped(codes, groups) for sums in self._tokens), strict=True),
            strict=True,
        )
        sums = zip(labels, (CostSum(*column) for column in columns), strict=True)
        if not names:
            return dict(sums)
        return {label: found for label, found in sums if found.is_something}

    def _is_billed(self) -> Mask:
        place = self._names.index("provenance")
        among = np.array([name == BILLED for name in self._grouping.keys[place].names()], np.bool_)
        return among[self._grouping.parts(place)]

    def _marginal(self, names: tuple[str, ...]) -> tuple[Integers, list[GroupLabels]]:
        """Return the group of each cell when only these keys count, and the groups' labels."""
        places = [self._names.index(name) for name in names]
        if not places:
            return np.zeros(len(self._grouping), np.int64), [()]
        codes = self._grouping.parts(places[0])
        first = self._grouping.keys[places[0]].names()
        labels: list[GroupLabels] = [(label,) for label in first]
        for place in places[1:]:
            pairing = Pairing(len(codes) + 1)
            second = self._grouping.keys[place].names()
            codes = pairing.codes(codes, self._grouping.parts(place))
            pairs = zip(pairing.firsts.tolist(), pairing.seconds.tolist(), strict=True)
            labels = [(*labels[before], second[after]) for before, after in pairs]
        return codes, labels
