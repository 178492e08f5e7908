"""Base-2 exponential histograms in numpy: durations of any window by addition alone.

Bucket i holds the values in (2**(i/32), 2**((i+1)/32)]: the layout of an OTLP ExponentialHistogram
at scale 5 and of a Prometheus native histogram with schema 5. A bucket is 2.19 % wide, so its
geometric middle is at most 1.09 % off. Adding histograms is exact, in any order and grouping.

Packed, a histogram is a run of 6-byte records (little-endian int16 bucket, uint32 count) with
rising buckets; many of them lie in one buffer, told apart by byte offsets, as in an Arrow binary
column. A count above the record's range is written as several records of one bucket. Values that
are not above 0 have no bucket: they are counted apart, as `zeros`. NaN and infinity are left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SCALE = 5
PER_DOUBLING = 2**SCALE
RECORD = np.dtype([("bucket", "<i2"), ("count", "<u4")])
BUCKET_MIN, BUCKET_MAX = -32 * PER_DOUBLING, 64 * PER_DOUBLING - 1
"""From 2**-32 to 2**64; what lies outside is counted in the outermost buckets."""
QUANTILE_ERROR = 2.0 ** (1 / (2 * PER_DOUBLING)) - 1
"""Largest relative error of a quantile: 1.09 %."""

_WIDTH = BUCKET_MAX - BUCKET_MIN + 1
_COUNT_MAX = 2**32 - 1
_CELLS_AT_ONCE, _CELLS_EXACT_MAX = 1 << 17, 1 << 21
"""What fits into a processor's cache; so many counts add up exactly as doubles."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Packed(NamedTuple):
    """Histograms in one buffer: number i is `data[offsets[i]:offsets[i + 1]]` (bytes)."""

    offsets: NDArray[np.int32]
    data: bytes | memoryview


class Built(NamedTuple):
    """One packed histogram and one count of zeros for each distinct key, keys rising."""

    owners: Integers
    packed: Packed
    zeros: Integers


class Table(NamedTuple):
    """Counts by group (row) and bucket (column); the first column is bucket `low`."""

    low: int
    counts: Integers

    def over(self, low: int, width: int, groups: int) -> Table:
        """Return the same counts in a table that has room for more."""
        if low == self.low and (groups, width) == self.counts.shape:
            return self
        wider = np.zeros((groups, width), np.int64)
        at = self.low - low
        rows, columns = self.counts.shape
        wider[:rows, at : at + columns] = self.counts
        return Table(low, wider)


EMPTY = Table(0, np.zeros((0, 0), np.int64))


def bucket_of(values: Floats) -> Integers:
    """Return the bucket of each positive, finite value (upper bounds belong to the bucket)."""
    uppers = np.log2(values)
    uppers *= PER_DOUBLING
    np.ceil(uppers, out=uppers)
    if len(uppers) and (uppers.min() <= BUCKET_MIN or uppers.max() > BUCKET_MAX):
        np.clip(uppers, BUCKET_MIN + 1, BUCKET_MAX + 1, out=uppers)
    buckets: Integers = uppers.astype(np.int64)
    buckets -= 1
    return buckets


def middle_of(buckets: Any) -> Any:
    """Return the geometric middle of buckets."""
    return np.exp2((np.asarray(buckets) + 0.5) / PER_DOUBLING)


