"""How many rows a day has: raw ones of a table, and those of each level of the rollups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Density(NamedTuple):
    """Rows of one day, when the table had `total` rows; levels by name. A level whose rows of that
    day are not folded yet has fewer than it will have.
    """

    total: int
    raw: int
    levels: Mapping[str, int]
