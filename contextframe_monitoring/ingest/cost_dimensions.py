"""What every cost fact of an application can be told by: who, when, in what, what for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contextframe_monitoring.core import arguments
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.privacy import attribute_pairs, bounded_name, metadata_json
from contextframe_monitoring.core.records import Origin
from contextframe_monitoring.ingest.origins import Origins

LABELS = ("purpose", "feature", "user_tier")
"""Dimensions that become attributes."""
_NAMES = frozenset(
    {*LABELS, "user_id", "session_id", "attributes", "metadata", "fact_id", "at", "origin"}
)


class CostDimensions:
    """Checks the keywords that all cost calls share, and makes columns of a record of them."""

    def __init__(self, origins: Origins, chars_max: int, clock: Clock) -> None:
        """`chars_max` bounds every free text."""
        self._origins, self._chars_max, self._clock = origins, chars_max, clock

    def columns(
        self, given: Mapping[str, Any], agent_id: str | None, operation_id: str | None
    ) -> dict[str, Any]:
        """Return columns by name. Raises `TypeError` for an unknown keyword, `InvalidError` for a
        value that is not allowed.
        """
        unknown = set(given) - _NAMES
        if unknown:
            raise TypeError(f"unknown argument {min(unknown)!r}; known: {sorted(_NAMES)}")
        attributes = dict(arguments.mapping("attributes", given.get("attributes")) or {})
        for name in LABELS:
            value = arguments.optional_text(name, given.get(name))
            if value is not None:
                attributes[name] = value
        at = given.get("at")
        metadata = arguments.mapping("metadata", given.get("metadata"))
        fact_id = arguments.optional_text("fact_id", given.get("fact_id"))
        operation = arguments.optional_text("operation_id", operation_id)
        return {
            "time_us": self._clock.now_us() if at is None else arguments.moment_us("at", at),
            "attributes": attribute_pairs(attributes, self._chars_max),
            "metadata": metadata_json(metadata, self._chars_max),
            "fact_id": None if fact_id is None else bounded_name(fact_id),
            "operation_id": None if operation is None else bounded_name(operation),
            "origin": self._origin(given, agent_id),
        }

    def _origin(self, given: Mapping[str, Any], agent_id: str | None) -> Origin:
        known = given.get("origin")
        if isinstance(known, Origin):
            return known
        return self._origins.of(
            arguments.optional_text("agent_id", agent_id),
            arguments.optional_text("user_id", given.get("user_id")),
            arguments.optional_text("session_id", given.get("session_id")),
        )
