"""`prices reprice`: what has no price yet, or another one now, is priced again."""

from __future__ import annotations

import contextlib
import json as json_module
from typing import TYPE_CHECKING, Any

import typer

from contextframe_monitoring.cli.options import (
    FINDING,
    ConfigOption,
    JsonOption,
    StoreOption,
    console,
    edge,
    settings,
)
from contextframe_monitoring.core.errors import MonitoringError, UnavailableError
from contextframe_monitoring.core.money import usd

if TYPE_CHECKING:
    from contextframe_monitoring.core.reports import UnknownCost
    from contextframe_monitoring.ingest.repricing import Repricing
    from contextframe_monitoring.monitor import Monitor

_EVER = "3650d"
"""The longest window that a report takes, about: raw rows don't live longer."""


@edge
def reprice(
    store: StoreOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Price the facts of the store again with the prices of now, each at its own date.

    What changed is recorded as a difference; history stays. Exit status 1 while something has no
    price.

    Examples:
      contextframe-monitoring prices reprice
    """
    from contextframe_monitoring.monitor import Monitor
    from contextframe_monitoring.store.facts import IMPORT_LOCK
    from contextframe_monitoring.store.machine import FileLock

    with Monitor.open(settings(store, config), name="prices") as monitor:
        monitor.store.create()
        lock = FileLock(monitor.store.spool_root / IMPORT_LOCK)
        if not lock.acquire():
            raise UnavailableError("an import into this store is running: wait for its end")
        try:
            done = _repriced(monitor)
        finally:
            lock.release()
        monitor.drain()
    unknown = unknown_cost(store, config)
    _print(done, unknown, json=json)
    if unknown.count:
        raise typer.Exit(FINDING)


def _repriced(monitor: Monitor) -> Repricing:
    """Price again what stands in the table, and what stands in the books of the imports."""
    from contextframe_monitoring.ingest.repricing import reprice_facts
    from contextframe_monitoring.ingest.transcripts.books import open_books
    from contextframe_monitoring.store.snapshot import Snapshot

    catalogue, record = monitor.cost.open_catalogue(), monitor.recorder.record
    done = reprice_facts(Snapshot(monitor.store), catalogue, record)
    for page in open_books(monitor.store, catalogue, record).reprice():
        done.changed += len({one.fact_id for one in page})
        done.change_nano_usd += sum(one.amount_nano_usd or 0 for one in page)
    return done


def unknown_cost(store: str | None, config: str | None) -> UnknownCost:
    """Return what in the whole store has no price: the most frequent models with their tokens."""
    from contextframe_monitoring.monitor import Monitor

    monitor = Monitor.open(settings(store, config, enabled=False))
    with contextlib.suppress(MonitoringError):  # one that can't be written is still read
        monitor.drain()
    return monitor.reports.cost(monitor.reports.question("cost", since=_EVER)).unknown


def print_unknown(unknown: UnknownCost) -> None:
    """Print what has no price, a line for each model."""
    if not unknown.count:
        console.print("everything in the store has a price", highlight=False)
    for row in unknown.models:
        tokens = sum(row.tokens.model_dump().values()) - row.tokens.reasoning_tokens
        console.print(
            f"no price: {row.provider} {row.model}: {row.count:,} facts, {tokens:,} tokens",
            markup=False,
            highlight=False,
        )


def _print(done: Repricing, unknown: UnknownCost, *, json: bool) -> None:
    if json:
        found: dict[str, Any] = {"changed": done.changed, "change": _PLACE}
        found["unknown"] = unknown.model_dump()
        text = json_module.dumps(found, indent=2)
        typer.echo(text.replace(f'"{_PLACE}"', f"{usd(done.change_nano_usd):f}"))
        return
    console.print(
        f"{done.changed:,} facts have another cost now, ${usd(done.change_nano_usd):f} together",
        highlight=False,
    )
    print_unknown(unknown)


_PLACE = "amount"
"""Stands for the exact decimal, which json can't write."""