def build(keys: Integers, values: Floats) -> Built:
    """Return one histogram for each distinct key; `keys` are integers below 2**51 in size."""
    finite = np.isfinite(values)
    if not finite.all():
        keys, values = keys[finite], values[finite]
    owners, key_codes = _codes(np.asarray(keys, np.int64))
    positive = values > 0
    zeros = np.bincount(key_codes[~positive], minlength=len(owners)).astype(np.int64)
    cells = key_codes[positive] * _WIDTH + (bucket_of(values[positive]) - BUCKET_MIN)
    used, counts = np.unique(cells, return_counts=True)
    packed = _pack(used // _WIDTH, used % _WIDTH + BUCKET_MIN, counts, len(owners))
    return Built(owners, packed, zeros)


def added(
    table: Table, groups: Integers, values: Floats, group_count: int, weights: Any = None
) -> Table:
    """Return `table` with positive, finite values added to their groups' histograms.

    `weights` are integers: how many values each one stands for. `table` itself may change.
    """
    if not len(values):
        return table.over(table.low, table.counts.shape[1], group_count)
    buckets = bucket_of(values)
    return _with_counts(table, groups, buckets, weights, group_count)


def merge(packed: Packed, groups: Integers, group_count: int, table: Table = EMPTY) -> Table:
    """Return `table` plus packed histograms, number i added to the group `groups[i]`.

    `table` itself may change.
    """
    records = _records(packed)
    if not len(records):
        return table.over(table.low, table.counts.shape[1], group_count)
    at = (packed.offsets - packed.offsets[0]) // RECORD.itemsize
    filled = np.flatnonzero(np.diff(at))
    low = int(records["bucket"][at[filled]].min())  # buckets rise within a histogram
    high = int(records["bucket"][at[filled + 1] - 1].max()) + 1
    room = _room(table, low, high, group_count)
    flat = room.counts.reshape(-1)
    origins = np.asarray(groups, np.int64) * room.counts.shape[1] - room.low
    step = max(_CELLS_AT_ONCE, 4 * len(flat))
    row = 0
    while row < len(origins):
        end = max(int(np.searchsorted(at, at[row] + step, "right")) - 1, row + 1)
        part = records[at[row] : at[end]]
        cells = np.repeat(origins[row:end], np.diff(at[row : end + 1]))
        cells += part["bucket"]
        _count(flat, cells, part["count"])
        row = end
    return Table(room.low, flat.reshape(room.counts.shape))


def _count(flat: Integers, cells: Integers, counts: Any) -> None:
    """Add counts below 2**32 to their cells; sums of doubles are exact up to 2**53."""
    if len(cells) <= _CELLS_EXACT_MAX and len(flat) <= 4 * len(cells):
        found = np.bincount(cells, weights=counts.astype(np.float64), minlength=len(flat))
        flat += found.astype(np.int64)
    else:
        np.add.at(flat, cells, counts.astype(np.int64))


def above(packed: Packed, limit: float) -> Integers:
    """Return how many values of each packed histogram are above a limit: those of the bucket that
    holds it all or none, as its middle is.
    """
    sizes = np.diff(packed.offsets) // RECORD.itemsize
    records = _records(packed)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    is_above = middle_of(records["bucket"]) > limit
    counts = records["count"][is_above].astype(np.float64)  # exact below 2**53
    return np.bincount(owners[is_above], counts, len(sizes)).astype(np.int64)


def regrouped(packed: Packed, groups: Integers, group_count: int) -> Packed:
    """Return one packed histogram for each group: the sum of those with that number in `groups`.

    Many groups with few cells each cost no wide table.
    """
    records = _records(packed)
    if 4 * len(records) >= group_count * _WIDTH:
        return repack(merge(packed, groups, group_count))
    sizes = np.diff(packed.offsets) // RECORD.itemsize
    cells = np.repeat(np.asarray(groups, np.int64) * _WIDTH - BUCKET_MIN, sizes)
    cells += records["bucket"]
    order = np.argsort(cells, kind="stable")
    cells = cells[order]
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    counts = records["count"].astype(np.int64)[order]
    totals = np.add.reduceat(counts, starts) if len(starts) else counts
    used = cells[starts]
    return _pack(used // _WIDTH, used % _WIDTH + BUCKET_MIN, totals, group_count)


def repack(table: Table) -> Packed:
    """Return the table packed: one histogram for each group."""
    groups, columns = np.nonzero(table.counts)
    counts = table.counts[groups, columns]
    return _pack(groups, columns + table.low, counts, len(table.counts))


def quantiles(table: Table, zeros: Integers, shares: tuple[float, ...]) -> Floats:
    """Return quantiles as an array (groups, shares), NaN for an empty group.

    A quantile lies between two neighbours in order, as `numpy.quantile` puts it by default; each
    neighbour is known to 1.09 %. Zeros come first and count as 0.
    """
    running = np.cumsum(table.counts, axis=1) + zeros[:, None]
    totals = running[:, -1] if running.shape[1] else zeros
    found = np.full((len(zeros), len(shares)), np.nan)
    some = totals > 0
    for column, share in enumerate(shares):
        rank = share * (totals[some] - 1)
        below = np.floor(rank).astype(np.int64)
        above = np.minimum(below + 1, totals[some] - 1)
        low = _value_at(running[some], zeros[some], table.low, below)
        high = _value_at(running[some], zeros[some], table.low, above)
        found[some, column] = low + (high - low) * (rank - below)
    return found


def _value_at(running: Integers, zeros: Integers, low: int, rank: Integers) -> Floats:
    """Return the value of the item with that rank (from 0) in each group."""
    columns = (running <= rank[:, None]).sum(axis=1)
    return np.where(rank < zeros, 0.0, middle_of(columns + low))


def _records(packed: Packed) -> NDArray[Any]:
    first, last = int(packed.offsets[0]), int(packed.offsets[-1])
    return np.frombuffer(packed.data, RECORD, (last - first) // RECORD.itemsize, first)


def _with_counts(
    table: Table, groups: Integers, buckets: Integers, counts: Any, group_count: int
) -> Table:
    room = _room(table, int(buckets.min()), int(buckets.max()) + 1, group_count)
    cells = groups * room.counts.shape[1]
    cells += buckets
    cells -= room.low
    flat = room.counts.reshape(-1)
    if counts is None and len(flat) <= 4 * len(cells):
        flat += np.bincount(cells, minlength=len(flat))
    else:
        np.add.at(flat, cells, 1 if counts is None else counts)
    return Table(room.low, flat.reshape(room.counts.shape))


def _room(table: Table, low: int, high: int, group_count: int) -> Table:
    """Return the table with room for buckets from `low` up to `high`, and for so many groups."""
    rows, columns = table.counts.shape
    if columns:
        low, high = min(low, table.low), max(high, table.low + columns)
    return table.over(low, high - low, max(group_count, rows))


def _codes(keys: Integers) -> tuple[Integers, Integers]:
    """Return the distinct keys, and for each key which one it is."""
    if len(keys) and int(keys.min()) >= 0 and int(keys.max()) < 4 * len(keys) + 1024:
        seen = np.bincount(keys) > 0
        return np.flatnonzero(seen), (np.cumsum(seen) - 1)[keys]
    owners = np.unique_values(keys)
    owners.sort()
    return owners, np.searchsorted(owners, keys).astype(np.int64)


def _pack(groups: Integers, buckets: Integers, counts: Integers, group_count: int) -> Packed:
    """Lay out cells that are sorted by group and bucket."""
    if len(counts) and int(counts.max()) > _COUNT_MAX:
        pieces = -(-counts // _COUNT_MAX)
        ends = np.cumsum(pieces) - 1
        groups, buckets = np.repeat(groups, pieces), np.repeat(buckets, pieces)
        full = np.full(int(pieces.sum()), _COUNT_MAX, np.int64)
        full[ends] = counts - (pieces - 1) * _COUNT_MAX
        counts = full
    records = np.empty(len(counts), RECORD)
    records["bucket"] = buckets
    records["count"] = counts
    sizes = np.bincount(groups, minlength=group_count) * RECORD.itemsize
    offsets = np.append(0, np.cumsum(sizes))
    return Packed(offsets.astype(np.int32), records.tobytes())
