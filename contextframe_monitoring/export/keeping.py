"""What a keeper does for exports: the metrics port, the targets, and totals before rows expire."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from contextframe_monitoring.core.config import MonitoringConfig, targets_of
from contextframe_monitoring.store.store import Store

if TYPE_CHECKING:
    from contextframe_monitoring.export.exporter import MetricsExporter
    from contextframe_monitoring.export.port import PortDuty
    from contextframe_monitoring.export.targets.duty import TargetDuty


def export_duties(
    uri: str, config: MonitoringConfig
) -> dict[str, Callable[[], PortDuty | TargetDuty]]:
    """Return what a configuration wants exported, each with a store of its own: they are threads.

    Whoever exports shares what is added up.
    """

    @functools.cache
    def exporter() -> MetricsExporter:
        from contextframe_monitoring.export.exporter import MetricsExporter

        return MetricsExporter(Store(uri, spool_path=config.spool_path), config)

    def metrics_port() -> PortDuty:
        from contextframe_monitoring.export.port import PortDuty

        return PortDuty(exporter().exposition, config.prometheus_port)

    def target_duty(name: str) -> TargetDuty:
        from contextframe_monitoring.export.targets.duty import TargetDuty

        return TargetDuty(exporter().delivery(name, Store(uri, spool_path=config.spool_path)))

    made: dict[str, Callable[[], PortDuty | TargetDuty]] = {}
    if config.prometheus_enabled:
        made["metrics port"] = metrics_port
    for name in targets_of(config):
        made[f"target {name}"] = functools.partial(target_duty, name)
    return made


def counted_before(store: Store, config: MonitoringConfig) -> Callable[[int], None]:
    """Return what counts all rows of a store when it is told the time: before some of them
    expire.
    """

    def count(now_us: int) -> None:
        from contextframe_monitoring.export.exporter import limits_of
        from contextframe_monitoring.export.metrics.totals import remember

        remember(store, limits_of(config), now_us)

    return count
