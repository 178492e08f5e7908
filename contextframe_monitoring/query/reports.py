"""`Reports`: one store, asked. Each call takes a fresh look; everything blocks, so event loops
use a thread.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.cursor import decode_cursor
from contextframe_monitoring.core.queries import (
    EXACT_ROWS_LIMIT,
    EXACT_ROWS_MAX,
    ReportQuery,
)
from contextframe_monitoring.core.reports import (
    CostReport,
    PerformanceReport,
    PerformanceSummary,
    UsageReport,
)
from contextframe_monitoring.core.status import OwnWriter, StatusReport, VerifyReport
from contextframe_monitoring.core.windows import Window, parse_window
from contextframe_monitoring.query.cache_savings import CatalogueSavings
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.query.correlated import correlated_rows
from contextframe_monitoring.query.cost import cost_report
from contextframe_monitoring.query.health import status_report
from contextframe_monitoring.query.performance import performance_report
from contextframe_monitoring.query.statistics import (
    UsageStats,
    cost_report_between,
    performance_summary,
    usage_stats,
)
from contextframe_monitoring.query.tool_context import busiest_model, tool_context
from contextframe_monitoring.query.usage import usage_report
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store


class Reports:
    """The reports of one store. They raise `InvalidError` for a bad question, `StoreError` for a
    bad store.
    """

    def __init__(self, store: Store, config: MonitoringConfig, clock: Clock) -> None:
        """Nothing is read yet."""
        self.store, self.config, self._clock = store, config, clock
        self._savings = CatalogueSavings(config.pricing_config_path)

    def question(
        self,
        kind: str,
        *,
        since: str | None = None,
        until: str | None = None,
        timezone: str | None = None,
        group_by: tuple[str, ...] = (),
        where: Mapping[str, str] | None = None,
        limit: int = 20,
        include_own: bool = False,
        exact: bool = False,
        cursor: str | None = None,
    ) -> ReportQuery:
        """Return the question that these words mean; a cursor stands for all of them."""
        if cursor is not None:
            return decode_cursor(cursor, kind)
        window = parse_window(
            since,
            until,
            now_us=self._clock.now_us(),
            timezone=timezone or self.config.timezone,
        )
        return ReportQuery(
            window=window,
            group_by=group_by,
            where=where or {},
            limit=limit,
            include_own=include_own,
            exact=exact,
            exact_rows_max=EXACT_ROWS_LIMIT if exact else EXACT_ROWS_MAX,
        )

    def performance(self, query: ReportQuery) -> PerformanceReport:
        """Return the performance report."""
        return performance_report(Snapshot(self.store), query, self.config)

    def usage(self, query: ReportQuery) -> UsageReport:
        """Return the usage report."""
        return usage_report(Snapshot(self.store), query, self.config)

    def cost(self, query: ReportQuery) -> CostReport:
        """Return the cost report, measured against the budget of the configuration. By tool, it
        also says what tools put into the context.
        """
        snapshot = Snapshot(self.store)
        report = cost_report(
            snapshot,
            query,
            self.config,
            monthly_budget=self.config.budget.monthly_usd,
            savings=self._savings,
        )
        if "tool" not in query.group_by or query.offset:
            return report
        model = self.config.context_model or busiest_model(snapshot, query)
        cost = self._savings.input_cost(model, query.window.end_us)
        tools = tool_context(snapshot, query.window, cost, include_own=query.include_own)
        return report.model_copy(update={"tools": tools, "tools_model": model})

    def correlated(self, correlation_id: str, window: Window) -> list[dict[str, Any]]:
        """Return the stored rows of one correlation id, the earliest first."""
        return correlated_rows(
            Snapshot(self.store), correlation_id, window.start_us, window.end_us, window.timezone
        )

    def performance_summary(self, period: str) -> PerformanceSummary:
        """Return the summary of a period in the words of the statistics seed."""
        return performance_summary(
            Snapshot(self.store), period, config=self.config, now_us=self._clock.now_us()
        )

    def usage_stats(self, start: dt.datetime, end: dt.datetime, group_by: str) -> UsageStats:
        """Return the usage between two times."""
        return usage_stats(
            Snapshot(self.store),
            start,
            end,
            group_by,
            config=self.config,
            now_us=self._clock.now_us(),
        )

    def cost_between(self, start: dt.datetime, end: dt.datetime, group_by: str) -> CostReport:
        """Return the costs between two times."""
        return cost_report_between(
            Snapshot(self.store),
            start,
            end,
            group_by,
            config=self.config,
            now_us=self._clock.now_us(),
            monthly_budget=self.config.budget.monthly_usd,
            savings=self._savings,
        )

    def status(self, own: OwnWriter | None = None) -> StatusReport:
        """Return how the monitor itself is doing; `own` is the recorder of this process."""
        return status_report(self.store, self.config, self._clock.now_us(), own)

    def verify(self) -> VerifyReport:
        """Return the proof of completeness."""
        return verify(self.store)
