"""`alerts`: what fires, who takes it on, what is silent and why."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from contextframe_monitoring.cli import alert_channels
from contextframe_monitoring.cli.alert_past import backtest, history, statistics
from contextframe_monitoring.cli.alert_rules import rules
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
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.queries import filters
from contextframe_monitoring.core.windows import iso, span_us

if TYPE_CHECKING:
    from contextframe_monitoring.alerts.desk import AlertDesk, By
    from contextframe_monitoring.core.alert import Alert
    from contextframe_monitoring.core.config import MonitoringConfig
    from contextframe_monitoring.core.reports.alerts import AlertsReport
    from contextframe_monitoring.core.silence import Silence

alerts = typer.Typer(
    no_args_is_help=True,
    help="""Alerts: list, take on, resolve, silence; the rules behind them.

    Examples:
      contextframe-monitoring alerts list --severity error
      contextframe-monitoring alerts ack a-17
    """,
)
alerts.add_typer(rules, name="rules")
alerts.command()(alert_channels.channels)
alerts.command()(history)
alerts.command()(statistics)
alerts.command()(backtest)

TEST_RULE = "test alert"
AlertIds = Annotated[list[str], typer.Argument(metavar="ID...", help="Alerts, as listed.")]
Comment = Annotated[
    str | None, typer.Option("--comment", "-m", metavar="TEXT", help="Why; kept in the history.")
]
As = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Who does it. Default: the user.")
]


@alerts.command("list")
@edge
def list_alerts(
    status: Annotated[
        str, typer.Option("--status", help="active, pending, resolved, or all.")
    ] = "active",
    severity: Annotated[
        str | None, typer.Option("--severity", help="The least: info, warning, error, critical.")
    ] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="Alerts of one rule.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Alerts of one signal.")] = None,
    since: Annotated[
        int, typer.Option("--since", metavar="REVISION", help="What changed after it.")
    ] = 0,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 50,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Alerts, those that changed last in front. Exit code 1 when one of them is active.

    Examples:
      contextframe-monitoring alerts list --status all --severity error
    """
    from contextframe_monitoring.alerts.listing import AlertQuery

    found = settings(store, config)
    asked: dict[str, Any] = {"status": status, "severity": severity}
    query = AlertQuery(
        **asked, rule=rule, type=kind, since=since, limit=limit, timezone=found.timezone
    )
    report = _desk(found).report(query)
    if json:
        print_json(report.model_dump_json(indent=2))
    else:
        _print_alerts(report)
    if any(row.status == "active" for row in report.alerts):
        raise typer.Exit(FINDING)


@alerts.command()
@edge
def ack(
    ids: AlertIds, comment: Comment = None, by: As = None,
    store: StoreOption = None, config: ConfigOption = None,
) -> None:  # fmt: skip
    """Take alerts on: they escalate no further.

    Examples:
      contextframe-monitoring alerts ack a-17 --comment "looking into it"
    """
    _each(ids, lambda desk, one: desk.acknowledge(one, _by(by), comment), store, config)


@alerts.command()
@edge
def resolve(
    ids: AlertIds, comment: Comment = None, by: As = None,
    store: StoreOption = None, config: ConfigOption = None,
) -> None:  # fmt: skip
    """Declare alerts over. One whose condition holds fires again only after it was over.

    Examples:
      contextframe-monitoring alerts resolve a-17 a-18
    """
    _each(ids, lambda desk, one: desk.resolve(one, _by(by), comment), store, config)


@alerts.command()
@edge
def reopen(
    ids: AlertIds, comment: Comment = None, by: As = None,
    store: StoreOption = None, config: ConfigOption = None,
) -> None:  # fmt: skip
    """Take back that alerts are over.

    Examples:
      contextframe-monitoring alerts reopen a-17
    """
    _each(ids, lambda desk, one: desk.reopen(one, _by(by), comment), store, config)


@alerts.command("comment")
@edge
def comment_on(
    alert_id: Annotated[str, typer.Argument(metavar="ID", help="An alert, as listed.")],
    text: Annotated[str, typer.Argument(help="What to say.")],
    by: As = None, store: StoreOption = None, config: ConfigOption = None,
) -> None:  # fmt: skip
    """Say something about an alert; the history keeps it.

    Examples:
      contextframe-monitoring alerts comment a-17 "the index was being rebuilt"
    """
    _each([alert_id], lambda desk, one: desk.comment(one, text, _by(by)), store, config)


