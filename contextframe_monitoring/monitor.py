"""`Monitor`: the composition root. It builds what is asked for, and is the public Python face.

Opening one is light: the write path needs the standard library and msgspec. What reads (Arrow,
Lance, SQL) is imported when the first report is asked for.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig, changed
from contextframe_monitoring.core.pricing_config import PricingConfig
from contextframe_monitoring.ingest.collector import MetricsCollector
from contextframe_monitoring.ingest.cost import CostCalculator
from contextframe_monitoring.ingest.origins import Origins
from contextframe_monitoring.ingest.performance import PerformanceMonitor
from contextframe_monitoring.ingest.recorder import open_recorder
from contextframe_monitoring.ingest.usage import UsageTracker
from contextframe_monitoring.store.machine import SystemClock
from contextframe_monitoring.store.settings import load_config

if TYPE_CHECKING:
    from contextframe_monitoring.alerts.application import AlertManager
    from contextframe_monitoring.core.reports import CostReport, PerformanceSummary
    from contextframe_monitoring.core.status import StatusReport, VerifyReport
    from contextframe_monitoring.export.exporter import Exported, MetricsExporter
    from contextframe_monitoring.ingest.loop_lag import LoopLag
    from contextframe_monitoring.ingest.resources import Sampling
    from contextframe_monitoring.logs.business_event import BusinessEvent
    from contextframe_monitoring.logs.log import Logs
    from contextframe_monitoring.query.reports import Reports
    from contextframe_monitoring.query.statistics import UsageStats
    from contextframe_monitoring.query.statistics_service import StatisticsService
    from contextframe_monitoring.store.store import Store

_T = TypeVar("_T")


class Monitor:
    """Everything that one program needs to record and to ask. Close it, or use it as a context
    manager.
    """

    def __init__(
        self,
        config: MonitoringConfig,
        *,
        name: str | None = None,
        clock: Clock | None = None,
        pricing: PricingConfig | None = None,
    ) -> None:
        """Use `Monitor.open`, which also reads a file and the environment."""
        self.config = config
        self.name = config.server or name
        self.clock: Clock = clock or SystemClock()
        self.recorder = open_recorder(config, label=self.name or "")
        origins = Origins(config, self.name)
        self.usage = UsageTracker(self.recorder, origins, config, self.clock, self)
        self.performance = PerformanceMonitor(self.recorder, origins, config, self.clock, self)
        self.cost = CostCalculator(
            pricing,
            recorder=self.recorder,
            origins=origins,
            config=config,
            clock=self.clock,
            reports=self,
        )
        self.collector = MetricsCollector(
            self.recorder, self.usage, self.performance, self.cost, self.flush
        )

    @classmethod
    def open(
        cls,
        config: MonitoringConfig | str | os.PathLike[str] | None = None,
        *,
        name: str | None = None,
        clock: Clock | None = None,
        pricing: PricingConfig | None = None,
        **overrides: Any,
    ) -> Monitor:
        """Open a monitor.

        `config` is a configuration, the path of a TOML file, or None for the environment and the
        defaults; `overrides` are keys of the configuration (`store="..."`); `name` is what the
        program is called in reports. Raises `InvalidError` or `UnknownKeyError` for a bad
        configuration, never for a disk that refuses: that is a counted loss, and status says so.
        """
        if not isinstance(config, MonitoringConfig):
            path = None if config is None else os.fspath(config)
            config = load_config(path, os.environ, **overrides)
        else:
            config = changed(config, overrides)
        return cls(config, name=name, clock=clock, pricing=pricing)

    @cached_property
    def store(self) -> Store:
        """The store that reports read. Raises `StoreError` when its path is a file."""
        from contextframe_monitoring.store.store import store_of

        return store_of(self.config)

    @cached_property
    def reports(self) -> Reports:
        """The reports, blocking; the methods of this class run them in a thread."""
        from contextframe_monitoring.query.reports import Reports

        return Reports(self.store, self.config, self.clock)

    @cached_property
    def statistics(self) -> StatisticsService:
        """The statistics of a period."""
        from contextframe_monitoring.query.statistics_service import StatisticsService

        return StatisticsService(self)

    @cached_property
    def exporter(self) -> MetricsExporter:
        """What writes metrics into files and other systems."""
        from contextframe_monitoring.export.exporter import MetricsExporter

        return MetricsExporter(self.store, self.config)

    @cached_property
    def logs(self) -> Logs:
        """The loggers. Raises `InvalidError` when the log file is no regular file."""
        from contextframe_monitoring.logs.log import Logs

        return Logs(self.config, self.name, clock=self.clock)

    def business_event(
        self,
        name: str,
        *,
        category: str | None = None,
        numbers: Mapping[str, float] | None = None,
        attributes: Mapping[str, Any] | None = None,
        user_impact: str | None = None,
        agent_id: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
    ) -> BusinessEvent:
        """Start an event that a `with` or `async with` block ends: recorded with its duration and
        outcome, and logged; `user_impact` is said when it fails.
        """
        from contextframe_monitoring.logs.business_event import BusinessEvent

        return BusinessEvent(
            self,
            name,
            category=category,
            numbers=numbers,
            attributes=attributes,
            user_impact=user_impact,
            agent_id=agent_id,
            session_id=session_id,
            user_id=user_id,
        )

    @cached_property
    def loop_lag(self) -> LoopLag:
        """What measures an event loop from another thread, once it has been noted there."""
        from contextframe_monitoring.ingest.loop_lag import LoopLag

        return LoopLag()

    def sampling(self, every_seconds: float = 15.0) -> Sampling:
        """Sample what this process uses every so often, within an `async with` block."""
        from contextframe_monitoring.ingest.resources import Sampling

        return Sampling(self.performance.resources, self.clock, every_seconds)

    def sample_when_due(self) -> None:
        """Sample this process if `[resources] sample_seconds` have passed; for a thread of ours."""
        seconds = self.config.resources.sample_seconds
        self.performance.resources.due(seconds, self.loop_lag.seconds)

    @cached_property
    def alerts(self) -> AlertManager:
        """Alerts and their rules: what fires, who takes it on, and alerts of the program's own."""
        from contextframe_monitoring.alerts.application import AlertManager

        return AlertManager(self.store, self.config, self.clock)

    def drain(self) -> int:
        """Drain the spools into the tables, unless a keeper does it already; return the records
        drained.
        """
        from contextframe_monitoring.keeper import drain_once

        return drain_once(self.store, self.config)

    async def flush(self) -> int:
        """Drain in a thread."""
        return await self.in_thread(self.drain)

    async def status(self) -> StatusReport:
        """Return how the monitor itself is doing."""
        from contextframe_monitoring.core.status import OwnWriter

        recorder = self.recorder
        own = OwnWriter(
            writer=recorder.writer, lost=recorder.losses, last_error=recorder.last_error
        )
        return await self.in_thread(lambda: self.reports.status(own))

    async def verify(self) -> VerifyReport:
        """Return the proof of completeness."""
        return await self.in_thread(self.reports.verify)

    async def usage_stats(
        self, start_time: dt.datetime, end_time: dt.datetime, group_by: str
    ) -> UsageStats:
        """Answer `UsageTracker.get_usage_stats`."""
        return await self.in_thread(
            lambda: self.reports.usage_stats(start_time, end_time, group_by)
        )

    async def performance_summary(self, period: str) -> PerformanceSummary:
        """Answer `PerformanceMonitor.get_performance_summary`."""
        return await self.in_thread(lambda: self.reports.performance_summary(period))

    async def cost_report(
        self, start_time: dt.datetime, end_time: dt.datetime, group_by: str
    ) -> CostReport:
        """Answer `CostCalculator.get_cost_report`."""
        return await self.in_thread(
            lambda: self.reports.cost_between(start_time, end_time, group_by)
        )

    def export(
        self,
        subject: str,
        format: str,  # noqa: A002 - the seed's word
        *,
        since: str,
        until: str | None = None,
        file: str | None = None,
    ) -> Exported:
        """Export the rows of a window into a file below the export folder, or into the answer.

        Blocks. Raises `InvalidError` for a file outside that folder, `LimitedError` for an answer
        that would be too large.
        """
        from contextframe_monitoring.core.windows import parse_window

        window = parse_window(
            since, until, now_us=self.clock.now_us(), timezone=self.config.timezone
        )
        return self.exporter.export(
            subject,
            format,
            start_us=window.start_us,
            end_us=window.end_us,
            output=None if file is None else self.exporter.inside(file),
        )

    def export_to(self, target: str) -> Exported:
        """Send what a configured target (`[targets.NAME]`) has not had yet, waiting records too.

        Blocks. Raises `NotFoundError`, and `UnavailableError` when the target does not take it.
        """
        self.exporter.delivery(target).close()  # an unknown one is said before anything is done
        self.drain()
        return self.exporter.export_to(target)

    async def in_thread(self, work: Callable[[], _T]) -> _T:
        """Run blocking work beside the event loop."""
        import anyio.to_thread

        return await anyio.to_thread.run_sync(work)

    def close(self) -> None:
        """Count what never ended, seal the spool. Harmless when done twice."""
        self.performance.close()
        self.recorder.close()

    def __enter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        self.close()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        self.close()
