"""`export`: rows, reports and metrics as a file, on standard output, or to a configured target."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contextframe_monitoring.cli.options import (
    ConfigOption,
    JsonOption,
    StoreOption,
    console,
    edge,
    errors,
    print_json,
    settings,
)
from contextframe_monitoring.core.errors import InvalidError

if TYPE_CHECKING:
    from contextframe_monitoring.export.exporter import Exported
    from contextframe_monitoring.export.source import Progress
    from contextframe_monitoring.monitor import Monitor

_REPORT = "-report"
_ROWS_MAX = 1000
"""Of a report."""


Subject = Annotated[
    str | None,
    typer.Argument(
        metavar="SUBJECT",
        help="usage, performance, cost (rows); rollup_1m to rollup_1d; usage-report, "
        "performance-report, cost-report; all (metrics).",
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format", help="json, jsonl, csv, csv-excel, parquet, arrow; of metrics: prometheus, emf."
    ),
]
Since = Annotated[
    str, typer.Option("--since", metavar="WHEN", help="30m, 24h, 7d, today or ISO 8601.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="End of the window.")]
Zone = Annotated[str | None, typer.Option("--tz", metavar="ZONE", help="IANA time zone.")]
GroupBy = Annotated[
    str | None, typer.Option("--group-by", metavar="KEY", help="Of a report: model, target ...")
]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Default: standard output.")
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="TARGET", help="Send what is new to a configured target."),
]
ListTargets = Annotated[
    bool, typer.Option("--list-targets", help="List the configured targets and their health.")
]


@edge
def export(
    subject: Subject = None,
    format: Format = "json",  # noqa: A002 - named as the option
    since: Since = "30d",
    until: Until = None,
    tz: Zone = None,
    group_by: GroupBy = None,
    output: Output = None,
    to: To = None,
    list_targets: ListTargets = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Export raw rows, reports or metrics, streamed: times and money exact, a file whole or not
    at all.

    Examples:
      contextframe-monitoring export cost --format csv --since 7d --output costs.csv
      contextframe-monitoring export performance --format prometheus --since 24h
      contextframe-monitoring export cost-report --group-by model --format csv
      contextframe-monitoring export --to collector
    """
    from contextframe_monitoring.monitor import Monitor

    monitor = Monitor.open(settings(store, config, enabled=False))
    if list_targets:
        _list_targets(monitor, json=json)
    elif to is not None:
        _say(monitor.export_to(to), json=json)
    elif subject is None:
        raise InvalidError("SUBJECT", subject, "expected what to export, --to or --list-targets")
    elif subject.endswith(_REPORT):
        kind = subject.removesuffix(_REPORT)
        done = _export_report(monitor, kind, format, (since, until, tz), group_by, output)
        _say(done, json=json)
    else:
        _say(_export_rows(monitor, subject, format, (since, until, tz), output), json=json)


_Window = tuple[str, str | None, str | None]


def _export_rows(
    monitor: Monitor, subject: str, name: str, window: _Window, output: Path | None
) -> Exported:
    from contextframe_monitoring.core.windows import parse_window

    since, until, zone = window
    found = parse_window(
        since, until, now_us=monitor.clock.now_us(), timezone=zone or monitor.config.timezone
    )
    with _bar(shown=output is not None and errors.is_terminal) as progress:
        return monitor.exporter.export(
            subject,
            name,
            start_us=found.start_us,
            end_us=found.end_us,
            output=sys.stdout.buffer if output is None else output,
            progress=progress,
        )


def _export_report(
    monitor: Monitor,
    kind: str,
    name: str,
    window: _Window,
    group_by: str | None,
    output: Path | None,
) -> Exported:
    from contextframe_monitoring.core.queries import LIMIT_MAX, group_keys

    if kind not in {"usage", "performance", "cost"}:
        allowed = "expected usage-report, performance-report or cost-report"
        raise InvalidError("SUBJECT", kind + _REPORT, allowed)
    reports = monitor.reports
    since, until, zone = window
    keys = group_keys(group_by or {"usage": "document", "cost": "model"}.get(kind, "target"))
    limit = min(_ROWS_MAX, LIMIT_MAX)
    question = reports.question(
        kind, since=since, until=until, timezone=zone, group_by=keys, limit=limit
    )
    found = getattr(reports, kind)(question)
    stream = sys.stdout.buffer if output is None else output
    return monitor.exporter.export_report(found, name, output=stream)


@contextlib.contextmanager
def _bar(*, shown: bool) -> Iterator[Progress | None]:
    """Show on stderr how far an export is, where a person looks."""
    if not shown:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=errors, transient=True) as bars:
        task = bars.add_task("rows", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _say(done: Exported, *, json: bool) -> None:
    if done.target is not None:
        said = f"{done.rows:,} sent to {done.target} ({done.format})"
        print_json(done.model_dump_json()) if json else console.print(said, highlight=False)
    elif done.path is not None:
        said = f"{done.rows:,} rows, {done.size_bytes:,} bytes in {done.path}"
        errors.print(said, markup=False, highlight=False, soft_wrap=True)


def _list_targets(monitor: Monitor, *, json: bool) -> None:
    from contextframe_monitoring.query.target_health import target_statuses

    found = target_statuses(monitor.store, monitor.config)
    if json:
        import json as json_module

        print_json(json_module.dumps([one.model_dump() for one in found], indent=2))
        return
    if not found:
        console.print("no target is configured: see [targets.NAME]", markup=False, highlight=False)
    for one in found:
        error = f": {one.last_error}" if one.last_error else ""
        said = f"{one.name} ({one.type}) is {one.status}, {one.sent:,} sent{error}"
        console.print(said, markup=False, highlight=False, soft_wrap=True)
