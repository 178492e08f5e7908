"""The variables that dashboards share."""

from __future__ import annotations

from examples.grafana.expressions import COST, DURATIONS, EVENTS, OPERATIONS, SERVER, STORE
from examples.grafana.panels import Variable

_NOT_OWN = "(contextframe_monitoring|monitoring|mcp|gen_ai|process|scrape)_.*|up|.*:.*|.*_bucket"

STORES = Variable(
    "instance",
    "Store",
    "label_values(contextframe_monitoring_build_info, instance)",
    text="Whoever is scraped shows one whole store",
)
SERVERS = Variable("server", "Server", f"label_values({OPERATIONS}{{{STORE}}}, server)")
TOOLS = Variable("tool", "Tool", f"label_values({DURATIONS}_count{{{SERVER}}}, gen_ai_tool_name)")
PROVIDERS = Variable("provider", "Provider", f"label_values({COST}{{{STORE}}}, provider)")
MODELS = Variable("model", "Model", f'label_values({COST}{{{STORE},provider=~"$provider"}}, model)')
EVENT_SERVERS = Variable("server", "Application", f"label_values({EVENTS}{{{STORE}}}, server)")
EVENT_NAMES = Variable("event", "Event", f"label_values({EVENTS}{{{SERVER}}}, event)")
OWN_METRICS = Variable(
    "metric",
    "Own metric",
    f'label_values({{{STORE},__name__=~".+",__name__!~"{_NOT_OWN}"}}, __name__)',
    text="Metrics that applications recorded themselves",
    every=None,
)
PERIOD = Variable(
    "period",
    "Period",
    choices=("1d", "1h", "6h", "7d", "30d"),
    text="What is compared: this long until now, and as long before that",
)
CHANGE_MAX = Variable(
    "change_max", "Growth allowed", choices=("0.5",), text="0.5 allows half as much again"
)
