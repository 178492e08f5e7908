"""The columns of every table: the seed's names and meaning first, what we add behind them.

Labels are `dictionary<int32, string>`: smaller integer keys are destroyed by compaction. Unknown
is null, never 0. The published form, `schemas/<table>.json`, is generated from here (`python -m
contextframe_monitoring.store.schemas DIR`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

STORE_FORMAT = 1
"""Version of the tables and the ledger; a newer one is left alone."""
_FORMAT_KEY = b"contextframe_monitoring.format"

LABEL = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("us", tz="UTC")
_STRINGS = pa.list_(pa.string())

USAGE, PERFORMANCE, COST = "usage_metrics", "performance_metrics", "cost_metrics"
ROLLUP_1M, ROLLUP_15M, ROLLUP_1H, ROLLUP_1D = "rollup_1m", "rollup_15m", "rollup_1h", "rollup_1d"
ALERT_EVENTS = "alert_events"
METRIC_TABLES = (USAGE, PERFORMANCE, COST)
RAW_TABLES = (*METRIC_TABLES, ALERT_EVENTS)
ROLLUP_TABLES = (ROLLUP_1M, ROLLUP_15M, ROLLUP_1H, ROLLUP_1D)
TABLES = (*RAW_TABLES, *ROLLUP_TABLES)


_PACKED = {b"lance-encoding:compression": b"zstd"}
"""Halves what a row takes and costs a reader nothing, except for counts and sizes, which Lance's
own bit packing keeps as small.
"""


def _field(name: str, kind: pa.DataType, meaning: str, *, required: bool = False) -> pa.Field:
    is_count = pa.types.is_integer(kind) and name not in ("seq", "batch")
    packed = {} if is_count or pa.types.is_binary(kind) else _PACKED
    metadata = {b"meaning": meaning.encode(), **packed}
    return pa.field(name, kind, nullable=not required, metadata=metadata)


def _schema(*fields: pa.Field) -> pa.Schema:
    return pa.schema(list(fields), metadata={_FORMAT_KEY: str(STORE_FORMAT).encode()})


_COMMON = (
    _field("writer", LABEL, "random id (80 bits, hex) of the process run that recorded the row"),
    _field("seq", pa.int64(), "1, 2, 3 ... over all records of the writer"),
    _field("batch", pa.int64(), "number of the drain that stored the row"),
    _field("server", LABEL, "what was monitored: the MCP server's or application's name"),
    _field("session_id", pa.string(), "MCP session or connection"),
    _field("correlation_id", pa.string(), "W3C trace id where there is one, else the caller's own"),
    _field("user_id", pa.string(), "user, or a hash of it"),
    _field("environment", LABEL, "deployment environment"),
    _field("agent_source", LABEL, "authenticated | meta | client | application"),
    _field("attributes", _STRINGS, "key=value pairs"),
)

USAGE_SCHEMA = _schema(
    _field("timestamp", TIME, "when it happened", required=True),
    _field("metric_type", LABEL, "document_access | query | event | custom | any other use"),
    _field("resource_id", pa.string(), "document; hash of the query; name of the custom metric"),
    _field("operation", LABEL, "read | search_hit | update | delete; query type; event name"),
    _field("agent_id", LABEL, "who acted"),
    _field("value", pa.float64(), "1 for an access, number of results, value of the metric"),
    _field("metadata", pa.string(), "JSON object, masked and bounded"),
    _field("category", LABEL, "category of an event, collection of a document"),
    _field("outcome", LABEL, "how an event or query ended"),
    _field("duration_ms", pa.float64(), "how long it took, milliseconds"),
    _field("operation_id", pa.string(), "operation that it belongs to"),
    _field("kind", LABEL, "of a custom metric: gauge | counter | histogram"),
    _field("unit", LABEL, "of a custom metric"),
    _field("number_names", _STRINGS, "names of an event's measures"),
    _field("number_values", pa.list_(pa.float64()), "values of an event's measures, same order"),
    *_COMMON,
)

PERFORMANCE_SCHEMA = _schema(
    _field("timestamp", TIME, "start of the operation", required=True),
    _field("operation_id", pa.string(), "the caller's id, else <writer>-o<n>"),
    _field("operation_type", LABEL, "JSON-RPC method, or the caller's type"),
    _field("agent_id", LABEL, "who asked"),
    _field("duration_ms", pa.float64(), "on a monotonic clock; null where it has no meaning"),
    _field("status", LABEL, "success | error | timeout | cancelled | input_required"),
    _field(
        "error", pa.string(), "error text, masked and bounded, only where storing it is allowed"
    ),
    _field("result_size", pa.int64(), "bytes of the result's JSON"),
    _field("target", LABEL, "tool, prompt, resource or endpoint"),
    _field("direction", LABEL, "in | out"),
    _field("kind", LABEL, "request | notification"),
    _field("transport", LABEL, "stdio | streamable-http | sse | memory"),
    _field("protocol_version", LABEL, "MCP protocol version"),
    _field("error_type", LABEL, "class of the error, or tool_error"),
    _field("status_code", pa.int32(), "JSON-RPC or HTTP code"),
    _field("request_size", pa.int64(), "bytes of the request's JSON"),
    _field("request_tokens", pa.int64(), "tokens of the request"),
    _field("result_tokens", pa.int64(), "tokens of the result"),
    _field("tokens_estimated", pa.bool_(), "whether the tokens are estimates"),
    _field("weight", pa.int32(), "rows that this one stands for when rows are sampled"),
    *_COMMON,
)

COST_SCHEMA = _schema(
    _field("timestamp", TIME, "when the cost arose", required=True),
    _field("operation_id", pa.string(), "operation that caused it"),
    _field("cost_type", LABEL, "llm | storage | bandwidth | compute | api"),
    _field("provider", LABEL, "who is paid"),
    _field("amount_usd", pa.float64(), "convenience for other tools; amount_nano_usd is the truth"),
    _field("units", pa.int64(), "tokens, bytes, seconds or requests"),
    _field("agent_id", LABEL, "who caused it"),
    _field("metadata", pa.string(), "JSON object, masked and bounded"),
    _field("model", LABEL, "model as it was named"),
    _field("operation", LABEL, "kind of operation: read, write, completion ..."),
    _field("amount_nano_usd", pa.int64(), "1e-9 USD; null when the price is unknown"),
    _field("reported_nano_usd", pa.int64(), "what the provider said, 1e-9 USD"),
    _field("input_tokens", pa.int64(), "uncached input"),
    _field("cache_read_tokens", pa.int64(), "input read from the cache"),
    _field("cache_write_5m_tokens", pa.int64(), "input written to the cache for 5 minutes"),
    _field("cache_write_1h_tokens", pa.int64(), "input written to the cache for 1 hour"),
    _field("output_tokens", pa.int64(), "output, reasoning included"),
    _field("reasoning_tokens", pa.int64(), "part of the output"),
    _field("provenance", LABEL, "reported | computed | estimated | billed"),
    _field("price_id", LABEL, "price entry that was applied"),
    _field("source", LABEL, "door that the fact came through"),
    _field("fact_id", pa.string(), "identity of the fact over all doors"),
    *_COMMON,
)

ALERT_EVENTS_SCHEMA = _schema(
    _field("timestamp", TIME, "when it happened", required=True),
    _field("alert_id", pa.string(), "alert that it happened to"),
    _field("revision", pa.int64(), "with alert_id: identity of the entry; grows over all alerts"),
    _field("action", LABEL, "fired | resolved | acknowledged | reopened | commented | renewed | "
                            "escalated"),
    _field("rule", LABEL, "name of the rule"),
    _field("signal", LABEL, "what the rule watches"),
    _field("severity", LABEL, "info | warning | error | critical"),
    _field("state", LABEL, "firing | resolved, after it"),
    _field("message", pa.string(), "one bounded line"),
    _field("groups", _STRINGS, "dimension=value"),
    _field("unit", LABEL, "unit of threshold and actual"),
    _field("threshold", pa.float64(), "bound of the rule"),
    _field("actual", pa.float64(), "value of the signal"),
    _field("actor", LABEL, "who did it; rule when nobody did"),
    _field("note", pa.string(), "comment or reason"),
    _field("incident_id", pa.string(), "alerts that belong together share it"),
    _field("created_at", TIME, "when it was first pending"),
    _field("fired_at", TIME, "when it fired"),
    _field("acknowledged_at", TIME, "when somebody took it on"),
    _field("resolved_at", TIME, "when it was over"),
    _field("agent_id", LABEL, "agent that it is about, where the rule tells agents apart"),
    *_COMMON,
)  # fmt: skip

ROLLUP_KEYS = (
    "server", "environment", "agent_id", "operation_type", "target", "status", "error_type",
    "direction", "kind", "metric_type", "operation", "category", "outcome", "resource", "unit",
    "provider", "model", "cost_type", "provenance", "feature", "user_tier", "attributes",
)  # fmt: skip
"""What rollup rows are grouped by; null where the subject has no such thing."""

ROLLUP_SUMS = (
    "count", "weight", "duration_count", "request_bytes", "result_bytes", "request_tokens",
    "result_tokens", "value_count", "unknown_cost", "nano_usd", "input_tokens", "cache_read_tokens",
    "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "reasoning_tokens",
)  # fmt: skip
"""Integer measures that merge by addition."""

ROLLUP_SCHEMA = _schema(
    _field("bucket", TIME, "start of the bucket", required=True),
    _field("batch", pa.int64(), "number of the drain or fold that stored the row"),
    _field("subject", LABEL, "performance | usage | cost"),
    *(_field(name, LABEL, "group key") for name in ROLLUP_KEYS[:-1]),
    _field("attributes", pa.string(), "chosen key=value pairs, joined by newlines"),
    *(_field(name, pa.int64(), "sum over the rows") for name in ROLLUP_SUMS),
    _field("sum", pa.float64(), "sum of durations (ms) or values"),
    _field("value_sum", pa.float64(), "sum of the values of uses"),
    _field("min", pa.float64(), "smallest duration or value"),
    _field("max", pa.float64(), "largest duration or value"),
    _field("zeros", pa.int64(), "durations or values that are not above 0"),
    _field("histogram", pa.binary(), "positive durations or values: (int16 bucket, uint32 count)*, "
                                     "base 2, scale 5"),
    _field("distinct", pa.binary(), "mergeable sketch of distinct resources"),
    _field("top", pa.string(), "JSON: bounded list of the most used resources"),
)  # fmt: skip

SCHEMAS: dict[str, pa.Schema] = {
    USAGE: USAGE_SCHEMA,
    PERFORMANCE: PERFORMANCE_SCHEMA,
    COST: COST_SCHEMA,
    ALERT_EVENTS: ALERT_EVENTS_SCHEMA,
    **dict.fromkeys(ROLLUP_TABLES, ROLLUP_SCHEMA),
}


def format_of(schema: pa.Schema) -> int:
    """Return the format version that a table's schema carries; 0 when it carries none."""
    return int((schema.metadata or {}).get(_FORMAT_KEY, b"0"))


def published(name: str) -> dict[str, Any]:
    """Return a table's schema as it is published: columns with type and meaning."""
    schema = SCHEMAS[name]
    return {
        "table": name,
        "format": format_of(schema),
        "columns": [
            {
                "name": field.name,
                "type": str(field.type),
                "nullable": field.nullable,
                "meaning": field.metadata[b"meaning"].decode(),
            }
            for field in schema
        ],
    }


def publish(folder: Path) -> None:
    """Write every table's published schema into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        text = json.dumps(published(name), indent=2) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
