"""`alerts history`, `statistics` and `backtest`: what was, in figures, and what would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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
    print_json,
    settings,
    to_the_second,
)

if TYPE_CHECKING:
    from contextframe_monitoring.alerts.application import AlertManager
    from contextframe_monitoring.core.reports.alerts import AlertStatistics, BackTest

Since = Annotated[str, typer.Option("--since", help="Span, calendar word or time.")]
Until = Annotated[str | None, typer.Option("--until", help="End. Default: now.")]


@edge
def history(
    alert_id: Annotated[str | None, typer.Argument(metavar="ID", help="One alert.")] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Entries of one rule.")] = None,
    severity: Annotated[str | None, typer.Option("--severity", help="The least.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="fired, resolved ...")] = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 50,
    since: Since = "7d",
    until: Until = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """What happened to alerts, the newest in front: who did what, when, and why.

    Examples:
      contextframe-monitoring alerts history --since 30d --rule high_daily_cost
    """
    from contextframe_monitoring.alerts.history import HistoryQuery

    manager, timezone = _manager(store, config)
    asked: dict[str, Any] = {"severity": severity, "action": action}
    query = HistoryQuery(alert_id=alert_id, rule=rule, limit=limit, timezone=timezone, **asked)
    found = manager.history(since, until, query)
    if json:
        print_json(found.model_dump_json(indent=2))
        return
    table = _table("at", "alert", "what", "by", "message")
    for row in found.events:
        note = f" ({row.note})" if row.note else ""
        cells = (
            to_the_second(row.at),
            row.alert_id,
            f"{row.action}{note}",
            row.actor or "-",
            row.message,
        )
        table.add_row(*map(escape, cells))
    console.print(table)
    if found.more:
        console.print(f"{found.more:,} more: raise --limit", highlight=False)


@edge
def statistics(
    since: Since = "30d",
    until: Until = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Alerts by rule and severity, how long until somebody cares and until they end, what flaps.

    Examples:
      contextframe-monitoring alerts statistics --since 30d
    """
    manager, _ = _manager(store, config)
    found = manager.statistics(since, until)
    if json:
        print_json(found.model_dump_json(indent=2))
    else:
        _print_statistics(found)


@edge
def backtest(
    rule: Annotated[
        str, typer.Argument(metavar="RULE", help="A rule's name, or a TOML file with one.")
    ],
    since: Since = "7d",
    until: Until = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """When a rule would have fired, over what is stored. Exit code 1 when it would have.

    Examples:
      contextframe-monitoring alerts backtest slow_response --since 30d
    """
    from contextframe_monitoring.cli.alert_rules import tables_of

    manager, _ = _manager(store, config)
    meant: Any = tables_of(rule)[0] if rule.endswith(".toml") else rule
    found = manager.backtest(meant, since, until)
    if json:
        print_json(found.model_dump_json(indent=2))
    else:
        _print_backtest(found)
    if found.fired:
        raise typer.Exit(FINDING)


def _manager(store: str | None, config: str | None) -> tuple[AlertManager, str]:
    from contextframe_monitoring.alerts.application import AlertManager
    from contextframe_monitoring.store.machine import SystemClock
    from contextframe_monitoring.store.store import store_of

    found = settings(store, config)
    return AlertManager(store_of(found), found, SystemClock()), found.timezone


def _table(*names: str) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _minutes(length: float | None) -> str:
    return "-" if length is None else f"{length:.1f} min"


def _print_statistics(found: AlertStatistics) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in found.by_severity.items())
    console.print(
        f"{found.fired} fired ({counts or 'none'}), {found.acknowledged} taken on after "
        f"{_minutes(found.minutes_to_acknowledge)}, {found.resolved} resolved after "
        f"{_minutes(found.minutes_to_resolve)}",
        highlight=False,
    )
    table = _table("rule", "fired", "flaps", "taken on after", "resolved after")
    for row in found.by_rule:
        lengths = (_minutes(row.minutes_to_acknowledge), _minutes(row.minutes_to_resolve))
        table.add_row(escape(row.rule), str(row.fired), str(row.flaps), *lengths)
    console.print(table)
    if found.flapping:
        console.print(
            f"flapping: {', '.join(found.flapping)}: raise for or keep_firing_for, or set a "
            "recovery_threshold",
            markup=False,
            highlight=False,
        )


def _print_backtest(found: BackTest) -> None:
    console.print(
        f"{found.rule} would have fired {found.fired} time(s) from "
        f"{to_the_second(found.start)} to {to_the_second(found.end)} "
        f"({found.evaluations:,} evaluations)",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if found.note:
        console.print(found.note, markup=False, highlight=False)
    table = _table("fired", "resolved", "worst", "threshold", "group")
    for row in found.firings:
        group = ", ".join(f"{key}={name!r}" for key, name in row.group.items())
        worst, bound = (
            "-" if value is None else f"{value:.6g}"
            for value in (row.worst_value, row.threshold_value)
        )
        times = (to_the_second(row.fired_at), to_the_second(row.resolved_at or "-"))
        table.add_row(*times, worst, bound, escape(group))
    if found.firings:
        console.print(table)
    if found.more:
        console.print(f"{found.more:,} more", highlight=False)
