"""`report` and `verify`: readable tables, or the JSON that tools and REST answer with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contextframe_monitoring.cli.options import (
    FINDING,
    ConfigOption,
    JsonOption,
    StoreOption,
    edge,
    settings,
)
from contextframe_monitoring.core.errors import MonitoringError

if TYPE_CHECKING:
    from contextframe_monitoring.core.queries import ReportQuery
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
Exact = Annotated[
    bool, typer.Option("--exact", help="From raw rows alone, as far as they reach; slower.")
]
Own = Annotated[bool, typer.Option("--include-own", help="Count our own server's records too.")]

report = typer.Typer(
    no_args_is_help=True,
    help="""Report usage, performance or cost of a time window.

    Examples:
      contextframe-monitoring report performance --since 7d --group-by server,target
      contextframe-monitoring report cost --since month --group-by model
    """,
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
    exact: Exact = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """How many operations ran, how fast, and how many failed.

    Examples:
      contextframe-monitoring report performance --since 7d --group-by server,target
      contextframe-monitoring report performance --filter status=error --json
    """
    reports = _reports(store, config)
    found = reports.performance(
        _question(
            reports, "performance", since, until, group_by, tz, filter, limit, include_own, exact
        )
    )
    _print("performance", found, found.json_text(indent=2) if json else None)


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
    exact: Exact = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Which documents, queries, events and custom metrics were used.

    Examples:
      contextframe-monitoring report usage --since today --group-by collection
    """
    reports = _reports(store, config)
    found = reports.usage(
        _question(reports, "usage", since, until, group_by, tz, filter, limit, include_own, exact)
    )
    _print("usage", found, found.json_text(indent=2) if json else None)


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
    exact: Exact = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """What was spent, on what; unknown prices are listed, never counted as 0.

    Examples:
      contextframe-monitoring report cost --since month --group-by agent
      contextframe-monitoring report cost --since 7d --group-by day,model --tz Europe/Berlin
    """
    reports = _reports(store, config)
    found = reports.cost(
        _question(reports, "cost", since, until, group_by, tz, filter, limit, include_own, exact)
    )
    _print("cost", found, found.json_text(indent=2) if json else None)


@edge
def verify(
    store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Prove that everything recorded is stored, once. Exit status 0 only when it is complete.

    Names too where metrics that came in say something else than the calls that are counted.

    Examples:
      contextframe-monitoring verify
      contextframe-monitoring verify --store ~/metrics --json
    """
    from contextframe_monitoring.core.status import Finding
    from contextframe_monitoring.ingest.otlp.evidence import differences

    reports = _reports(store, config)
    found = reports.verify()
    more = tuple(
        Finding(problem=str(one), remedy="the calls count; metrics may miss some, or see more")
        for one in differences(reports.store.engine)
    )
    found = found.model_copy(update={"findings": [*found.findings, *more]})
    _print("verify", found, found.model_dump_json(indent=2) if json else None)
    if not found.complete:
        raise typer.Exit(FINDING)


def _reports(store: str | None, config: str | None) -> Reports:
    """Open a store for reading; drain it first where nobody keeps it and it can be written."""
    from contextframe_monitoring.monitor import Monitor

    monitor = Monitor.open(settings(store, config, enabled=False))
    with contextlib.suppress(MonitoringError):  # one that can't be written is still read
        monitor.drain()
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
    exact: bool,
) -> ReportQuery:
    from contextframe_monitoring.core.queries import filters, group_keys

    return reports.question(
        kind,
        since=since,
        until=until,
        timezone=tz,
        group_by=group_keys(group_by),
        where=filters(pairs or []),
        limit=limit,
        include_own=include_own,
        exact=exact,
    )


def _print(name: str, found: Any, text: str | None) -> None:
    """Print a report: its JSON, or the table that `cli.printing` makes of it."""
    if text is not None:
        typer.echo(text)
        return
    from contextframe_monitoring.cli import printing

    getattr(printing, f"print_{name}")(found)
