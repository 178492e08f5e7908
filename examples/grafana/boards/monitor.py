"""The monitor itself: is it scraped, does it lose anything, do its exports arrive."""

from __future__ import annotations

from examples.grafana import limits
from examples.grafana.expressions import PERIOD, STORE, newest, total
from examples.grafana.panels import Dashboard, Panel, Query, stat
from examples.grafana.rules import JOB
from examples.grafana.variables import STORES

_OWN = "contextframe_monitoring"
_SCRAPED = f'job="{JOB}",{STORE}'
_LOST = f"{_OWN}_lost_total"
_TARGET = "{{type}} {{target}}"

_NOW = (
    stat("Scraped", "Stores that answer", f"sum (up{{{_SCRAPED}}})"),
    stat("Records lost", "In the time range",
         total(_LOST, STORE, over=PERIOD, function="increase"), limit=limits.ANY),
    stat("Drain lag", "Age of the oldest record that stands in no table yet",
         newest(f"{_OWN}_drain_lag_seconds", STORE, function="max"), "s",
         limits.DRAIN_LAG_SECONDS),
    stat("Writers", "Processes that record", newest(f"{_OWN}_writers", STORE)),
    stat("Connections", "Open now", newest(f"{_OWN}_connections", STORE)),
    stat("In flight", "Operations that have not ended", newest(f"{_OWN}_active_operations", STORE)),
)  # fmt: skip

_RECORDS = (
    Panel(
        title="Records",
        text="Taken from their callers, and stored, a second",
        queries=[
            Query(total(f"{_OWN}_{what}_total", STORE, "instance"), f"{what} {{{{instance}}}}")
            for what in ("recorded", "stored")
        ],
        unit="ops",
    ),
    Panel(
        title="Records lost",
        text="A second, by reason; `contextframe-monitoring verify` proves the rest",
        queries=[Query(total(_LOST, STORE, "reason"), "{{reason}}")],
        unit="ops",
        limit=limits.ANY,
    ),
    Panel(
        title="Records waiting",
        text="In spools, not in tables",
        queries=[Query(newest(f"{_OWN}_undrained", STORE, "instance"), "{{instance}}")],
    ),
    Panel(
        title="Drain lag",
        text="Age of the oldest record that stands in no table yet",
        queries=[Query(newest(f"{_OWN}_drain_lag_seconds", STORE, "instance"), "{{instance}}")],
        unit="s",
        limit=limits.DRAIN_LAG_SECONDS,
    ),
    Panel(
        title="Activity",
        text="Writers, connections and operations in flight",
        queries=[
            Query(newest(f"{_OWN}_{what}", STORE), what.replace("_", " "))
            for what in ("writers", "connections", "active_operations")
        ],
    ),
    Panel(
        title="Own metrics left out",
        text="Samples of custom metrics beyond those that get a family, an hour",
        queries=[
            Query(
                total(
                    f"{_OWN}_custom_left_out_total", STORE, "instance", over="1h",
                    function="increase",
                ),
                "{{instance}}",
            )
        ],
        limit=limits.ANY,
    ),
)  # fmt: skip

_EXPORTS = (
    Panel(
        title="Sent to targets",
        text="Points, spans, lines and rows that they took, a second",
        queries=[Query(total(f"{_OWN}_export_sent_total", STORE, "type, target"), _TARGET)],
        unit="ops",
    ),
    Panel(
        title="Refused by targets",
        text="For good, a second",
        queries=[Query(total(f"{_OWN}_export_rejected_total", STORE, "type, target"), _TARGET)],
        unit="ops",
    ),
    Panel(
        title="Failures in a row",
        text="Exports that failed since the last one that did not",
        queries=[Query(newest(f"{_OWN}_export_failures", STORE, "type, target", "max"), _TARGET)],
        limit=limits.EXPORT_FAILURES,
    ),
)

_RESOURCES = (
    Panel(
        title="CPU",
        text="Of all processors; the newest sample where several processes have one name",
        queries=[Query(newest("process_cpu_utilization", STORE, "server", "max"), "{{server}}")],
        unit="percentunit",
    ),
    Panel(
        title="Memory",
        text="Resident",
        queries=[Query(newest("process_memory_usage_bytes", STORE, "server", "max"), "{{server}}")],
        unit="bytes",
    ),
    Panel(
        title="Lag of event loops",
        text="How much later than it should a task ran",
        queries=[
            Query(newest("monitoring_event_loop_lag_seconds", STORE, "server", "max"), "{{server}}")
        ],
        unit="s",
    ),
    Panel(
        title="Threads and open files",
        text="Of a process",
        queries=[
            Query(newest(metric, STORE, "server", "max"), f"{what} {{{{server}}}}")
            for metric, what in (
                ("process_thread_count", "threads"),
                ("process_unix_file_descriptor_count", "files"),
            )
        ],
    ),
    Panel(
        title="Waiting in spools",
        text="Bytes of records that a process has written and nobody has drained yet",
        queries=[
            Query(newest("monitoring_spool_undrained_bytes", STORE, "server", "max"), "{{server}}")
        ],
        unit="bytes",
    ),
    Panel(
        title="Connections to databases",
        text="Of the pools that a process has",
        queries=[
            Query(
                newest(f"monitoring_sql_pool_{what}", STORE, "server", "max"),
                f"{what} {{{{server}}}}",
            )
            for what in ("used", "idle")
        ],
    ),
)

_SCRAPES = (
    Panel(
        title="Duration of scrapes",
        text="As Prometheus saw it",
        queries=[Query(f"scrape_duration_seconds{{{_SCRAPED}}}", "{{instance}}")],
        unit="s",
    ),
    Panel(
        title="Samples of a scrape",
        text="Bounded by `prometheus_series_max` for each family",
        queries=[Query(f"scrape_samples_scraped{{{_SCRAPED}}}", "{{instance}}")],
    ),
    Panel(
        title="Versions",
        text="Of the monitor, by store",
        queries=[Query(newest(f"{_OWN}_build_info", STORE, "instance, version"), "stores")],
        kind="table",
    ),
)

DASHBOARD = Dashboard(
    name="monitor",
    title="The monitor itself",
    text="Whether everything is recorded, stored, scraped and exported.",
    variables=[STORES],
    rows={
        "Now": _NOW,
        "Records": _RECORDS,
        "Exports": _EXPORTS,
        "Processes (where resources are sampled)": _RESOURCES,
        "Scrapes": _SCRAPES,
    },
)
