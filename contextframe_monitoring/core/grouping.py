"""What rollups are grouped by beside their fixed keys, and how many groups a bucket may have."""

from __future__ import annotations

from dataclasses import dataclass

ATTRIBUTES_MAX = 4
GROUPS_MAX = 10_000
OTHER = "other"
"""What the keys of groups beyond the bound become."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """The names of the attributes that are kept in rollups, and the bound of groups in a bucket of
    a level and subject.
    """

    attributes: tuple[str, ...] = ()
    groups_max: int = GROUPS_MAX


DEFAULT_GROUPING = Grouping()
