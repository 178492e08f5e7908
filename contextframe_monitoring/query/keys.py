"""Keys that rows are grouped and filtered by: a column's label, a calendar bucket, an attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.buckets import Buckets
from contextframe_monitoring.query.labels import LABELS_MAX, Labels
from contextframe_monitoring.query.source import Integers, Mask, Rows

ATTRIBUTES = "attributes"


class Key(Protocol):
    """Gives each row a code, and each code a label."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        ...

    def codes(self, rows: Rows) -> Integers:
        """Return a code for each row."""
        ...

    def names(self) -> Sequence[str | None]:
        """Return the labels by code, None for rows that have no such thing."""
        ...

    def mask(self, rows: Rows, label: str | None) -> Mask:
        """Return which rows have that label."""
        ...


class Condition(NamedTuple):
    """Rows whose label in `column` is (or with `inside` False: is not) one of `labels`."""

    column: str
    labels: frozenset[str]
    inside: bool = True


class ColumnKey:
    """The label of a column; where a condition doesn't hold, none."""

    def __init__(
        self, column: str, condition: Condition | None = None, labels_max: int = LABELS_MAX
    ) -> None:
        """Read `column`, on rows that meet the condition."""
        self.columns = (column,) if condition is None else (column, condition.column)
        self._column, self.condition = column, condition
        self._labels = Labels(labels_max)
        self._condition_labels = Labels()

    def codes(self, rows: Rows) -> Integers:
        """Return the code of each row's label."""
        codes = self._labels.codes(rows.labels(self._column))
        if self.condition is None:
            return codes
        holds = having(rows, self.condition, self._condition_labels)
        return codes if holds.all() else np.where(holds, codes, self._labels.code(None))

    def names(self) -> Sequence[str | None]:
        """Return the labels by code."""
        return self._labels.names

    def mask(self, rows: Rows, label: str | None) -> Mask:
        """Return which rows have that label."""
        mask: Mask = self.codes(rows) == self._labels.code(label)
        return mask


class TimeKey:
    """The calendar bucket of a row's time."""

    columns = ("timestamp",)

    def __init__(self, buckets: Buckets) -> None:
        """Sort rows into these buckets; times outside go to the nearest one."""
        self.buckets = buckets
        self._labels: list[str] = []
        self._starts = np.array(buckets.starts_us, np.int64)
        steps = np.diff(self._starts)
        self._step = int(np.gcd.reduce(steps)) if len(steps) else 1
        spread = int(self._starts[-1] - self._starts[0]) // self._step + 1
        self._cells: Integers | None = None
        if len(steps) and spread <= 64 * len(self._starts):
            places = (self._starts - self._starts[0]) // self._step
            self._cells = np.cumsum(np.bincount(places)).astype(np.int64) - 1

    def codes(self, rows: Rows) -> Integers:
        """Return the index of each row's bucket."""
        times = rows.times_us()
        if not len(times):
            return np.zeros(0, np.int64)
        ends = np.searchsorted(self._starts, [times.min(), times.max()], side="right") - 1
        first, last = np.maximum(ends, 0).tolist()
        if first == last:
            return np.full(len(times), first, np.int64)
        if self._cells is not None:
            places = (times - self._starts[0]) // self._step
            codes: Integers = self._cells.take(places, mode="clip")
            return codes
        return np.maximum(np.searchsorted(self._starts, times, side="right") - 1, 0)

    def names(self) -> Sequence[str | None]:
        """Return the labels of the buckets."""
        if not self._labels:
            self._labels = self.buckets.labels()
        return self._labels

    def mask(self, rows: Rows, label: str | None) -> Mask:
        """Return which rows lie in the bucket that is written so."""
        labels = self.names()
        wanted = labels.index(label) if label in labels else -1
        mask: Mask = self.codes(rows) == wanted
        return mask


