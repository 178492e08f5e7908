"""The levels of the rollups: how long a bucket is, and where its rows lie.

A level is folded from the next finer one. Buckets are aligned to the epoch, so those of a coarse
level are made of whole ones of every finer level.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from contextframe_monitoring.store.schemas import ROLLUP_1D, ROLLUP_1H, ROLLUP_1M, ROLLUP_15M

_MINUTE_US = 60_000_000


class Level(NamedTuple):
    """One level: its name, its table, and the length of a bucket in microseconds."""

    name: str
    table: str
    bucket_us: int


LEVELS = (
    Level("1m", ROLLUP_1M, _MINUTE_US),
    Level("15m", ROLLUP_15M, 15 * _MINUTE_US),
    Level("1h", ROLLUP_1H, 60 * _MINUTE_US),
    Level("1d", ROLLUP_1D, 24 * 60 * _MINUTE_US),
)
"""Finest first. The drain writes the first one, the fold the others."""

_ASKED_FOR_BY = {"15m": {"5m", "15m"}, "1h": {"1h"}, "1d": {"1d"}}
"""Level -> the aggregation intervals that want it. Five minutes have no table: they are read from
1m, and where 1m no longer reaches, from 15m.
"""


def wanted(intervals: Collection[str]) -> tuple[Level, ...]:
    """Return the levels that a store keeps for these aggregation intervals; 1m is always one."""
    return tuple(
        level
        for level in LEVELS
        if level.name == "1m" or _ASKED_FOR_BY[level.name] & set(intervals)
    )


def coarser(level: Level) -> tuple[Level, ...]:
    """Return the levels above one, the next first."""
    return LEVELS[LEVELS.index(level) + 1 :]


def finer(level: Level) -> tuple[Level, ...]:
    """Return the levels below one, the next first."""
    return LEVELS[: LEVELS.index(level)][::-1]
