"""The rules of Prometheus: what it records for long ranges, and what it alerts on.

The alerts hold the limits that the panels show. They watch from outside what the monitor watches
itself, and also whether it is there at all.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from examples.grafana import limits
from examples.grafana.expressions import (
    DURATIONS,
    ENDED,
    NO_STREAM,
    OPERATIONS,
    REQUESTS,
    cost,
    failed_share,
    quantile,
    total,
)
from examples.grafana.limits import Limit

JOB = "contextframe-monitoring"
"""Of the scrape configuration."""
_OWN = "contextframe_monitoring"
_VALUE = '{{ printf "%.4g" $value }}'

FAILED_5M = "server:contextframe_monitoring_failed_operations:ratio_rate5m"
P95_5M = "server:mcp_server_operation_duration_seconds:p95_rate5m"
TOOL_P95_5M = "server_tool:mcp_server_operation_duration_seconds:p95_rate5m"
OPERATIONS_1D = "instance:contextframe_monitoring_operations:increase1d"
COST_1H = "instance:contextframe_monitoring_cost_usd:increase1h"
COST_1D = "instance:contextframe_monitoring_cost_usd:increase1d"
MODEL_COST_1H = "provider_model:contextframe_monitoring_cost_usd:increase1h"

RECORDED = {
    "server:contextframe_monitoring_operations:rate5m": total(
        OPERATIONS, ENDED, "instance, server", over="5m"
    ),
    FAILED_5M: failed_share("", "instance, server", over="5m"),
    P95_5M: quantile(0.95, DURATIONS, NO_STREAM, "instance, server", over="5m"),
    TOOL_P95_5M: quantile(
        0.95,
        DURATIONS,
        'mcp_method_name="tools/call"',
        "instance, server, gen_ai_tool_name",
        over="5m",
    ),
    OPERATIONS_1D: total(OPERATIONS, REQUESTS, "instance", over="1d", function="increase"),
    COST_1H: cost("", "instance", over="1h"),
    COST_1D: cost("", "instance", over="1d"),
    MODEL_COST_1H: cost("", "instance, provider, model", over="1h"),
}
"""Name (level:metric:operations) -> expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A value, how much of it is too much, and for how long that must hold."""

    name: str
    value: str
    limit: Limit
    summary: str
    legend: str = "{{instance}}"
    unit: str = "short"
    hold: str = ""
    severity: str = "warning"
    """Of the first limit."""

    @property
    def lasting(self) -> str:
        """How long the value must be above a limit, in words."""
        return f" for {self.hold}" if self.hold else ""

    def severities(self) -> Iterator[tuple[str, float]]:
        """Yield each severity and what must be exceeded for it: of equal limits the first."""
        yield self.severity, self.limit.warning
        if self.limit.critical > self.limit.warning:
            yield "critical", self.limit.critical


ALERTS = (
    Alert(
        name="ContextFrameServerFails",
        value=FAILED_5M,
        limit=limits.FAILED_SHARE,
        hold="10m",
        legend="{{server}}",
        unit="percentunit",
        summary="Share of the requests to {{ $labels.server }} that fail",
    ),
    Alert(
        name="ContextFrameServerSlow",
        value=P95_5M,
        limit=limits.P95_SECONDS,
        hold="10m",
        legend="{{server}}",
        unit="s",
        summary="p95 of the requests to {{ $labels.server }}",
    ),
    Alert(
        name="ContextFrameCostHour",
        value=COST_1H,
        limit=limits.COST_PER_HOUR_USD,
        unit="currencyUSD",
        summary="Cost of the last hour",
    ),
    Alert(
        name="ContextFrameCostDay",
        value=COST_1D,
        limit=limits.COST_PER_DAY_USD,
        unit="currencyUSD",
        summary="Cost of the last day",
    ),
    Alert(
        name="ContextFrameCostGrows",
        value=f"{COST_1D} / (avg_over_time({COST_1D}[7d] offset 1d) > 0) - 1",
        limit=limits.COST_CHANGE,
        hold="1h",
        unit="percentunit",
        summary="Growth of a day's cost over the mean of the seven days before",
    ),
    Alert(
        name="ContextFrameUnknownPrices",
        value=total(f"{_OWN}_cost_unknown_total", "", "instance", over="1h", function="increase"),
        limit=limits.ANY,
        summary="Calls of the last hour whose model has no known price",
    ),
    Alert(
        name="ContextFrameRecordsLost",
        value=total(f"{_OWN}_lost_total", "", "instance, reason", over="10m", function="increase"),
        limit=limits.ANY,
        legend="{{instance}} {{reason}}",
        severity="critical",
        summary="Records lost in ten minutes ({{ $labels.reason }})",
    ),
    Alert(
        name="ContextFrameDrainLags",
        value=f"{_OWN}_drain_lag_seconds",
        limit=limits.DRAIN_LAG_SECONDS,
        hold="5m",
        unit="s",
        summary="Age of the oldest record that stands in no table (does a keeper run?)",
    ),
    Alert(
        name="ContextFrameExportFails",
        value=f"{_OWN}_export_failures",
        limit=limits.EXPORT_FAILURES,
        legend="{{type}} {{target}}",
        summary="Exports to {{ $labels.target }} that failed in a row",
    ),
    Alert(
        name="ContextFrameAlertFires",
        value=f'{_OWN}_alerts{{state="firing",severity=~"error|critical"}}',
        limit=limits.ANY,
        legend="{{rule}}",
        summary="Alerts of the monitor's own rule {{ $labels.rule }}",
    ),
    Alert(
        name="ContextFrameDown",
        value=f'1 - up{{job="{JOB}"}}',
        limit=limits.ANY,
        hold="5m",
        severity="critical",
        summary="Stores that are not scraped",
    ),
)


def recording_file() -> str:
    """Return the recording rules as YAML."""
    rules = [
        [f"- record: {name}", *_literal("expr", expression)]
        for name, expression in RECORDED.items()
    ]
    return _file("contextframe-monitoring recorded", rules)


def alerting_file() -> str:
    """Return the alerting rules as YAML."""
    rules = [
        _alert(alert, severity, bound) for alert in ALERTS for severity, bound in alert.severities()
    ]
    return _file("contextframe-monitoring alerts", rules)


def _alert(alert: Alert, severity: str, bound: float) -> list[str]:
    return [
        f"- alert: {alert.name}",
        *_literal("expr", f"{alert.value} > {bound:g}"),
        *([f"  for: {alert.hold}"] if alert.hold else []),
        "  labels:",
        f"    severity: {severity}",
        "  annotations:",
        *textwrap.indent(
            "\n".join(_literal("summary", f"{alert.summary}: {_VALUE}, above {bound:g}")),
            "  ",
        ).splitlines(),
    ]


def _literal(key: str, text: str) -> list[str]:
    """Return a text that needs no quotes, whatever is in it."""
    return [f"  {key}: |-", f"      {text}"]


def _file(name: str, rules: Sequence[Sequence[str]]) -> str:
    lines = [
        "# Written by `make docs` from examples/grafana/rules.py.",
        "groups:",
        f"  - name: {name}",
        "    rules:",
        *(f"      {line}" for rule in rules for line in rule),
    ]
    return "\n".join(lines) + "\n"
