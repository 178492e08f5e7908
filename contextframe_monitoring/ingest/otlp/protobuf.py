"""Protobuf bodies in the shape of OTLP/JSON; the one home of opentelemetry-proto.

Ids become hex, times and integers stay integers; only what is read later is taken over: no events,
no links, no exemplars, no bucket counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.ingest.otlp.bodies import PROTOBUF, Document, Signal, UnsupportedError

_HINT = (
    "install it with pip install 'contextframe-monitoring[otlp]', or let the exporter send"
    " application/json (OTEL_EXPORTER_OTLP_PROTOCOL=http/json)"
)


def parsed(signal: Signal, body: bytes) -> Document:
    """Return a protobuf body as a document. Raises `InvalidError` or `UnsupportedError`."""
    request = _request(signal)
    from google.protobuf.message import DecodeError

    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise InvalidError("body", f"{len(body)} bytes", f"OTLP protobuf: {error}") from None
    if signal == "traces":
        return {"resourceSpans": [_resource(one, "scopeSpans") for one in request.resource_spans]}
    if signal == "metrics":
        metrics = [_resource(one, "scopeMetrics") for one in request.resource_metrics]
        return {"resourceMetrics": metrics}
    return {"resourceLogs": [_resource(one, "scopeLogs") for one in request.resource_logs]}


def _request(signal: Signal) -> Any:
    try:
        if signal == "traces":
            from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

            return trace_service_pb2.ExportTraceServiceRequest()
        if signal == "metrics":
            from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

            return metrics_service_pb2.ExportMetricsServiceRequest()
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

        return logs_service_pb2.ExportLogsServiceRequest()
    except ImportError:
        raise UnsupportedError("Content-Type", PROTOBUF, _HINT) from None


_SCOPES = {
    "scopeSpans": ("scope_spans", "spans"),
    "scopeMetrics": ("scope_metrics", "metrics"),
    "scopeLogs": ("scope_logs", "log_records"),
}
_ITEMS = {"spans": "spans", "metrics": "metrics", "log_records": "logRecords"}


def _resource(one: Any, key: str) -> Document:
    field, items = _SCOPES[key]
    read = {"spans": _span, "metrics": _metric, "log_records": _log}[items]
    scopes = [
        {"scope": {"name": s.scope.name}, _ITEMS[items]: [read(item) for item in getattr(s, items)]}
        for s in getattr(one, field)
    ]
    return {"resource": {"attributes": _attributes(one.resource.attributes)}, key: scopes}


def _span(span: Any) -> Document:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano,
        "endTimeUnixNano": span.end_time_unix_nano,
        "attributes": _attributes(span.attributes),
        "status": {"code": span.status.code},
    }


def _metric(metric: Any) -> Document:
    found: Document = {"name": metric.name}
    kind = metric.WhichOneof("data")
    if kind in ("sum", "histogram", "exponential_histogram"):
        data = getattr(metric, kind)
        name = "exponentialHistogram" if kind == "exponential_histogram" else kind
        found[name] = {
            "aggregationTemporality": data.aggregation_temporality,
            "dataPoints": [_point(point, kind) for point in data.data_points],
        }
        if kind == "sum":
            found[name]["isMonotonic"] = data.is_monotonic
    return found


def _point(point: Any, kind: str) -> Document:
    found = {
        "startTimeUnixNano": point.start_time_unix_nano,
        "timeUnixNano": point.time_unix_nano,
        "flags": point.flags,
        "attributes": _attributes(point.attributes),
    }
    if kind != "sum":
        return (
            found | {"count": point.count} | ({"sum": point.sum} if point.HasField("sum") else {})
        )
    value = point.WhichOneof("value")
    name = {"as_int": "asInt", "as_double": "asDouble"}.get(value or "")
    return found | ({name: getattr(point, value)} if name else {})


def _log(record: Any) -> Document:
    return {
        "timeUnixNano": record.time_unix_nano,
        "observedTimeUnixNano": record.observed_time_unix_nano,
        "eventName": record.event_name,
        "attributes": _attributes(record.attributes),
    }


_KINDS = {
    "string_value": "stringValue",
    "int_value": "intValue",
    "double_value": "doubleValue",
    "bool_value": "boolValue",
}


def _attributes(pairs: Iterable[Any]) -> list[Document]:
    """Return the attributes with a plain value: lists and maps are contents."""
    found = []
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        name = _KINDS.get(kind or "")
        if name is not None:
            found.append({"key": pair.key, "value": {name: getattr(pair.value, kind)}})
    return found
