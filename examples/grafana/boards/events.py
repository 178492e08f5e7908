"""Business events: what applications decided, how it came out, and what they measured."""

from __future__ import annotations

from examples.grafana.expressions import EVENTS, PERIOD, SERVER, mean, quantile, share, total
from examples.grafana.panels import Dashboard, Panel, Query, stat
from examples.grafana.variables import EVENT_NAMES, EVENT_SERVERS, OWN_METRICS, STORES

_CHOSEN = f'{SERVER},event=~"$event"'
_NUMBER = "contextframe_monitoring_event_number"
_USES = "contextframe_monitoring_usage_total"


def _in_range(by: str = "") -> str:
    return total(EVENTS, _CHOSEN, by, over=PERIOD, function="increase")


def _part(by: str) -> str:
    """Return each category's (or outcome's) share of its event."""
    return f"{_in_range(f'event, {by}')} / on (event) group_left () ({_in_range('event')} > 0)"


_COUNTS = (
    stat("Events", "In the time range", _in_range()),
    stat("With an outcome", "Share of the events that say how they came out",
         share(total(EVENTS, f'{_CHOSEN},outcome!=""', over=PERIOD, function="increase"),
               _in_range()),
         "percentunit"),
    stat("p95", "95 of 100 events took no longer",
         quantile(0.95, "contextframe_monitoring_event_duration_seconds", _CHOSEN, over=PERIOD),
         "s"),
    stat("Uses", "Documents and queries used, in the time range",
         total(_USES, SERVER, over=PERIOD, function="increase")),
)  # fmt: skip

_EVENTS = (
    Panel(
        title="Events",
        text="A second, by application and event",
        queries=[Query(total(EVENTS, _CHOSEN, "server, event"), "{{server}} {{event}}")],
        unit="ops",
        stacked=True,
        width=12,
    ),
    Panel(
        title="Durations by event",
        text="95 of 100 took no longer",
        queries=[
            Query(
                quantile(0.95, "contextframe_monitoring_event_duration_seconds", _CHOSEN, "event"),
                "{{event}}",
            )
        ],
        unit="s",
        width=12,
    ),
    Panel(
        title="Categories",
        text="Share of each event in the time range: template or model, approved by rule or hand",
        queries=[Query(_part("category"), "{{event}}: {{category}}")],
        unit="percentunit",
        kind="bargauge",
    ),
    Panel(
        title="Outcomes",
        text="Share of each event in the time range",
        queries=[Query(_part("outcome"), "{{event}}: {{outcome}}")],
        unit="percentunit",
        kind="bargauge",
    ),
    Panel(
        title="Numbers of events",
        text="Mean of each number that events carry; negative ones count in a metric of their own",
        queries=[Query(mean(_NUMBER, _CHOSEN, "event, number"), "{{event}}: {{number}}")],
    ),
)

_OWN = (
    Panel(
        title="Uses",
        text="Documents and queries used, a second",
        queries=[
            Query(total(_USES, SERVER, "metric_type, category"), "{{metric_type}} {{category}}")
        ],
        unit="ops",
        stacked=True,
    ),
    Panel(
        title="Durations of uses",
        text="95 of 100 took no longer",
        queries=[
            Query(
                quantile(
                    0.95, "contextframe_monitoring_usage_duration_seconds", SERVER, "metric_type"
                ),
                "{{metric_type}}",
            )
        ],
        unit="s",
    ),
    Panel(
        title="Own metrics",
        text="As applications recorded them; counters only grow",
        queries=[
            Query(f'{{__name__=~"$metric",__name__!="",{SERVER}}}', "{{__name__}} {{server}}")
        ],
    ),
)

DASHBOARD = Dashboard(
    name="events",
    title="Business events",
    text="What applications decided, how it came out, how long it took, what they measured.",
    variables=[STORES, EVENT_SERVERS, EVENT_NAMES, OWN_METRICS],
    rows={"In the time range": _COUNTS, "Events": _EVENTS, "Uses and own metrics": _OWN},
    since="now-24h",
)
