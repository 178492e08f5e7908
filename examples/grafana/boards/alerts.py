"""Alerts: ours and those of Prometheus, and every measured value beside its limit."""

from __future__ import annotations

from collections.abc import Iterator

from examples.grafana import limits
from examples.grafana.expressions import STORE, newest, or_zero
from examples.grafana.panels import Dashboard, Panel, Query, stat
from examples.grafana.rules import ALERTS, Alert
from examples.grafana.variables import STORES

_OURS = "contextframe_monitoring_alerts"
_THEIRS = "ALERTS"
_SEVERITIES = ("critical", "error", "warning", "info")


def _stats() -> Iterator[Panel]:
    for severity in _SEVERITIES:
        chosen = f'{STORE},state="firing",severity="{severity}"'
        yield stat(severity.capitalize(), "Alerts of the monitor's own rules that fire",
                   or_zero(newest(_OURS, chosen)), limit=limits.ANY)  # fmt: skip
    pending = newest(_OURS, f'{STORE},state="pending"')
    yield stat("Pending", "Conditions that have not held long enough", or_zero(pending))
    firing = newest(_THEIRS, f'{STORE},alertstate="firing"', function="count")
    yield stat("Of Prometheus", "Alerts of the rule file that fire", or_zero(firing),
               limit=limits.ANY)  # fmt: skip


def _measured(alert: Alert) -> Panel:
    return Panel(
        title=alert.name,
        text=f"{alert.summary}. An alert above the lines{alert.lasting}; limits.py sets them.",
        queries=[Query(alert.value, alert.legend)],
        unit=alert.unit,
        limit=alert.limit,
    )


_OPEN = (
    Panel(
        title="Open alerts of the monitor",
        text="`contextframe-monitoring alerts list` says more of each",
        queries=[Query(newest(_OURS, STORE, "instance, rule, severity, state"), "alerts")],
        kind="table",
        width=12,
    ),
    Panel(
        title="Open alerts of Prometheus",
        text="From the rule file",
        queries=[
            Query(
                newest(_THEIRS, STORE, "instance, alertname, severity, alertstate", "count"),
                "alerts",
            )
        ],
        kind="table",
        width=12,
    ),
)
_HISTORY = (
    Panel(
        title="When the monitor's rules fired",
        text="Alerts that fire, by rule",
        queries=[Query(newest(_OURS, f'{STORE},state="firing"', "rule"), "{{rule}}")],
        kind="state-timeline",
        limit=limits.ANY,
        width=12,
    ),
    Panel(
        title="When those of Prometheus fired",
        text="Alerts that fire, by name",
        queries=[
            Query(
                newest(_THEIRS, f'{STORE},alertstate="firing"', "alertname", "count"),
                "{{alertname}}",
            )
        ],
        kind="state-timeline",
        limit=limits.ANY,
        width=12,
    ),
)

DASHBOARD = Dashboard(
    name="alerts",
    title="Alerts",
    text="What fires, and how far everything is from its limit. Needs the rule files.",
    variables=[STORES],
    rows={
        "Now": list(_stats()),
        "Open": _OPEN,
        "Until now": _HISTORY,
        "Measured against limits": [_measured(alert) for alert in ALERTS],
    },
)