class SlotKey:
    """The slot of a row's time: its number since the epoch, in slots of one length."""

    columns = ("timestamp",)

    def __init__(self, slot_us: int) -> None:
        """Sort rows into slots of that length."""
        self._slot_us = slot_us
        self._codes: dict[int, int] = {}

    def codes(self, rows: Rows) -> Integers:
        """Return the code of each row's slot."""
        slots, places = np.unique(rows.times_us() // self._slot_us, return_inverse=True)
        codes = [self._codes.setdefault(slot, len(self._codes)) for slot in slots.tolist()]
        found: Integers = np.array(codes, np.int64).take(places)
        return found

    def names(self) -> Sequence[str | None]:
        """Return the numbers of the slots by code."""
        return [str(slot) for slot in self._codes]

    def mask(self, rows: Rows, label: str | None) -> Mask:
        """Return which rows lie in the slot of that number."""
        mask: Mask = rows.times_us() // self._slot_us == int(label or -1)
        return mask


class AttributeKey:
    """The value of an attribute. Several values of one name in a row make one label, joined.

    `found` says whether any row had the attribute.
    """

    columns = (ATTRIBUTES,)

    def __init__(self, name: str, labels_max: int = LABELS_MAX) -> None:
        """Read the attribute of that name."""
        self.name = name
        self.found = False
        self._prefix = f"{name}="
        self._labels = Labels(labels_max)

    def codes(self, rows: Rows) -> Integers:
        """Return the code of each row's value."""
        if rows.folded:
            return self._folded_codes(rows)
        pairs, owners = _pairs(rows)
        mine = _mask(pc.starts_with(pairs, self._prefix))
        values = pc.utf8_slice_codeunits(pairs.filter(pa.array(mine)), len(self._prefix))
        owners = owners[mine]
        self.found = self.found or len(owners) > 0
        counts = np.bincount(owners, minlength=len(rows))
        if len(owners) and counts.max() > 1:
            values = _joined(values, counts[counts > 0])
            owners = np.flatnonzero(counts)
        codes = np.full(len(rows), self._labels.code(None), np.int64)
        codes[owners] = self._labels.codes(values.dictionary_encode())
        return codes

    def names(self) -> Sequence[str | None]:
        """Return the values by code."""
        return self._labels.names

    def mask(self, rows: Rows, label: str | None) -> Mask:
        """Return which rows have that value, among others where there are several."""
        if rows.folded:
            mask: Mask = self._folded_codes(rows) == self._labels.code(label)
            return mask
        pairs, owners = _pairs(rows)
        if label is None:
            hits = pc.starts_with(pairs, self._prefix)
        else:
            hits = pc.equal(pairs, self._prefix + label)
        counts = np.bincount(owners[_mask(hits)], minlength=len(rows))
        self.found = self.found or bool(counts.any())
        return (counts == 0) if label is None else (counts > 0)

    def _folded_codes(self, rows: Rows) -> Integers:
        values = rows.labels(self.name)
        self.found = self.found or values.null_count < len(values)
        return self._labels.codes(values)


def having(rows: Rows, condition: Condition, labels: Labels) -> Mask:
    """Return which rows meet a condition; `labels` numbers its column between batches."""
    codes = labels.codes(rows.labels(condition.column))
    among = np.array([name in condition.labels for name in labels.names], np.bool_)
    mask: Mask = among.take(codes) == condition.inside
    return mask


def _pairs(rows: Rows) -> tuple[pa.Array, Integers]:
    """Return all `key=value` pairs of a batch and the row that each belongs to."""
    lists = rows.array(ATTRIBUTES)
    owners = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    return lists.flatten(), owners.astype(np.int64, copy=False)


def _mask(hits: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(hits, fill_value=False).to_numpy(zero_copy_only=False))


def _joined(values: pa.Array, counts: Integers) -> pa.Array:
    offsets = pa.array(np.append(0, np.cumsum(counts)), pa.int32())
    return pc.binary_join(pa.ListArray.from_arrays(offsets, values), ", ")
