"""The reports behind the seeds' method names: usage statistics, cost report, performance summary.

They take datetimes (naive ones are in the configured time zone) and one group key or several,
separated by commas, and return as many rows of the breakdown as a page may have.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.queries import LIMIT_MAX, ReportQuery, group_keys
from contextframe_monitoring.core.reports import CostReport, PerformanceSummary, UsageReport
from contextframe_monitoring.core.windows import parse_window, window_between
from contextframe_monitoring.query.cost import CacheSavings, cost_report
from contextframe_monitoring.query.performance import performance_report
from contextframe_monitoring.query.source import RowSource
from contextframe_monitoring.query.usage import usage_report

UsageStats = UsageReport


def usage_stats(
    source: RowSource,
    start_time: datetime,
    end_time: datetime,
    group_by: str = "hour",
    *,
    config: MonitoringConfig,
    now_us: int,
) -> UsageStats:
    """Return what `UsageTracker.get_usage_stats` answers. Raises `InvalidError`."""
    query = _query(start_time, end_time, group_by, config, now_us)
    return usage_report(source, query, config)


def cost_report_between(
    source: RowSource,
    start_time: datetime,
    end_time: datetime,
    group_by: str = "agent",
    *,
    config: MonitoringConfig,
    now_us: int,
    monthly_budget: Decimal | None = None,
    savings: CacheSavings | None = None,
) -> CostReport:
    """Return what `CostCalculator.get_cost_report` answers. Raises `InvalidError`."""
    query = _query(start_time, end_time, group_by, config, now_us)
    return cost_report(source, query, config, monthly_budget=monthly_budget, savings=savings)


def performance_summary(
    source: RowSource, period: str, *, config: MonitoringConfig, now_us: int
) -> PerformanceSummary:
    """Return what `PerformanceMonitor.get_performance_summary` answers. Raises `InvalidError`.

    `period` is a calendar word, a span or a time: see `parse_window`. Times are milliseconds;
    errors and slow requests are counted as in the performance report.
    """
    window = parse_window(period, now_us=now_us, timezone=config.timezone)
    report = performance_report(source, ReportQuery(window=window, detail=False), config)
    return PerformanceSummary(
        total_requests=report.total_operations,
        avg_response_time=report.avg_ms,
        p50=report.p50_ms,
        p95=report.p95_ms,
        p99=report.p99_ms,
        errors=report.errors,
        slow_requests=report.slow,
    )


def _query(
    start_time: datetime, end_time: datetime, group_by: str, config: MonitoringConfig, now_us: int
) -> ReportQuery:
    window = window_between(start_time, end_time, now_us=now_us, timezone=config.timezone)
    return ReportQuery(window=window, group_by=group_keys(group_by), limit=LIMIT_MAX)
