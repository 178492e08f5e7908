"""The levels of the rollups: how long a bucket is, and where its rows lie."""

from __future__ import annotations

from typing import NamedTuple

from contextframe_monitoring.store.schemas import ROLLUP_1M


class Level(NamedTuple):
    """One level: its name, its table, and the length of a bucket in microseconds."""

    name: str
    table: str
    bucket_us: int


LEVELS = (Level("1m", ROLLUP_1M, 60_000_000),)
"""Finest first."""
