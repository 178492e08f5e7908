"""The overview: is all well now, and how was it until now."""

from __future__ import annotations

from examples.grafana import limits
from examples.grafana.expressions import (
    DURATIONS,
    NO_STREAM,
    OPERATIONS,
    PERIOD,
    REQUESTS,
    SERVER,
    STORE,
    TOKENS,
    cost,
    failed_share,
    newest,
    or_zero,
    quantile,
    total,
)
from examples.grafana.panels import Dashboard, Panel, Query, stat, wide
from examples.grafana.variables import SERVERS, STORES

_CHOSEN = f"{SERVER},{REQUESTS}"
_TIMED = f"{SERVER},{NO_STREAM}"
_FIRING = newest("contextframe_monitoring_alerts", f'{STORE},state="firing"')
_LOST = total("contextframe_monitoring_lost_total", STORE, over=PERIOD, function="increase")

_NOW = (
    stat("Requests", "A second, all servers", total(OPERATIONS, _CHOSEN), "reqps"),
    stat("Failed", "Share of the requests that ended", failed_share(SERVER), "percentunit",
         limits.FAILED_SHARE),
    stat("p95", "95 of 100 requests took no longer", quantile(0.95, DURATIONS, _TIMED), "s",
         limits.P95_SECONDS),
    stat("Cost", "In the last hour, known prices only", cost(STORE, over="1h"), "currencyUSD",
         limits.COST_PER_HOUR_USD),
    stat("Alerts firing", "Of the monitor's own rules", or_zero(_FIRING), limit=limits.ANY),
    stat("Records lost", "In the time range", _LOST, limit=limits.ANY),
)  # fmt: skip

_UNTIL_NOW = (
    Panel(
        title="Requests by server",
        text="Requests that came in, however they ended",
        queries=[Query(total(OPERATIONS, _CHOSEN, "server"), "{{server}}")],
        unit="reqps",
        stacked=True,
    ),
    Panel(
        title="Failed requests by server",
        text="Errors and timeouts as a share; a cancelled request did not fail",
        queries=[Query(failed_share(SERVER, "server"), "{{server}}")],
        unit="percentunit",
        limit=limits.FAILED_SHARE,
    ),
    Panel(
        title="Durations",
        text="Quantiles over all requests, from the buckets of the histogram",
        queries=[
            Query(quantile(q, DURATIONS, _TIMED), f"p{q * 100:g}") for q in (0.5, 0.9, 0.95, 0.99)
        ],
        unit="s",
        limit=limits.P95_SECONDS,
    ),
    Panel(
        title="Cost an hour by provider",
        text="Known prices, less corrections",
        queries=[Query(cost(STORE, "provider", over="1h"), "{{provider}}")],
        unit="currencyUSD",
        stacked=True,
    ),
    Panel(
        title="Tokens a second by type",
        text="The types don't overlap",
        queries=[Query(total(TOKENS, STORE, "token_type"), "{{token_type}}")],
        stacked=True,
    ),
    Panel(
        title="Open alerts",
        text="Of the monitor's own rules",
        queries=[
            Query(
                newest("contextframe_monitoring_alerts", STORE, "severity, state"),
                "{{severity}} {{state}}",
            )
        ],
        stacked=True,
    ),
)
_MOST_USED = Panel(
    title="Tools most used",
    text="Calls in the time range",
    queries=[
        Query(
            "topk(10, {})".format(
                total(
                    f"{DURATIONS}_count",
                    f'{SERVER},mcp_method_name="tools/call"',
                    "server, gen_ai_tool_name",
                    over=PERIOD,
                    function="increase",
                )
            ),
            "{{server}} {{gen_ai_tool_name}}",
        )
    ],
    kind="bargauge",
)
_MOST_EXPENSIVE = Panel(
    title="Models most expensive",
    text="Cost in the time range",
    queries=[Query(f"topk(10, {cost(STORE, 'model', over=PERIOD)})", "{{model}}")],
    unit="currencyUSD",
    kind="bargauge",
)

DASHBOARD = Dashboard(
    name="overview",
    title="Overview",
    text="Everything that matters at a glance; the menu above leads on.",
    variables=[STORES, SERVERS],
    rows={
        "Now": _NOW,
        "Until now": _UNTIL_NOW,
        "Most": [wide(_MOST_USED), wide(_MOST_EXPENSIVE)],
    },
)
