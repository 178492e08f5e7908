"""Which rows answer a window: raw ones, rollups, or both. Pure.

The coarsest level comes first: the whole buckets of it that lie between two cuts, then the next
finer one at both ends, at last raw rows for what is shorter than the finest bucket. A cut is a
time at which an answer changes its bucket (the midnights of the asked zone), so that no rollup
bucket counts for two. Where raw rows are gone, a bucket that straddles a cut or an end of the
window belongs to where it starts: `Plan.rounded_us` is the length of the longest such bucket.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from contextframe_monitoring.store.levels import Level

FAR_US = 1 << 62
"""Later than any row."""


class Reach(NamedTuple):
    """A level, the start of the first bucket that it holds, and how long a piece must be for it to
    be faster than raw rows.
    """

    level: Level
    floor_us: int
    least_us: int = 0


class Piece(NamedTuple):
    """A part of the window, and the level that answers it; None for raw rows."""

    start_us: int
    end_us: int
    level: Level | None


class Plan(NamedTuple):
    """The pieces of a window: none overlap, and none is missing that any rows hold."""

    pieces: tuple[Piece, ...]
    rounded_us: int = 0
    cuts: tuple[int, ...] = ()


def raw_plan(start_us: int, end_us: int) -> Plan:
    """Return the plan that reads raw rows only."""
    return Plan((Piece(start_us, end_us, None),))


def plan(
    start_us: int,
    end_us: int,
    *,
    cuts: Iterable[int],
    reaches: Iterable[Reach],
    raw_since_us: int | None,
) -> Plan:
    """Return the pieces that answer `start_us <= time < end_us`.

    Raw rows are complete from `raw_since_us` on; None: there are none.
    """
    levels = _usable(reaches)
    raw_from = raw_from_us(start_us, raw_since_us, levels)
    floors = (reach.floor_us for reach in levels)
    inside = {cut for cut in (*cuts, *floors, raw_from) if start_us < cut < end_us}
    edges = [start_us, *sorted(inside), end_us]
    pieces: list[Piece] = []
    rounded_us = 0
    for begin, end in itertools.pairwise(edges):
        reaching = [reach for reach in levels if reach.floor_us <= begin]
        is_raw = begin >= raw_from or not reaching
        for piece in _covered(begin, end, reaching, is_raw=is_raw):
            _append(pieces, piece)
        size = 1 if is_raw else reaching[-1].level.bucket_us
        if begin % size or end % size:
            rounded_us = max(rounded_us, size)
    least = {reach.level: reach.least_us for reach in levels}
    paying: list[Piece] = []
    for piece in pieces:
        length_us = piece.end_us - piece.start_us
        pays = not piece.level or length_us >= least[piece.level] or piece.start_us < raw_from
        _append(paying, piece if pays else piece._replace(level=None))
    return Plan(tuple(paying), rounded_us, tuple(edges[1:-1]))


def raw_from_us(start_us: int, raw_since_us: int | None, reaches: Iterable[Reach]) -> int:
    """Return from when raw rows are used: where they don't reach back as far as rollups do, the
    next start of a bucket of the coarsest level.
    """
    further = [reach for reach in reaches if _is_further(reach, raw_since_us)]
    if raw_since_us is None:
        return FAR_US if further else start_us
    if raw_since_us <= start_us or not further:
        return start_us
    size = max(reach.level.bucket_us for reach in further)
    return -(-raw_since_us // size) * size


def reached_us(raw_since_us: int | None, reaches: Iterable[Reach]) -> int | None:
    """Return how far back any rows reach; None when there are none."""
    floors = [reach.floor_us for reach in reaches if _is_further(reach, raw_since_us)]
    return min(floors, default=raw_since_us)


def _is_further(reach: Reach, since_us: int | None) -> bool:
    """Whether a level reaches back by more than the bucket in which the other begins."""
    size = reach.level.bucket_us
    return since_us is None or reach.floor_us < since_us // size * size


def _usable(reaches: Iterable[Reach]) -> list[Reach]:
    """Return the levels, coarsest first; a finer one that does not reach as far back as a coarser
    one begins with a bucket of that one.
    """
    found: list[Reach] = []
    for reach in sorted(reaches, key=lambda reach: -reach.level.bucket_us):
        further = (other for other in found if _is_further(other, reach.floor_us))
        size = max((other.level.bucket_us for other in further), default=reach.level.bucket_us)
        found.append(reach._replace(floor_us=-(-reach.floor_us // size) * size))
    return found


def _covered(
    start_us: int, end_us: int, levels: Sequence[Reach], *, is_raw: bool
) -> Iterator[Piece]:
    """Yield the pieces between two cuts; the levels, coarsest first, all reach back so far."""
    for place, (level, *_) in enumerate(levels):
        size = level.bucket_us
        low, high = -(-start_us // size) * size, end_us // size * size
        if low < high:
            finer = levels[place + 1 :] or levels[-1:]
            if start_us < low:
                yield from _covered(start_us, low, finer, is_raw=is_raw)
            yield Piece(low, high, level)
            if high < end_us:
                yield from _covered(high, end_us, finer, is_raw=is_raw)
            return
    if is_raw:
        yield Piece(start_us, end_us, None)
        return
    finest = levels[-1].level
    size = finest.bucket_us
    low, high = -(-start_us // size) * size, -(-end_us // size) * size
    if low < high:
        yield Piece(low, high, finest)


def _append(pieces: list[Piece], piece: Piece) -> None:
    """Add a piece, joined to the last one when it goes on with the same level."""
    if pieces and (pieces[-1].end_us, pieces[-1].level) == (piece.start_us, piece.level):
        piece = Piece(pieces.pop().start_us, piece.end_us, piece.level)
    pieces.append(piece)
