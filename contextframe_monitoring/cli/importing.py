"""`import`: local transcripts of coding agents become cost facts, each counted once."""

from __future__ import annotations

import json as json_module
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contextframe_monitoring.cli.options import (
    ConfigOption,
    JsonOption,
    StoreOption,
    console,
    edge,
    errors,
    settings,
)
from contextframe_monitoring.core.errors import InvalidError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from contextframe_monitoring.ingest.transcripts.import_report import ImportReport, Progress
    from contextframe_monitoring.ingest.transcripts.importer import Importer
    from contextframe_monitoring.monitor import Monitor
    from contextframe_monitoring.store.machine import FileLock

SOURCES = ("claude-code", "codex")
_WATCH_SECONDS = 5.0
_LOCK_SECONDS = 0.1


@edge
def import_transcripts(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="claude-code or codex.")],
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Folders or files.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on importing what is new.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Import what local coding agents spent, from their transcripts on this machine.

    Only usage fields are read; prompts and results are never stored. Import as often as you like:
    each call counts once.

    Examples:
      contextframe-monitoring import claude-code
      contextframe-monitoring import codex ~/.codex/sessions --watch
    """
    from contextframe_monitoring.monitor import Monitor
    from contextframe_monitoring.store.facts import IMPORT_LOCK
    from contextframe_monitoring.store.machine import FileLock

    with Monitor.open(settings(store, config), name=source) as monitor:
        monitor.store.create()
        lock = FileLock(monitor.store.spool_root / IMPORT_LOCK)
        if not lock.acquire():
            raise UnavailableError("another import into this store is running: wait for its end")
        try:
            importer = _importer(monitor, source, paths or [])
            _run(importer, monitor, lock, watch=watch, json=json)
        finally:
            lock.release()


def _importer(monitor: Monitor, source: str, paths: list[Path]) -> Importer:
    from contextframe_monitoring.ingest.transcripts import claude_code, codex
    from contextframe_monitoring.ingest.transcripts.books import open_books
    from contextframe_monitoring.ingest.transcripts.importer import Importer

    known = {
        "claude-code": (claude_code.CLAUDE_CODE, claude_code.default_folders),
        "codex": (codex.CODEX, codex.default_folders),
    }
    if source not in known:
        raise InvalidError("SOURCE", source, f"expected one of {', '.join(SOURCES)}")
    dialect, default_folders = known[source]
    for path in paths:
        if not path.exists():
            raise NotFoundError("PATH", str(path), "name a folder of transcripts, or a file")
    catalogue = monitor.cost.open_catalogue()
    books = open_books(monitor.store, catalogue, monitor.recorder.record)
    return Importer(dialect, paths or default_folders(os.environ, Path.home()), books)


def _run(importer: Importer, monitor: Monitor, lock: FileLock, *, watch: bool, json: bool) -> None:
    from rich.progress import Progress as Bar

    from contextframe_monitoring.ingest.transcripts.watch import watch as watched

    def wait() -> bool:
        monitor.drain()
        if watch:
            lock.release()  # telemetry comes in meanwhile
            time.sleep(_WATCH_SECONDS)
            while not lock.acquire():
                time.sleep(_LOCK_SECONDS)
        return watch

    with Bar(console=errors, transient=True, disable=json) as bar:
        task = bar.add_task("transcripts", total=None)

        def show(progress: Progress) -> None:
            bar.update(task, total=progress.bytes_total, completed=progress.bytes_done)

        for report in watched(importer, wait, show):
            _print(report, json=json)


def _print(report: ImportReport, *, json: bool) -> None:
    from contextframe_monitoring.core.money import usd
    from contextframe_monitoring.core.sayings import count

    if json:
        typer.echo(json_module.dumps(_as_json(report), indent=2))
        return
    console.print(
        f"{report.source}: {count(report.calls, 'new call')} for ${usd(report.amount_nano_usd):f} "
        f"({report.tokens:,} tokens) in {count(report.files_read, 'file')} of {report.files}",
        highlight=False,
    )
    for model, calls in report.unpriced.most_common():
        console.print(f"not in it, price unknown: {model} ({calls})", markup=False)
    for line in report.skipped:
        console.print(f"skipped {line.file}:{line.line}: {line.reason}", markup=False)
    for place in report.unreadable:
        console.print(f"can't be read: {place}", markup=False)


def _as_json(report: ImportReport) -> dict[str, Any]:
    return {
        "source": report.source,
        "files": report.files,
        "files_read": report.files_read,
        "lines": report.lines,
        "calls": report.calls,
        "tokens": report.tokens,
        "amount_nano_usd": report.amount_nano_usd,
        "unpriced": dict(report.unpriced),
        "unfinished": report.unfinished,
        "skipped_lines": report.skipped_lines,
        "skipped": [
            {"file": line.file, "line": line.line, "reason": line.reason} for line in report.skipped
        ],
        "unreadable": report.unreadable,
    }
