"""The facts that are recorded: frozen, written once, each bound for one of the four tables.

A record is a msgspec struct instead of a dataclass: the same frozen keyword-only shape, but built
and encoded in under half a microsecond, and checked when it is decoded. Its fields are positional
in the frame: append new ones at the end, with a default; never reorder or remove. Times are
integer microseconds since the epoch (UTC); money is integer nano-dollars; `None` means unknown, 0
means zero.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from contextframe_monitoring.core.alert import AlertAction, AlertState, Severity

Status = Literal["success", "error", "timeout", "cancelled", "input_required"]
STATUSES: tuple[Status, ...] = ("success", "error", "timeout", "cancelled", "input_required")
FAILURES = ("error", "timeout")
"""The statuses that count as errors in rates: a cancelled operation is the caller's choice."""

AgentSource = Literal["authenticated", "meta", "client", "application"]
Provenance = Literal["reported", "computed", "estimated", "billed"]
MetricKind = Literal["gauge", "counter", "histogram"]
METRIC_KINDS: tuple[MetricKind, ...] = ("gauge", "counter", "histogram")

OWN_SERVER = "contextframe-monitoring"
"""The `server` of our own server's records, left out of reports unless asked for."""

UNMATCHED_EVENT = "monitoring.unmatched_operation"
"""Event that stands for an end without a start, a second end, or a start never ended."""


class Origin(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Who acted, and where: the same for all records of a connection, so it is built once."""

    server: str | None = None
    agent_id: str | None = None
    agent_source: AgentSource | None = None
    session_id: str | None = None
    user_id: str | None = None
    environment: str | None = None
    transport: str | None = None
    protocol_version: str | None = None


NOWHERE = Origin()


class OperationRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False, tag=1):
    """One operation handled (performance_metrics): an MCP message, or anything an application
    timed.

    `time_us` is the start. `duration_ms` comes from a monotonic clock. Sizes are bytes of JSON.
    Tokens are estimates.
    """

    time_us: int
    operation_type: str
    status: Status
    duration_ms: float | None
    origin: Origin = NOWHERE
    target: str | None = None
    operation_id: str | None = None
    direction: Literal["in", "out"] = "in"
    kind: Literal["request", "notification"] = "request"
    error_type: str | None = None
    error: str | None = None
    status_code: int | None = None
    request_size: int | None = None
    result_size: int | None = None
    request_tokens: int | None = None
    result_tokens: int | None = None
    tokens_estimated: bool = False
    correlation_id: str | None = None
    attributes: tuple[str, ...] = ()


class UsageRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False, tag=2):
    """One use of a document or one query (usage_metrics). `metadata` is a JSON object, masked and
    bounded.
    """

    time_us: int
    metric_type: str
    resource_id: str | None
    operation: str
    value: float | None = None
    origin: Origin = NOWHERE
    metadata: str | None = None
    category: str | None = None
    outcome: str | None = None
    duration_ms: float | None = None
    operation_id: str | None = None
    correlation_id: str | None = None
    attributes: tuple[str, ...] = ()


class EventRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False, tag=3):
    """One decision of an application (usage_metrics, metric_type `event`). `numbers` are measures
    by name.
    """

    time_us: int
    name: str
    category: str | None = None
    outcome: str | None = None
    duration_ms: float | None = None
    numbers: dict[str, float] = {}
    origin: Origin = NOWHERE
    operation_id: str | None = None
    correlation_id: str | None = None
    attributes: tuple[str, ...] = ()


class MetricRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False, tag=4):
    """One sample of a custom metric (usage_metrics, metric_type `custom`)."""

    time_us: int
    name: str
    value: float
    kind: MetricKind = "gauge"
    unit: str | None = None
    origin: Origin = NOWHERE
    operation_id: str | None = None
    correlation_id: str | None = None
    attributes: tuple[str, ...] = ()


class CostRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False, tag=5):
    """One cost fact (cost_metrics). Token columns do not overlap; `reasoning_tokens` are part of
    the output.

    `amount_nano_usd` is None when the price is unknown. `reported_nano_usd` is what a provider
    said, kept beside the computed amount. `fact_id` names the fact across all doors that it can
    come through.
    """

    time_us: int
    cost_type: str
    provider: str | None
    amount_nano_usd: int | None
    provenance: Provenance | None
    model: str | None = None
    operation: str | None = None
    operation_id: str | None = None
    units: int | None = None
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    reported_nano_usd: int | None = None
    price_id: str | None = None
    source: str | None = None
    fact_id: str | None = None
    origin: Origin = NOWHERE
    metadata: str | None = None
    correlation_id: str | None = None
    attributes: tuple[str, ...] = ()


class AlertRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False, tag=6):
    """One entry in the history of an alert (alert_events): what happened to it, and how it stood
    then. `(alert_id, revision)` names the entry; `groups` are `dimension=value`.
    """

    time_us: int
    alert_id: str
    revision: int
    action: AlertAction
    rule: str
    signal: str
    severity: Severity
    state: AlertState
    message: str
    groups: tuple[str, ...] = ()
    unit: str = ""
    threshold: float | None = None
    actual: float | None = None
    actor: str | None = None
    note: str | None = None
    incident_id: str | None = None
    created_us: int | None = None
    fired_us: int | None = None
    acknowledged_us: int | None = None
    resolved_us: int | None = None
    origin: Origin = NOWHERE
    correlation_id: str | None = None
    attributes: tuple[str, ...] = ()


Record = OperationRecord | UsageRecord | EventRecord | MetricRecord | CostRecord | AlertRecord
