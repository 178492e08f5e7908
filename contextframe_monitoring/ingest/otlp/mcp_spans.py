"""Spans of MCP servers (`mcp.*` of the OpenTelemetry conventions) as operations.

A client's span of the same call is left out: the server's tells of it. What ran on other people's
servers is seen here without touching them.
"""

from __future__ import annotations

from typing import Final

from contextframe_monitoring.core.privacy import uri_without_query
from contextframe_monitoring.core.records import OperationRecord, Origin, Status
from contextframe_monitoring.ingest.otlp.bodies import Document
from contextframe_monitoring.ingest.otlp.values import (
    Attributes,
    hex_id,
    nanoseconds,
    text,
    time_us,
)

METHOD: Final = "mcp.method.name"
_SERVER = (2, "SPAN_KIND_SERVER")
_ERROR = (2, "STATUS_CODE_ERROR")
_TIMEOUTS = frozenset({"timeout", "-32001"})


def mcp_operation(span: Document, found: Attributes, service: str | None) -> OperationRecord | None:
    """Return the operation that a server's span tells of, None for a span of another kind."""
    method = text(found, METHOD)
    if method is None or span.get("kind") not in _SERVER:
        return None
    start = nanoseconds(span, "startTimeUnixNano")
    end = nanoseconds(span, "endTimeUnixNano")
    error_type = text(found, "error.type")
    agent = text(found, "gen_ai.agent.id")
    return OperationRecord(
        time_us=time_us(span, "startTimeUnixNano"),
        operation_type=method,
        status=_status(span, error_type),
        duration_ms=(end - start) / 1e6 if end >= start else None,
        origin=Origin(
            server=service,
            agent_id=agent,
            agent_source=None if agent is None else "meta",
            session_id=text(found, "mcp.session.id"),
            transport=text(found, "network.transport"),
            protocol_version=text(found, "mcp.protocol.version"),
        ),
        target=_target(found),
        operation_id=hex_id(span, "spanId", 16),
        kind="notification" if method.startswith("notifications/") else "request",
        error_type=error_type,
        correlation_id=hex_id(span, "traceId", 32),
    )


def _status(span: Document, error_type: str | None) -> Status:
    status = span.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    if error_type is None and code not in _ERROR:
        return "success"
    return "timeout" if error_type in _TIMEOUTS else "error"


def _target(found: Attributes) -> str | None:
    name = text(found, "gen_ai.tool.name", "mcp.tool.name", "gen_ai.prompt.name", "mcp.prompt.name")
    uri = text(found, "mcp.resource.uri", chars_max=4096)
    return uri_without_query(uri) if name is None and uri is not None else name
