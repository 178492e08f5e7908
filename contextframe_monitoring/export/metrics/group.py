"""What turns the rows of one table into metric families, and the columns that it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from contextframe_monitoring.core.records import OWN_SERVER
from contextframe_monitoring.export.metrics.instruments import Family, Instrument
from contextframe_monitoring.export.metrics.series import Vocabulary, matches
from contextframe_monitoring.query.source import Integers, Mask, Rows

BILLED = "billed"
SERIES_MAX = 1000
_LABELS = frozenset(["server", "event", "category", "outcome", "le", "quantile", "reason"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds the label sets.

    `series_max` label sets per family get series of their own, and half as many values per label.
    `attribute_keys` are the attributes that become labels of custom metrics and events. Records of
    our own server are left out unless `own_server`. Where operations are `sampled` when they are
    drained, those that wait are not counted yet: nobody knows which of them will stand for others.
    """

    series_max: int = SERIES_MAX
    attribute_keys: tuple[str, ...] = ()
    own_server: bool = False
    sampled: bool = False

    @property
    def attribute_labels(self) -> tuple[str, ...]:
        """The labels of the attributes: their keys, marked where a label of ours has that name."""
        names: list[str] = []
        for key in self.attribute_keys:
            plain = re.sub(r"[^A-Za-z0-9_]", "_", key)
            name = plain
            while name.strip("_") in _LABELS or name in names or not plain.strip("_"):
                name = plain = f"attribute_{name}"
            names.append(name)
        return tuple(names)

    def vocabulary(self) -> Vocabulary:
        """Return a new, empty vocabulary for one label."""
        return Vocabulary(max(self.series_max // 2, 1))


class Group(Protocol):
    """The families of one table, added up batch by batch."""

    table: str
    columns: tuple[str, ...]

    def add(self, rows: Columns) -> None:
        """Add the rows of one batch."""
        ...

    def families(self) -> Iterator[Family]:
        """Yield what was added up so far."""
        ...

    @property
    def parts(self) -> Mapping[str, Instrument]:
        """What was added up so far, by names that stay the same in later versions."""
        ...

    def part(self, name: str) -> Instrument | None:
        """Return a part, made where it is not there yet; None when nothing has such a name."""
        ...


def families_of(parts: Mapping[str, Instrument]) -> Iterator[Family]:
    """Yield the families of all parts."""
    for part in parts.values():
        yield from part.families()


class Columns(Rows):
    """The columns of one batch, by name."""

    __slots__ = ()

    def whole(self, name: str) -> tuple[Integers, Mask]:
        """Return a column of whole numbers, 0 where it is null, and where it is not null."""
        return self.integers(name), self.array(name).is_valid().to_numpy(zero_copy_only=False)

    def nanoseconds(self) -> tuple[Integers, Mask]:
        """Return `duration_ms` in whole nanoseconds (at most 31 years), and where it is known."""
        milliseconds = self.floats("duration_ms")
        known = np.isfinite(milliseconds)
        bounded = np.clip(np.where(known, milliseconds, 0), 0, 1e12)
        return np.rint(bounded * 1e6).astype(np.int64), known

    def without_own(self, *, but: Mask | None = None) -> Columns:
        """Return the rows that are not our own server's, and those of it that `but` names."""
        own = matches(self.array("server"), OWN_SERVER.__eq__)
        if but is not None:
            own &= ~but
        return self.where(~own) if own.any() else self

    def without_billed(self) -> Columns:
        """Return the rows that are no bills: those say again what was counted already."""
        billed = matches(self.array("provenance"), BILLED.__eq__)
        return self.where(~billed) if billed.any() else self

    def where(self, mask: Mask) -> Columns:
        """Return the rows for which `mask` is true."""
        return self if mask.all() else Columns(self._batch.filter(pa.array(mask)))
