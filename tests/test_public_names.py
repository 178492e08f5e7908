"""The public names: those of DESIGN section 5 and of the seeds, and no others."""

from __future__ import annotations

import subprocess
import sys

import pytest

import contextframe_monitoring

NAMES = {
    # DESIGN, section 5
    "CostCalculator",
    "MetricsCollector",
    "MetricsExporter",
    "Monitor",
    "MonitoringConfig",
    "PerformanceMonitor",
    "PricingConfig",
    "UsageTracker",
    "instrument",
    # what their signatures speak of
    "BandwidthPricing",
    "LLMPricing",
    "OperationContext",
    "StoragePricing",
    # alerts, in the words of the seeds
    "AlertLevel",
    "AlertManager",
    "AlertRule",
    "AlertSeverity",
    "AlertType",
    "CostAlertManager",
    "CostThresholds",
    # the statistics seed
    "StatisticsService",
    # log lines, and what makes requests, calls and queries operations
    "LogBridge",
    "MonitoredApp",
    "carried",
    "correlation",
    "correlation_id",
    "correlation_meta",
    "get_logger",
    "watch_http_client",
    "watch_sql_engine",
    # the root of all errors
    "MonitoringError",
}


@pytest.mark.requirement("spine:python:public-names")
def test_the_public_names_are_these_and_each_is_there() -> None:
    assert set(contextframe_monitoring.__all__) == set(dir(contextframe_monitoring)) == NAMES
    for name in NAMES:
        assert getattr(contextframe_monitoring, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'UsageTraker'"):
        getattr(contextframe_monitoring, "UsageTraker")  # noqa: B009 - a name that is not there


def test_a_star_import_gives_them_all() -> None:
    code = "from contextframe_monitoring import *; print(*sorted(n for n in dir() if n[0] != '_'))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(found.stdout.split()) == NAMES
