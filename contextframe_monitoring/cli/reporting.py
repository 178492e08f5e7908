"""`report` and `verify`: readable tables, or the JSON that tools and REST answer with."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from contextframe_monitoring.cli.options import (
    FINDING,
    ConfigOption,
    JsonOption,
    StoreOption,
    console,
    edge,
    settings,
)
from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.core.queries import ReportQuery, group_keys
from contextframe_monitoring.core.reports import CostReport, PerformanceReport, UsageReport
from contextframe_monitoring.core.status import VerifyReport
from contextframe_monitoring.mcp.answers import Said, ms, percent, usd
from contextframe_monitoring.mcp.sayings import say_cost, say_performance, say_usage
from contextframe_monitoring.mcp.tools import filters
from contextframe_monitoring.monitor import Monitor
from contextframe_monitoring.query.reports import Reports

Since = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="30m, 24h, 7d, today, week, month or ISO 8601."),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="WHEN", help="End of the window. Default: now.")
]
GroupBy = Annotated[
    str | None,
    typer.Option("--group-by", metavar="KEY", help="target, agent, hour, model ...; none: totals."),
]
Zone = Annotated[str | None, typer.Option("--tz", metavar="ZONE", help="IANA time zone.")]
Filter = Annotated[
    list[str] | None, typer.Option("--filter", metavar="KEY=VALUE", help="Only these rows.")
]
Limit = Annotated[int, typer.Option("--limit", help="Rows of the breakdown.")]
Own = Annotated[bool, typer.Option("--include-own", help="Count our own server's records too.")]

report = typer.Typer(
    no_args_is_help=True, help="Report usage, performance or cost of a time window."
)


@report.command()
@edge
def performance(
    since: Since = "24h",
    until: Until = None,
    group_by: GroupBy = "target",
    tz: Zone = None,
    filter: Filter = None,  # noqa: A002 - named as the option
    limit: Limit = 20,
    include_own: Own = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """How many operations ran, how fast, and how many failed.

    Example: contextframe-monitoring report performance --since 7d --group-by server,target
    """
    reports = _reports(store, config)
    found = reports.performance(
        _question(reports, "performance", since, until, group_by, tz, filter, limit, include_own)
    )
    _print(found.json_text(indent=2) if json else None, lambda: print_performance(found))


@report.command()
@edge
def usage(
    since: Since = "24h",
    until: Until = None,
    group_by: GroupBy = "document",
    tz: Zone = None,
    filter: Filter = None,  # noqa: A002 - named as the option
    limit: Limit = 20,
    include_own: Own = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Which documents, queries, events and custom metrics were used.

    Example: contextframe-monitoring report usage --since today --group-by collection
    """
    reports = _reports(store, config)
    found = reports.usage(
        _question(reports, "usage", since, until, group_by, tz, filter, limit, include_own)
    )
    _print(found.json_text(indent=2) if json else None, lambda: print_usage(found))


@report.command()
@edge
def cost(
    since: Since = "month",
    until: Until = None,
    group_by: GroupBy = "model",
    tz: Zone = None,
    filter: Filter = None,  # noqa: A002 - named as the option
    limit: Limit = 20,
    include_own: Own = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """What was spent, on what; unknown prices are listed, never counted as 0.

    Example: contextframe-monitoring report cost --since month --group-by agent
    """
    reports = _reports(store, config)
    found = reports.cost(
        _question(reports, "cost", since, until, group_by, tz, filter, limit, include_own)
    )
    _print(found.json_text(indent=2) if json else None, lambda: print_cost(found))


@edge
def verify(
    store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Prove that everything recorded is stored, once. Exit status 0 only when it is complete."""
    found = _reports(store, config).verify()
    _print(found.model_dump_json(indent=2) if json else None, lambda: print_verify(found))
    if not found.complete:
        raise typer.Exit(FINDING)


def _reports(store: str | None, config: str | None) -> Reports:
    """Open a store for reading; drain it first where nobody keeps it and it can be written."""
    monitor = Monitor.open(settings(store, config, enabled=False))
    try:
        monitor.drain()
    except MonitoringError:
        pass  # a store that can't be written is still read: the frames in its spool are seen
    return monitor.reports


def _question(
    reports: Reports,
    kind: str,
    since: str | None,
    until: str | None,
    group_by: str | None,
    tz: str | None,
    pairs: list[str] | None,
    limit: int,
    include_own: bool,
) -> ReportQuery:
    return reports.question(
        kind,
        since=since,
        until=until,
        timezone=tz,
        group_by=group_keys(group_by),
        where=filters(pairs or []),
        limit=limit,
        include_own=include_own,
    )


def _print(text: str | None, show: Any) -> None:
    if text is None:
        show()
    else:
        typer.echo(text)


def _say(said: Said, rows: int) -> None:
    """Print a headline, and the lines that are no rows of the table."""
    console.print(said.headline, markup=False, highlight=False)
    for line in [*said.lines[: len(said.lines) - rows]]:
        console.print(line, markup=False, highlight=False)


def _table(*names: str) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column(names[0], overflow="fold")
    for name in names[1:]:
        table.add_column(name, justify="right")
    return table


def print_performance(found: PerformanceReport) -> None:
    """Print a performance report."""
    said = say_performance(found)
    console.print(said.headline, markup=False, highlight=False)
    if found.note:
        console.print(found.note, markup=False, highlight=False)
    if not found.breakdown:
        return
    table = _table("category", "count", "errors", "rate", "slow", "p50", "p95", "p99", "max")
    for row in found.breakdown:
        table.add_row(
            escape(row.category),
            f"{row.count:,}",
            f"{row.errors:,}",
            percent(row.error_rate),
            f"{row.slow:,}",
            ms(row.p50_ms),
            ms(row.p95_ms),
            ms(row.p99_ms),
            ms(row.max_ms),
        )
    console.print(table)
    _print_more(found.more)


def print_usage(found: UsageReport) -> None:
    """Print a usage report."""
    console.print(say_usage(found).headline, markup=False, highlight=False)
    if found.note:
        console.print(found.note, markup=False, highlight=False)
    if not found.breakdown:
        return
    table = _table("category", "count")
    for row in found.breakdown:
        table.add_row(escape(row.category), f"{row.count:,}")
    console.print(table)
    _print_more(found.more)


def print_cost(found: CostReport) -> None:
    """Print a cost report."""
    said = say_cost(found)
    console.print(said.headline, markup=False, highlight=False)
    for line in said.lines[: len(said.lines) - len(found.breakdown)]:
        console.print(line, markup=False, highlight=False)
    if not found.breakdown:
        return
    table = _table("category", "cost", "share", "facts")
    for row in found.breakdown:
        share = "-" if row.percentage is None else f"{row.percentage} %"
        table.add_row(escape(row.category), usd(row.cost), share, f"{row.count:,}")
    console.print(table)
    _print_more(found.more)


def print_verify(found: VerifyReport) -> None:
    """Print the proof of completeness."""
    word = "complete" if found.complete else "NOT complete"
    console.print(
        f"{word}: {found.recorded:,} recorded = {found.stored:,} stored + {found.waiting:,} waiting"
        f" + {found.expired:,} expired + {sum(found.lost.values()):,} lost + {found.gaps:,} missing;"
        f" {found.duplicates:,} duplicates",
        style="green" if found.complete else "red",
        markup=False,
        highlight=False,
    )
    for finding in found.findings:
        console.print(f"- {finding.problem}; {finding.remedy}", markup=False, highlight=False)


def _print_more(rows: int) -> None:
    if rows:
        console.print(f"{rows:,} more rows: raise --limit", markup=False, highlight=False)
