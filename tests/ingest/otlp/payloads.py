"""OTLP documents as senders make them, small, and the same documents in protobuf."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

JSON, PROTOBUF = "application/json", "application/x-protobuf"
START_NS = 1_795_186_097_000_000_000
SECOND_NS = 1_000_000_000
SONNET = "claude-sonnet-4-5-20250929"
_REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


def pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes in OTLP/JSON."""
    names = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return [{"key": key, "value": {names[type(value)]: value}} for key, value in values.items()]


def usage(input_tokens: int = 100, output_tokens: int = 10, **more: int) -> dict[str, Any]:
    """The usage of a span, under the names of the conventions."""
    counts = {"input_tokens": input_tokens, "output_tokens": output_tokens, **more}
    return {f"gen_ai.usage.{name}": value for name, value in counts.items()}


def span(
    number: int = 1,
    *,
    trace: int = 1,
    parent: int | None = None,
    start: float = 0.0,
    end: float = 1.0,
    response: str | None = "msg_1",
    operation: str | None = "chat",
    provider: str | None = "anthropic",
    model: str | None = SONNET,
    kind: int = 3,
    status: int = 0,
    told: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> dict[str, Any]:
    """A span of a call; `told` are its usage attributes, seconds count from `START_NS`."""
    named = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.response.id": response,
        **(usage() if told is None else told),
        **attributes,
    }
    found = {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "name": "chat",
        "kind": kind,
        "startTimeUnixNano": str(START_NS + int(start * SECOND_NS)),
        "endTimeUnixNano": str(START_NS + int(end * SECOND_NS)),
        "attributes": pairs({key: value for key, value in named.items() if value is not None}),
        "status": {"code": status},
    }
    return found if parent is None else {**found, "parentSpanId": f"{parent:016x}"}


def traces(*spans: Mapping[str, Any], scope: str = "sdk", service: str = "app") -> dict[str, Any]:
    """The document of spans of one scope."""
    scoped = {"scope": {"name": scope}, "spans": list(spans)}
    resource = {"attributes": pairs({"service.name": service})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scoped]}]}


def point(
    value: float,
    *,
    start: float = 0.0,
    at: float = 1.0,
    kind: str = "input",
    model: str = SONNET,
    **attributes: Any,
) -> dict[str, Any]:
    """A point of `gen_ai.client.token.usage`, without its value's name."""
    named = {
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": model,
        "gen_ai.token.type": kind,
        **attributes,
    }
    return {
        "startTimeUnixNano": str(START_NS + int(start * SECOND_NS)),
        "timeUnixNano": str(START_NS + int(at * SECOND_NS)),
        "attributes": pairs(named),
        "value": value,
    }


def metrics(
    *points: Mapping[str, Any],
    kind: str = "histogram",
    temporality: int = 2,
    name: str = "gen_ai.client.token.usage",
    scope: str = "sdk",
    service: str = "app",
) -> dict[str, Any]:
    """The document of points of one metric, as a histogram of either kind or a sum."""
    found = []
    for one in points:
        rest = {key: value for key, value in one.items() if key != "value"}
        if kind == "sum":
            field = "asInt" if isinstance(one["value"], int) else "asDouble"
            found.append({**rest, field: one["value"]})
        else:
            found.append({**rest, "count": "1", "sum": float(one["value"])})
    data = {"aggregationTemporality": temporality, "dataPoints": found}
    scoped = {"scope": {"name": scope}, "metrics": [{"name": name, kind: data}]}
    resource = {"attributes": pairs({"service.name": service})}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [scoped]}]}


def api_request(
    request: str | None = "req_1", at: float = 1.0, **attributes: Any
) -> dict[str, Any]:
    """A log record of Claude Code's `api_request`."""
    named = {
        "event.name": "api_request",
        "session.id": "session-1",
        "model": SONNET,
        "input_tokens": 2,
        "output_tokens": 10,
        "cache_read_tokens": 1000,
        "cache_creation_tokens": 100,
        "cost_usd": 0.5,
        "request_id": request,
        **attributes,
    }
    return {
        "timeUnixNano": str(START_NS + int(at * SECOND_NS)),
        "body": {"stringValue": "claude_code.api_request"},
        "attributes": pairs({key: value for key, value in named.items() if value is not None}),
    }


def logs(
    *records: Mapping[str, Any], scope: str = "com.anthropic.claude_code.events"
) -> dict[str, Any]:
    """The document of log records of one scope."""
    scoped = {"scope": {"name": scope}, "logRecords": list(records)}
    resource = {"attributes": pairs({"service.name": "claude-code"})}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [scoped]}]}


def encoded(signal: str, document: Mapping[str, Any], media: str) -> bytes:
    """The body of a request in either encoding."""
    if media == JSON:
        return json.dumps(document).encode()
    plain = copy.deepcopy(dict(document))
    for resource in plain.get("resourceSpans", ()):
        for scoped in resource["scopeSpans"]:
            for one in scoped["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in one:
                        one[key] = base64.b64encode(bytes.fromhex(one[key])).decode()
    body: bytes = json_format.ParseDict(plain, _REQUESTS[signal]()).SerializeToString()
    return body
