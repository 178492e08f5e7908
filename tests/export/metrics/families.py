"""Families as plain dictionaries, to be compared whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.export.metrics.instruments import Family
from contextframe_monitoring.export.metrics.totals import Totals
from tests.export.stores import NOW_US, Filled


def totals(filled: Filled, subject: str, **limits: Any) -> dict[str, dict[str, float]]:
    """The families of a subject: series (as `label=value` pairs) and value by name."""
    return plain(Totals(filled.store, Limits(**limits), subject=subject).families(NOW_US))


def plain(families: Iterable[Family]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for family in families:
        name = f"{family.name} {family.unit}".strip()
        assert name not in found
        found[name] = {
            " ".join(f"{key}={value}" for key, value in point.labels.items()): point.value
            for point in family.points
        }
    return found


def only(filled: Filled, subject: str, name: str, **limits: Any) -> Family:
    """One family, whole."""
    families = Totals(filled.store, Limits(**limits), subject=subject).families(NOW_US)
    (family,) = (family for family in families if family.name == name)
    return family