@alerts.command()
@edge
def silence(
    matchers: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=TEXT...", help="rule, severity, a dimension or a label; *."),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", "-m", help="Why.")] = None,
    length: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long.")] = "1h",
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="ISO 8601. Default: now.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="ID", help="End a silence instead.")
    ] = None,
    by: As = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Tell nobody of alerts that match, for a while; without matchers, list what is silent.

    With --from it begins later: a maintenance window.

    Examples:
      contextframe-monitoring alerts silence rule=slow_response --for 2h -m "rebuild"
      contextframe-monitoring alerts silence tool=a* --from 2030-01-05T22:00 -m "upgrade"
      contextframe-monitoring alerts silence --end s-0123456789ab
    """
    found = settings(store, config)
    desk = _desk(found)
    if end is not None:
        ended = desk.end_silence(end, _by(by))
        console.print(f"{ended.silence_id} has ended", highlight=False)
        return
    if matchers:
        starts_us = None if start is None else _moment(start, found)
        span = span_us(length)
        if span is None:
            raise InvalidError("--for", length, "expected a span such as 30m, 2h, 1d")
        ends_us = (starts_us if starts_us is not None else _now_us()) + span
        made = [desk.silence(filters(matchers), starts_us, ends_us, reason or "", _by(by))]
    else:
        made = desk.silences()
    _print_silences(made, found.timezone, json=json)


@alerts.command("test")
@edge
def raise_test(
    through: Annotated[
        str | None, typer.Argument(metavar="[CHANNEL]", help="Send through this one, now.")
    ] = None,
    severity: Annotated[str, typer.Option("--severity", help="How bad it shall be.")] = "info",
    channel: Annotated[
        list[str] | None, typer.Option("--channel", metavar="NAME", help="Tell these only.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Send a test notification through a channel, or raise an alert that goes the whole way.

    The alert ends after an hour, or with alerts resolve.

    Examples:
      contextframe-monitoring alerts test ops-slack --config monitoring.toml
      contextframe-monitoring alerts test --severity critical
    """
    if through is not None:
        alert_channels.try_it(through, store, config)
        return
    from contextframe_monitoring.alerts.triggering import Trigger
    from contextframe_monitoring.store.machine import SystemClock
    from contextframe_monitoring.store.store import store_of

    found = settings(store, config)
    trigger = Trigger(store_of(found), found, SystemClock())
    rule = {
        "name": TEST_RULE,
        "signal": "rule_problems",
        "severity": severity,
        "channels": channel or [],
        "annotations": {"summary": "This is a test: nothing is wrong."},
    }
    console.print(trigger.trigger(rule, {"raised_by": getpass.getuser()}), highlight=False)


def _desk(config: MonitoringConfig) -> AlertDesk:
    from contextframe_monitoring.alerts.desk import AlertDesk
    from contextframe_monitoring.store.machine import SystemClock
    from contextframe_monitoring.store.store import store_of

    return AlertDesk(store_of(config), config, SystemClock())


def _by(name: str | None) -> By:
    from contextframe_monitoring.alerts.desk import By

    return By(name or getpass.getuser(), "command")


def _each(
    ids: list[str],
    change: Callable[[AlertDesk, str], Alert],
    store: str | None,
    config: str | None,
) -> None:
    found = settings(store, config)
    desk = _desk(found)
    for alert_id in ids:
        alert = change(desk, alert_id)
        taken = f", taken on by {alert.acknowledged_by}" if alert.acknowledged_by else ""
        console.print(
            f"{alert.alert_id} {alert.state}{taken}: {alert.message}",
            markup=False,
            highlight=False,
        )


def _now_us() -> int:
    return time.time_ns() // 1000


def _moment(text: str, config: MonitoringConfig) -> int:
    import datetime as dt

    from contextframe_monitoring.core.windows import to_us, zone

    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidError("--from", text, "expected an ISO 8601 time") from None
    return to_us(found if found.tzinfo else found.replace(tzinfo=zone(config.timezone)))


def _print_alerts(report: AlertsReport) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in report.active.items())
    console.print(f"active: {counts or 'none'}", highlight=False)
    if report.note:
        console.print(report.note, markup=False, highlight=False)
    for incident in report.incidents:
        if incident.count > 1:
            line = f"incident {incident.incident_id}: {incident.count} alerts; {incident.message}"
            console.print(line, markup=False, highlight=False)
    if not report.alerts:
        return
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("id", "severity", "status", "since", "what"):
        table.add_column(name, overflow="fold")
    for row in report.alerts:
        marks = [row.status]
        marks += [f"taken on by {row.acknowledged_by}"] if row.acknowledged_by else []
        marks += ["silent"] if row.silenced_until else []
        marks += ["held back"] if row.held_back_by else []
        since = to_the_second(row.fired_at or row.created_at)
        cells = (row.id, row.severity, ", ".join(marks), since)
        table.add_row(*map(escape, cells), escape(row.message))
    console.print(table)
    if report.more:
        console.print(f"{report.more} more: raise --limit", highlight=False)


def _print_silences(found: list[Silence], timezone: str, *, json: bool) -> None:
    if json:
        import msgspec

        print_json(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    for one in found:
        what = " ".join(f"{key}={text}" for key, text in one.matchers.items())
        when = f"{iso(one.starts_us, timezone)} to {iso(one.ends_us, timezone)}"
        line = f"{one.silence_id} {what}: {when}, by {one.author}: {one.reason}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not found:
        console.print("nothing is silent", highlight=False)
