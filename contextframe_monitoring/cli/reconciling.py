"""`reconcile`: a provider's bill against what we computed, per model and UTC day."""

from __future__ import annotations

import json as json_module
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from contextframe_monitoring.core.errors import InvalidError, NotFoundError, UnavailableError
from contextframe_monitoring.core.money import nano_usd
from contextframe_monitoring.core.sayings import usd

if TYPE_CHECKING:
    from contextframe_monitoring.core.bills import BillPage
    from contextframe_monitoring.core.reports.reconciliation import ReconciliationReport
    from contextframe_monitoring.monitor import Monitor

BILL_BYTES_MAX = 64 << 20
_PRIORITY = "Anthropic's cost report holds no Priority Tier cost"


@edge
def reconcile(
    bills: Annotated[
        list[Path], typer.Argument(metavar="BILL.json...", help="Pages of usage and cost reports.")
    ],
    tolerance: Annotated[
        str, typer.Option("--tolerance", metavar="USD", help="A smaller difference is none.")
    ] = "0.01",
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Compare a provider's bill with what was computed, per model and UTC day, and keep it.

    Takes the JSON of Anthropic's usage and cost reports and of OpenAI's usage and costs, all pages
    at once. The bill is stored, once, and never added to what was computed. Exit status 1 when a
    difference is above the tolerance.

    Examples:
      contextframe-monitoring reconcile cost-1.json cost-2.json usage.json
    """
    pages = _pages(bills)
    allowed = _dollars(tolerance)
    from contextframe_monitoring.monitor import Monitor
    from contextframe_monitoring.store.facts import IMPORT_LOCK
    from contextframe_monitoring.store.machine import FileLock

    with Monitor.open(settings(store, config), name="reconcile") as monitor:
        monitor.store.create()
        lock = FileLock(monitor.store.spool_root / IMPORT_LOCK)
        if not lock.acquire():
            raise UnavailableError("an import into this store is running: wait for its end")
        try:
            found = [
                _reconciled(monitor, provider, pages, allowed)
                for provider in sorted({page.provider for page in pages.values()})
            ]
        finally:
            lock.release()
        monitor.drain()
    if json:
        typer.echo(f"[{', '.join(report.json_text(indent=2) for report in found)}]")
    else:
        for report in found:
            _print(report)
    if any(report.findings for report in found):
        raise typer.Exit(FINDING)


def _reconciled(
    monitor: Monitor, provider: str, pages: dict[str, BillPage], tolerance_nano_usd: int
) -> ReconciliationReport:
    from contextframe_monitoring.core.bills import missing_pages
    from contextframe_monitoring.core.reconciliation import billed_by_place
    from contextframe_monitoring.ingest.bill_facts import store_bill
    from contextframe_monitoring.query.reconciling import reconciliation
    from contextframe_monitoring.store.snapshot import Snapshot

    ours = {name: page for name, page in pages.items() if page.provider == provider}
    notes = [f"{name} says that it has more: the next page is missing" for name in (
        missing_pages(ours)
    )]  # fmt: skip
    if provider == "anthropic" and any(page.kind == "cost" for page in ours.values()):
        notes.append(_PRIORITY)
    lines = [line for page in ours.values() for _, found in page.buckets for line in found]
    snapshot = Snapshot(monitor.store)
    stored = store_bill(snapshot, provider, billed_by_place(lines), monitor.recorder.record)
    return reconciliation(
        snapshot,
        provider,
        list(ours.values()),
        tolerance_nano_usd=tolerance_nano_usd,
        stored=stored,
        notes=notes,
    )


def _pages(paths: list[Path]) -> dict[str, BillPage]:
    """Read the files; what two of them say alike counts once."""
    from contextframe_monitoring.core.bills import read_page, without_repeats

    pages: dict[str, BillPage] = {}
    for path in paths:
        pages[str(path)] = read_page(_document(path), path.name)
    return without_repeats(pages)


def _document(path: Path) -> object:
    try:
        with path.open("rb") as file:
            data = file.read(BILL_BYTES_MAX + 1)
    except OSError as error:
        raise NotFoundError("bill", str(path), f"a readable file ({error.strerror})") from None
    if len(data) > BILL_BYTES_MAX:
        raise InvalidError(path.name, f"{len(data)} bytes", f"at most {BILL_BYTES_MAX}")
    try:
        found: object = json_module.loads(data, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise InvalidError(path.name, data[:40], f"expected JSON ({error})") from None
    return found


def _dollars(tolerance: str) -> int:
    try:
        return nano_usd(Decimal(tolerance), "--tolerance", minimum=0)
    except InvalidOperation:
        raise InvalidError("--tolerance", tolerance, "expected an amount of USD") from None


def _print(report: ReconciliationReport) -> None:
    console.print(
        f"{report.provider}: billed {usd(report.billed)}, computed {usd(report.computed)}, "
        f"difference {usd(report.difference)}; {report.findings} of {len(report.breakdown)} differ",
        highlight=False,
    )
    for note in report.notes:
        console.print(note, markup=False, highlight=False)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("day", "model", "billed", "computed", "difference", "why"):
        table.add_column(name, overflow="fold", no_wrap=name == "day")
    for row in report.breakdown:
        table.add_row(
            row.day,
            escape(row.model or "-"),
            usd(row.billed),
            usd(row.computed),
            "-" if row.difference is None else usd(row.difference),
            "" if row.within else escape(row.reason or "not explained"),
        )
    console.print(table)
