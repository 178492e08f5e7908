"""`logs`: the log lines that match, and with a correlation id the stored rows of that id too."""

from __future__ import annotations

import contextlib
import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contextframe_monitoring.cli.options import (
    FINDING,
    ConfigOption,
    JsonOption,
    StoreOption,
    console,
    edge,
    errors,
    settings,
)
from contextframe_monitoring.core.errors import MonitoringError

if TYPE_CHECKING:
    from contextframe_monitoring.core.windows import Window
    from contextframe_monitoring.logs.reading import FoundLines, LineQuery
    from contextframe_monitoring.monitor import Monitor

_HEAD = ("timestamp", "level", "message", "logger")
_ALWAYS = ("service", "version", "environment")


Id = Annotated[
    str | None, typer.Option("--correlation-id", metavar="ID", help="Lines and rows of an id.")
]
File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Default: logging.file.")]
Level = Annotated[
    str, typer.Option("--level", help="Lowest level: debug, info, warning, error, critical.")
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="KEY=VALUE", help="Only these lines: message, tenant_id ..."),
]
CountBy = Annotated[
    str | None, typer.Option("--count-by", metavar="KEY", help="Count lines by a key instead.")
]
Since = Annotated[
    str, typer.Option("--since", metavar="WHEN", help="30m, 24h, 7d, today or ISO 8601.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="End of the window.")]
Limit = Annotated[int, typer.Option("--limit", help="Lines at most, the newest.")]


@edge
def logs(
    correlation_id: Id = None,
    file: File = None,
    level: Level = "debug",
    where: Where = None,
    count_by: CountBy = None,
    since: Since = "24h",
    until: Until = None,
    limit: Limit = 200,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show what was logged: the lines of one request with the rows that it left, or lines by level,
    message or any key.

    Examples:
      contextframe-monitoring logs --correlation-id 4bf92f3577b34da6a3ce929d0e0e4736
    """
    from contextframe_monitoring.core.queries import filters
    from contextframe_monitoring.core.windows import parse_window
    from contextframe_monitoring.logs.reading import LineQuery, count_lines
    from contextframe_monitoring.monitor import Monitor

    monitor = Monitor.open(settings(store, config, enabled=False))
    path = file or _configured(monitor.config.logging.file)
    window = parse_window(
        since, until, now_us=monitor.clock.now_us(), timezone=monitor.config.timezone
    )
    query = LineQuery(
        start_us=window.start_us,
        end_us=window.end_us + (1_000_000 if until is None else 0),  # logged while we ask
        correlation_id=correlation_id,
        level=level,
        where=filters(where or []),
        limit=limit,
    )
    if count_by is not None:
        _print_counts(count_lines(_needed(path), query, count_by), json=json)
    else:
        _show(path, query, _rows(monitor, correlation_id, window), json=json)


def _rows(monitor: Monitor, correlation_id: str | None, window: Window) -> list[dict[str, Any]]:
    """Return the stored rows of an id, what waits in the spools included."""
    if correlation_id is None:
        return []
    with contextlib.suppress(MonitoringError):  # one that can't be written is still read
        monitor.drain()
    return monitor.reports.correlated(correlation_id, window)


def _show(path: Path | None, query: LineQuery, rows: list[dict[str, Any]], *, json: bool) -> None:
    """Print lines and rows; without either the exit status says so."""
    from contextframe_monitoring.logs.reading import FoundLines, read_lines

    if path is None and query.correlation_id is not None:
        found = FoundLines(lines=[], matched=0, damaged=0)
        errors.print("no log file is configured ([logging] file): only rows", highlight=False)
    else:
        found = read_lines(_needed(path), query)
    if json:
        known = {"lines": found.lines, "matched": found.matched, "damaged": found.damaged}
        typer.echo(json_module.dumps({**known, "rows": rows}, indent=2))
    else:
        _print_found(found, rows)
    if not found.matched and not rows:
        errors.print("nothing was found in this window", highlight=False)
        raise typer.Exit(FINDING)


def _print_found(found: FoundLines, rows: list[dict[str, Any]]) -> None:
    for line in found.lines:
        _print(_line_text(line))
    for row in rows:
        _print(_row_text(row))
    if found.matched > len(found.lines):
        _print(f"{found.matched - len(found.lines):,} earlier lines: raise --limit")
    if found.damaged:
        _print(f"{found.damaged:,} damaged lines were left out")


def _configured(file: str | None) -> Path | None:
    return None if file is None else Path(file).expanduser().absolute()


def _needed(path: Path | None) -> Path:
    from contextframe_monitoring.core.errors import UnavailableError

    if path is None:
        hint = "set [logging] file, or name one with --file"
        raise UnavailableError(f"no log file is configured: {hint}")
    return path


def _print_counts(counts: dict[str, int], *, json: bool) -> None:
    if json:
        typer.echo(json_module.dumps(counts, indent=2))
        return
    for name, count in counts.items():
        _print(f"{count:>9,}  {name}")


def _line_text(line: dict[str, Any]) -> str:
    """Return a line for a person: its head, its fields, and below it the stack of an error."""
    context = line.get("context")
    fields = {k: v for k, v in line.items() if k not in {*_HEAD, *_ALWAYS, "context", "error"}}
    fields |= context if isinstance(context, dict) else {}
    said = " ".join(f"{key}={_value(value)}" for key, value in fields.items())
    head = f"{line.get('timestamp')} {line.get('level')!s:<8} {line.get('message')}  {said}"
    error = line.get("error")
    if not isinstance(error, dict):
        return head.rstrip()
    text = f": {error['message']}" if "message" in error else ""
    stack = [f"    {frame}" for frame in error.get("stack", [])]
    return "\n".join([head.rstrip(), f"    {error.get('type')}{text}", *stack])


def _row_text(row: dict[str, Any]) -> str:
    fields = (f"{k}={_value(v)}" for k, v in row.items() if k not in {"table", "time"})
    return f"{row['time']} {row['table']}  {' '.join(fields)}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json_module.dumps(value)


def _print(text: str) -> None:
    """Print what others wrote: no control character of it reaches the terminal."""
    shown = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
    console.print(shown, markup=False, highlight=False, soft_wrap=True)
