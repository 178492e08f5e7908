"""The names that rows can be grouped and filtered by, for each of the three tables."""

from __future__ import annotations

from collections.abc import Mapping

from contextframe_monitoring.core.buckets import BUCKET_UNITS, buckets
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.keys import AttributeKey, ColumnKey, Condition, Key, TimeKey
from contextframe_monitoring.query.model_key import ModelKey
from contextframe_monitoring.store.schemas import COST, PERFORMANCE, USAGE

ATTRIBUTE_PREFIX = "attribute:"
WELL_KNOWN_ATTRIBUTES = ("feature", "user_tier", "purpose", "project", "subagent")
"""Attributes that our own doors write: valid keys even where no row has them."""

METRIC_TYPE = "metric_type"
DOCUMENT_ACCESS, QUERY, EVENT, CUSTOM = "document_access", "query", "event", "custom"

_Column = tuple[str, Condition | None]


def _type_is(*labels: str) -> Condition:
    return Condition(METRIC_TYPE, frozenset(labels))


def _type_is_not(*labels: str) -> Condition:
    return Condition(METRIC_TYPE, frozenset(labels), inside=False)


def _plain(**columns: str) -> dict[str, _Column]:
    return {name: (column, None) for name, column in columns.items()}


_COMMON = _plain(
    agent="agent_id",
    agent_source="agent_source",
    server="server",
    session="session_id",
    user="user_id",
    environment="environment",
    writer="writer",
)
_COLUMNS: Mapping[str, Mapping[str, _Column]] = {
    PERFORMANCE: {
        **_plain(
            target="target",
            tool="target",
            method="operation_type",
            operation="operation_type",
            status="status",
            error_type="error_type",
            status_code="status_code",
            transport="transport",
            protocol_version="protocol_version",
            direction="direction",
            kind="kind",
        ),
        **_COMMON,
    },
    USAGE: {
        **_plain(
            metric_type=METRIC_TYPE,
            type=METRIC_TYPE,
            operation="operation",
            category="category",
            outcome="outcome",
            status="outcome",
            kind="kind",
            unit="unit",
        ),
        "document": ("resource_id", _type_is(DOCUMENT_ACCESS)),
        "resource": ("resource_id", _type_is_not(QUERY, CUSTOM)),
        "collection": ("category", _type_is_not(EVENT, CUSTOM)),
        "query": ("resource_id", _type_is(QUERY)),
        "query_type": ("operation", _type_is(QUERY)),
        "event": ("operation", _type_is(EVENT)),
        "metric": ("resource_id", _type_is(CUSTOM)),
        **_COMMON,
    },
    COST: {
        **_plain(
            provider="provider",
            model="model",
            cost_type="cost_type",
            type="cost_type",
            operation="operation",
            provenance="provenance",
            source="source",
            price="price_id",
        ),
        **_COMMON,
    },
}
_ATTRIBUTES: Mapping[str, Mapping[str, str]] = {COST: {"tool": "tool", "target": "tool"}}


def key_for(table: str, name: str, window: Window) -> Key:
    """Return the reader of a key: a time unit, a dimension of the table, or an attribute."""
    for unit in BUCKET_UNITS:
        if name == unit:
            return TimeKey(buckets(window, unit))
    if (table, name) == (COST, "model"):
        return ModelKey()
    if name in _COLUMNS[table]:
        column, condition = _COLUMNS[table][name]
        return ColumnKey(column, condition)
    attribute = _ATTRIBUTES.get(table, {}).get(name, name.removeprefix(ATTRIBUTE_PREFIX))
    if not attribute:
        raise unknown_key("group_by", table, name, ())
    return AttributeKey(attribute)


def must_occur(table: str, name: str) -> bool:
    """Whether a key means something only if some row of the window has an attribute of that
    name: it is no dimension of any table, and was not asked for as an attribute.
    """
    return not (
        name in BUCKET_UNITS
        or any(name in columns for columns in _COLUMNS.values())
        or name in _ATTRIBUTES.get(table, {})
        or name in WELL_KNOWN_ATTRIBUTES
        or name.startswith(ATTRIBUTE_PREFIX)
    )


def key_names(table: str) -> tuple[str, ...]:
    """Return all keys that a report over the table knows, attributes that rows may have aside."""
    names = (*_COLUMNS[table], *_ATTRIBUTES.get(table, {}), *WELL_KNOWN_ATTRIBUTES)
    return (*sorted(names), *BUCKET_UNITS)


def unknown_key(where: str, table: str, name: str, occurring: tuple[str, ...]) -> InvalidError:
    """Return the error for a key that is no dimension and no attribute in the window."""
    attributes = f"; attributes in this window: {', '.join(occurring)}" if occurring else ""
    return InvalidError(
        where,
        name,
        f"expected one of {', '.join(key_names(table))}, or {ATTRIBUTE_PREFIX}NAME{attributes}",
    )
