"""Bounded cardinality: what the rollups of a bucket are grouped by, and what becomes `other`.

A bucket of a level keeps the groups of a subject that count most, up to a bound; of the others, the
keys that come from outside (`OPEN_KEYS`) become `other`, and where that leaves more than as many
again, every key does that is not one of a fixed few. No fact is lost by it: they count as `other`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contextframe_monitoring.core.grouping import GROUPS_MAX, OTHER
from contextframe_monitoring.store.groups import grouped
from contextframe_monitoring.store.schemas import LABEL

OPEN_KEYS = frozenset({
    "target", "resource", "attributes", "agent_id", "error_type", "operation", "category",
    "outcome", "feature", "user_tier",
})  # fmt: skip
"""Keys whose values come from callers: the first to become `other`."""
ALL_OPEN_KEYS = OPEN_KEYS | {
    "server", "environment", "operation_type", "metric_type", "unit", "provider", "model",
    "cost_type",
}  # fmt: skip
"""These and no more: subject, status, direction, kind and provenance have fixed values."""

_Ints = NDArray[np.int64]
Labels = dict[str, pa.DictionaryArray]


@dataclass(slots=True)
class Bound:
    """How many groups a bucket may have; `others` counts the facts that were beyond it."""

    groups_max: int = GROUPS_MAX
    others: int = 0


def bounded(
    cells: _Ints, labels: Mapping[str, pa.DictionaryArray], counts: _Ints, bound: Bound
) -> tuple[Labels, _Ints, _Ints]:
    """Return the labels of rows, as far as the bound allows them, the group of each row, and the
    first row of each group. `cells` tell buckets apart; `counts` are the facts of each row.
    """
    found = dict(labels)
    group, first = grouped(cells, list(found.values()))
    for keys, groups_max in (
        (OPEN_KEYS, bound.groups_max),
        (ALL_OPEN_KEYS, 2 * bound.groups_max),
    ):
        if len(first) <= groups_max:
            break
        totals = np.zeros(len(first), np.int64)
        np.add.at(totals, group, counts)
        beyond = _beyond(cells[first], totals, groups_max)[group]
        if not beyond.any():
            break
        if keys is OPEN_KEYS:
            bound.others += int(counts[beyond].sum())
        found = {
            name: _other(label, beyond) if name in keys else label for name, label in found.items()
        }
        group, first = grouped(cells, list(found.values()))
    return found, group, first


def _beyond(cells: _Ints, totals: _Ints, groups_max: int) -> NDArray[np.bool_]:
    """Return which groups are not among those that count most in their cell."""
    order = np.lexsort((-totals, cells))
    ordered = cells[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    ranks = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    beyond = np.zeros(len(order), np.bool_)
    beyond[order] = ranks >= groups_max
    return beyond


def _other(label: pa.DictionaryArray, beyond: NDArray[np.bool_]) -> pa.DictionaryArray:
    known = pc.and_(pa.array(beyond), label.is_valid())
    text = pc.if_else(known, OTHER, label.cast(pa.string()))
    return text.dictionary_encode().cast(LABEL)


def chosen_attributes(table: pa.Table, names: tuple[str, ...]) -> pa.Array | None:
    """Return the chosen `name=value` pairs of each row's attributes, joined by newlines in the
    order of `names`; null for a row that has none, None when nothing is chosen.
    """
    if not names:
        return None
    prefixes = [f"{name}=" for name in names]
    found = [
        "\n".join(
            item
            for prefix in prefixes
            for item in items or ()
            if item.startswith(prefix) and "\n" not in item
        )
        for items in table["attributes"].to_pylist()
    ]
    return pa.array([text or None for text in found], pa.string())
