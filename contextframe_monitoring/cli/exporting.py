"""`export`: rows of a table as a file or on standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from contextframe_monitoring.cli.options import ConfigOption, StoreOption, edge, errors, settings


@edge
def export(
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="usage, performance, cost, rollup_1m or all.")
    ],
    format: Annotated[  # noqa: A002 - named as the option
        str, typer.Option("--format", help="json, jsonl, csv, parquet, arrow or prometheus.")
    ] = "json",
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="30m, 24h, 7d, today or ISO 8601.")
    ] = "30d",
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="End of the window.")
    ] = None,
    tz: Annotated[str | None, typer.Option("--tz", metavar="ZONE", help="IANA time zone.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Default: standard output.")
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Export raw rows, streamed: times and money exact, the file whole or not at all.

    Examples:
      contextframe-monitoring export cost --format csv --since 7d --output costs.csv
      contextframe-monitoring export performance --format prometheus --since 24h
    """
    from contextframe_monitoring.core.windows import parse_window
    from contextframe_monitoring.monitor import Monitor

    monitor = Monitor.open(settings(store, config, enabled=False))
    window = parse_window(
        since, until, now_us=monitor.clock.now_us(), timezone=tz or monitor.config.timezone
    )
    done = monitor.exporter.export(
        subject,
        format,
        start_us=window.start_us,
        end_us=window.end_us,
        output=sys.stdout.buffer if output is None else output,
    )
    if output is not None:
        errors.print(f"{done.rows:,} rows, {done.size_bytes:,} bytes in {output}", highlight=False)
