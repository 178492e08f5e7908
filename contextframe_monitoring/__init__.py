"""Monitoring as agent tools: what was used, how fast, at what cost, and whether anything is wrong.

The public names are imported when they are first used, so that a program pays only for what it
touches.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextframe_monitoring.alerts.application import AlertManager
    from contextframe_monitoring.alerts.cost_alerts import CostAlertManager
    from contextframe_monitoring.core.config import MonitoringConfig
    from contextframe_monitoring.core.correlation import carried, correlation_id
    from contextframe_monitoring.core.cost_thresholds import AlertLevel, CostThresholds
    from contextframe_monitoring.core.errors import MonitoringError
    from contextframe_monitoring.core.pricing_config import (
        BandwidthPricing,
        LLMPricing,
        PricingConfig,
        StoragePricing,
    )
    from contextframe_monitoring.core.rule_words import AlertRule, AlertSeverity, AlertType
    from contextframe_monitoring.export.exporter import MetricsExporter
    from contextframe_monitoring.ingest.collector import MetricsCollector
    from contextframe_monitoring.ingest.correlating import correlation, correlation_meta
    from contextframe_monitoring.ingest.cost import CostCalculator
    from contextframe_monitoring.ingest.operation import OperationContext
    from contextframe_monitoring.ingest.performance import PerformanceMonitor
    from contextframe_monitoring.ingest.usage import UsageTracker
    from contextframe_monitoring.logs.bridge import LogBridge
    from contextframe_monitoring.logs.http_client import watch_http_client
    from contextframe_monitoring.logs.log import get_logger
    from contextframe_monitoring.logs.monitored_app import MonitoredApp
    from contextframe_monitoring.logs.sql_engine import watch_sql_engine
    from contextframe_monitoring.mcp.instrument import instrument
    from contextframe_monitoring.monitor import Monitor
    from contextframe_monitoring.query.statistics_service import StatisticsService

_HOMES = {
    "AlertLevel": "core.cost_thresholds",
    "AlertManager": "alerts.application",
    "AlertRule": "core.rule_words",
    "AlertSeverity": "core.rule_words",
    "AlertType": "core.rule_words",
    "BandwidthPricing": "core.pricing_config",
    "CostAlertManager": "alerts.cost_alerts",
    "CostCalculator": "ingest.cost",
    "CostThresholds": "core.cost_thresholds",
    "LLMPricing": "core.pricing_config",
    "MetricsCollector": "ingest.collector",
    "MetricsExporter": "export.exporter",
    "LogBridge": "logs.bridge",
    "Monitor": "monitor",
    "MonitoredApp": "logs.monitored_app",
    "MonitoringConfig": "core.config",
    "MonitoringError": "core.errors",
    "OperationContext": "ingest.operation",
    "PerformanceMonitor": "ingest.performance",
    "PricingConfig": "core.pricing_config",
    "StatisticsService": "query.statistics_service",
    "StoragePricing": "core.pricing_config",
    "UsageTracker": "ingest.usage",
    "carried": "core.correlation",
    "correlation": "ingest.correlating",
    "correlation_id": "core.correlation",
    "correlation_meta": "ingest.correlating",
    "get_logger": "logs.log",
    "instrument": "mcp.instrument",
    "watch_http_client": "logs.http_client",
    "watch_sql_engine": "logs.sql_engine",
}

__all__ = [
    "AlertLevel",
    "AlertManager",
    "AlertRule",
    "AlertSeverity",
    "AlertType",
    "BandwidthPricing",
    "CostAlertManager",
    "CostCalculator",
    "CostThresholds",
    "LLMPricing",
    "LogBridge",
    "MetricsCollector",
    "MetricsExporter",
    "Monitor",
    "MonitoredApp",
    "MonitoringConfig",
    "MonitoringError",
    "OperationContext",
    "PerformanceMonitor",
    "PricingConfig",
    "StatisticsService",
    "StoragePricing",
    "UsageTracker",
    "carried",
    "correlation",
    "correlation_id",
    "correlation_meta",
    "get_logger",
    "instrument",
    "watch_http_client",
    "watch_sql_engine",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.{home}")
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise _no_sdk(name) from error
    return getattr(module, name)


def _no_sdk(name: str) -> MonitoringError:
    """Return what to say where the MCP SDK is missing, or is of 1.x and has other names."""
    from importlib.metadata import PackageNotFoundError, version

    from contextframe_monitoring.core.errors import UnavailableError

    try:
        found = f"mcp {version('mcp')} is installed"
    except PackageNotFoundError:
        found = "it is not installed"
    return UnavailableError(
        f"{name} needs the MCP SDK 2.3 or later, but {found}; a server written for mcp 1.x can be"
        " watched from outside, without a change: contextframe-monitoring wrap -- COMMAND"
    )


def __dir__() -> list[str]:
    """Return the public names."""
    return list(__all__)
