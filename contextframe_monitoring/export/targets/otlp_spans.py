"""Operations as OTLP spans, named as OpenTelemetry's conventions for MCP name them.

The trace id is the operation's correlation id where that is one; the span id comes from the
operation id, so that an operation that is sent twice is the same span. An attribute
`parent_span_id` names the parent.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from contextframe_monitoring.core.records import FAILURES
from contextframe_monitoring.core.traceparent import PARENT_SPAN
from contextframe_monitoring.export.metrics.operations import UNKNOWN_ERROR, is_method
from contextframe_monitoring.export.targets.otlp_metrics import SCOPE, attributes
from contextframe_monitoring.export.targets.step import StepRows
from contextframe_monitoring.store.machine import own_version

COLUMNS = (
    "timestamp", "operation_id", "operation_type", "agent_id", "duration_ms", "status", "target",
    "direction", "transport", "protocol_version", "error_type", "status_code", "writer", "seq",
    "server", "session_id", "correlation_id", "environment", "attributes",
)  # fmt: skip
SPANS_MAX = 1000
"""Of one request."""
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_PARENT = re.compile(rf"{PARENT_SPAN}=((?!0{{16}})[0-9a-f]{{16}})")
_NS_PER_US, _NS_PER_MS = 1000, 1_000_000
_TARGETS = {"tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name"}
_TRANSPORTS = {"stdio": "pipe", "streamable-http": "tcp", "sse": "tcp"}
_NAMED = {
    "gen_ai.agent.id": "agent_id",
    "mcp.session.id": "session_id",
    "mcp.protocol.version": "protocol_version",
    "rpc.response.status_code": "status_code",
}


def requests(rows: StepRows, resource: Mapping[str, str]) -> Iterator[tuple[int, bytes]]:
    """Yield request after request: the number of its spans, and its bytes."""
    for batch in rows.batches():
        found = batch.to_pylist()
        for start in range(0, len(found), SPANS_MAX):
            some = found[start : start + SPANS_MAX]
            yield len(some), _request(some, resource)


def _request(rows: list[dict[str, Any]], resource: Mapping[str, str]) -> bytes:
    scope = InstrumentationScope(name=SCOPE, version=own_version())
    by_service: dict[tuple[str, str | None], list[Span]] = {}
    for row in rows:
        service = (row["server"] or resource["service.name"], row["environment"])
        by_service.setdefault(service, []).append(span(row))
    found = []
    for (server, environment), spans in by_service.items():
        named = dict(resource) | {"service.name": server}
        if environment is not None:
            named["deployment.environment.name"] = environment
        found.append(
            ResourceSpans(
                resource=Resource(attributes=attributes(named)),
                scope_spans=[ScopeSpans(scope=scope, spans=spans)],
            )
        )
    body: bytes = ExportTraceServiceRequest(resource_spans=found).SerializeToString()
    return body


def span(row: Mapping[str, Any]) -> Span:
    """Return one operation as a span."""
    identity = row["operation_id"] or f"{row['writer']}-{row['seq']}"
    correlation = row["correlation_id"] or ""
    known = _TRACE_ID.fullmatch(correlation)
    start_ns = round(row["timestamp"].timestamp() * 1e6) * _NS_PER_US
    method, is_mcp = row["operation_type"], is_method(row["operation_type"])
    failed = row["status"] in FAILURES
    parents = (_PARENT.fullmatch(pair) for pair in row["attributes"] or ())
    parent = next((found[1] for found in parents if found), None)
    return Span(
        trace_id=bytes.fromhex(correlation) if known else _digest(correlation or identity, 16),
        span_id=_digest(identity, 8),
        parent_span_id=bytes.fromhex(parent) if parent else b"",
        name=f"{method} {row['target']}" if method in _TARGETS and row["target"] else method,
        kind=_kind(row["direction"], is_mcp=is_mcp),
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + round((row["duration_ms"] or 0) * _NS_PER_MS),
        attributes=attributes(_attributes(row, failed=failed, is_mcp=is_mcp)),
        status=Status(code=Status.STATUS_CODE_ERROR) if failed else None,
    )


def _kind(direction: str | None, *, is_mcp: bool) -> Span.SpanKind.ValueType:
    if direction == "out":
        return Span.SPAN_KIND_CLIENT
    return Span.SPAN_KIND_SERVER if is_mcp else Span.SPAN_KIND_INTERNAL


def _attributes(row: Mapping[str, Any], *, failed: bool, is_mcp: bool) -> dict[str, Any]:
    method = row["operation_type"]
    found: dict[str, Any] = {"mcp.method.name": method} if is_mcp else {}
    found["contextframe_monitoring.status"] = row["status"]
    if method in _TARGETS and row["target"]:
        found[_TARGETS[method]] = row["target"]
    if method == "tools/call":
        found["gen_ai.operation.name"] = "execute_tool"
    if row["transport"] in _TRANSPORTS:
        found["network.transport"] = _TRANSPORTS[row["transport"]]
    if failed:
        found["error.type"] = row["error_type"] or UNKNOWN_ERROR
    return found | {name: row[key] for name, key in _NAMED.items() if row[key] is not None}


def _digest(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=size).digest()
