"""`purge`: erase what was recorded, by time, agent, session or all of it."""

from __future__ import annotations

import dataclasses
import json as json_module
import time
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
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError, StoreError
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.core.windows import iso, parse_window

if TYPE_CHECKING:
    from contextframe_monitoring.keeper import Keeper
    from contextframe_monitoring.store.purge import Purged
    from contextframe_monitoring.store.store import Store

WAIT_SECONDS = 12.0
"""How long another keeper may take to leave: `keep --until-idle` does after ten idle seconds."""
_POLL_SECONDS = 0.2

_SENTENCES = {
    "rollup_rows": "{:,} rows of the 1m rollups, and what they are part of",
    "rollup_hours": "the rollups of {:,} hour(s) are made anew",
    "rollup_hours_kept": "the rollups of {:,} hour(s) keep what was counted: they hold no session, "
    "and the rows to make them anew from have expired; --before reaches them",
    "waiting": "{:,} record(s) that were still in the spool",
    "frames_blotted": "{:,} drained record(s) of living processes",
    "quarantined": "{:,} damaged segment(s) kept aside",
    "quarantined_kept": "{:,} damaged segment(s) kept aside stay: no readable record in them is "
    "meant; --all removes them",
    "newer_segments": "{:,} segment(s) of a newer version stay: upgrade, purge again",
    "facts_forgotten": "{:,} imported fact(s) are forgotten: a transcript that is read again from "
    "its start counts again",
}
"""Figures of `Purged` in words, where they are not 0."""


@edge
def purge(
    before: Annotated[
        str | None,
        typer.Option(
            "--before", metavar="WHEN", help="Older than 30d, or before an ISO 8601 time."
        ),
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="ID", help="Records of this agent.")
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", metavar="ID", help="Records of this session.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every record.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Erase records: rows, rollups, old versions of the tables, spool and quarantine.

    What is gone can't be brought back; `verify` counts it as expired.
    Several options together mean records that meet all of them.

    Examples:
      contextframe-monitoring purge --before 90d --dry-run
      contextframe-monitoring purge --session 3f2a --yes
      contextframe-monitoring purge --all
    """
    from contextframe_monitoring.store.store import store_of

    found = settings(store, config)
    place = store_of(found)
    chosen = _whole(place, _selection(before, agent, session, found, everything=everything))
    plan = _counted(place, chosen)
    if dry_run:
        _show(chosen, plan, json=json, dry_run=True)
        return
    if not yes:
        _ask(chosen, plan, place.uri, json=json)
    keeper = _keeper(place, found)
    try:
        done = keeper.purge(chosen)
    finally:
        keeper.release()
    _show(chosen, done, json=json, dry_run=False)


def _ask(chosen: Selection, plan: Purged, store: str, *, json: bool) -> None:
    if json:
        raise InvalidError("--json", True, "with it, purge can't ask: add --yes or --dry-run")
    _show(chosen, plan, json=False, dry_run=True)
    if not typer.confirm(f"Erase this from {store} for good?"):
        console.print("nothing was changed")
        raise typer.Exit(FINDING)


def _selection(
    before: str | None,
    agent: str | None,
    session: str | None,
    config: MonitoringConfig,
    *,
    everything: bool,
) -> Selection:
    for name, value in (("--agent", agent), ("--session", session)):
        if value == "":
            raise InvalidError(name, value, "expected the id as reports show it")
    narrowed = (before, agent, session) != (None, None, None)
    if everything and narrowed:
        raise InvalidError("--all", True, "it stands alone: leave out --before, --agent, --session")
    if not everything and not narrowed:
        allowed = "name it with --before WHEN, --agent ID, --session ID or --all"
        raise InvalidError("what to erase", None, allowed)
    before_us = None if before is None else _moment(before, config.timezone)
    return Selection(before_us=before_us, agent_id=agent, session_id=session)


def _whole(store: Store, selection: Selection) -> Selection:
    from contextframe_monitoring.store.remaking import whole_buckets

    folds, removals = store.folds, store.removals
    kept = () if folds is None else folds.watermarks()
    return whole_buckets(selection, kept, {} if removals is None else removals.cutoffs())


def _moment(text: str, timezone: str) -> int:
    from contextframe_monitoring.store.machine import SystemClock

    try:
        return parse_window(text, now_us=SystemClock().now_us(), timezone=timezone).start_us
    except InvalidError as error:
        raise InvalidError("--before", text, error.allowed) from None


def _counted(store: Store, selection: Selection) -> Purged:
    """Count what a purge would take out, undrained frames included. Nothing is locked."""
    from contextframe_monitoring.store.purge import planned
    from contextframe_monitoring.store.snapshot import Snapshot

    snapshot = Snapshot(store)
    plan, _ = planned(store.tables, store.removals, store.spool_root, selection, snapshot.done)
    plan.waiting = sum(selection.matches(item.record) for item in snapshot.waiting)
    return plan


def _keeper(store: Store, config: MonitoringConfig) -> Keeper:
    """Become the store's keeper, waiting a while for another to leave. Raises `StoreError`."""
    from contextframe_monitoring.keeper import keeper_of

    keeper = keeper_of(store, config)
    deadline = time.monotonic() + WAIT_SECONDS
    said = False
    while not keeper.take():
        if time.monotonic() > deadline:
            raise StoreError(store.uri, f"{_who(store)} keeps it", "end that one and purge again")
        if not said:
            errors.print(f"{_who(store)} keeps this store; waiting", markup=False, highlight=False)
            said = True
        time.sleep(_POLL_SECONDS)
    return keeper


def _who(store: Store) -> str:
    states = store.ledger.keepers() if store.ledger is not None else []
    newest = max(states, key=lambda state: state.drained_us, default=None)
    return f"process {newest.pid} on {newest.host}" if newest else "another process"


def _show(selection: Selection, found: Purged, *, json: bool, dry_run: bool) -> None:
    notes = _notes(found)
    if json:
        said = {
            "dry_run": dry_run,
            "before": _iso(selection.before_us),
            "agent": selection.agent_id,
            "session": selection.session_id,
            **dataclasses.asdict(found),
            "notes": notes,
        }
        typer.echo(json_module.dumps(said, indent=2))
        return
    verb = "would take out" if dry_run else "took out"
    rows = ", ".join(f"{count:,} of {table}" for table, count in found.rows.items())
    lines = [f"{verb} {_words(selection)}: {sum(found.rows.values()):,} rows ({rows})", *notes]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _words(selection: Selection) -> str:
    parts: list[tuple[str, Any]] = [
        ("before", _iso(selection.before_us)),
        ("of agent", selection.agent_id),
        ("of session", selection.session_id),
    ]
    named = [f"{word} {value}" for word, value in parts if value is not None]
    return " ".join(["records", *named]) if named else "all records"


def _iso(time_us: int | None) -> str | None:
    return None if time_us is None else iso(time_us, "UTC")


def _notes(found: Purged) -> list[str]:
    """What else happens, or can't, in sentences."""
    counts = [(text, getattr(found, name)) for name, text in _SENTENCES.items()]
    return [f"- {text.format(count)}" for text, count in counts if count]
