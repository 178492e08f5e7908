"""The shape of the performance report. Definitions: `query.operations`."""

from __future__ import annotations

from contextframe_monitoring.core.reports.report import (
    BreakdownRow,
    Part,
    Period,
    Report,
    Resolution,
    TrendPoint,
    sometimes,
)


class OperationRow(BreakdownRow):
    """Operations of one category; latencies in milliseconds."""

    count: int
    errors: int
    error_rate: float | None
    slow: int
    avg_ms: float | None
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class OperationTrend(TrendPoint):
    """Operations of one bucket."""

    errors: int
    p95_ms: float | None


class SlowTarget(Part):
    """A target among the slowest, by p95."""

    target: str
    count: int
    p95_ms: float


class RateAbove(Part):
    """A category whose error rate is above the configured threshold."""

    category: str
    error_rate: float
    count: int


class OperationChange(Part):
    """Now minus before."""

    total_operations: int
    error_rate: float | None
    p95_ms: float | None


class PreviousOperations(Part):
    """The window before. `complete` is False where rows don't reach back over all of it."""

    total_operations: int
    error_rate: float | None
    p95_ms: float | None
    change: OperationChange
    complete: bool


class Traffic(Part):
    """Sums over the requests; None where no row says it. Tokens may be estimates."""

    request_bytes: int | None
    result_bytes: int | None
    request_tokens: int | None
    result_tokens: int | None
    tokens_estimated: bool


class PerformanceReport(Report):
    """How operations went. Definitions: `query.performance`."""

    SECTIONS = ("trend", "traffic", "slowest", "previous", "error_rate_threshold_exceeded")

    period: Period
    total_operations: int
    errors: int
    error_rate: float | None
    success_rate: float | None
    timeouts: int
    cancelled: int
    input_required: int
    notifications: int
    outbound: int
    slow: int
    throughput_per_second: float
    active_peak: int | None = None
    connections: int | None = None
    avg_ms: float | None
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    breakdown: tuple[OperationRow, ...]
    more: int = 0
    error_rate_threshold_exceeded: tuple[RateAbove, ...] = ()
    slowest: tuple[SlowTarget, ...] = ()
    previous: PreviousOperations | None = None
    traffic: Traffic | None = None
    trend: tuple[OperationTrend, ...] = ()
    resolution: Resolution
    note: str | None = sometimes()
    omitted: tuple[str, ...] = sometimes(())


class PerformanceSummary(Part):
    """The performance of a period in the statistics seed's words; times in milliseconds."""

    total_requests: int
    avg_response_time: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    errors: int
    slow_requests: int
