"""`maintain`: retention, folds, compaction, indices, read check and cleanup, now."""

from __future__ import annotations

import json as json_module
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from contextframe_monitoring.cli.options import (
    ConfigOption,
    JsonOption,
    StoreOption,
    console,
    edge,
    settings,
)
from contextframe_monitoring.core.errors import StoreError, UnavailableError

if TYPE_CHECKING:
    from contextframe_monitoring.keeper import Keeper
    from contextframe_monitoring.store.store import Store

SILENT_SECONDS_MAX = 600.0
"""How long one step of another keeper may take before we give up on it."""
_POLL_SECONDS = 0.2


@edge
def maintain(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the rollups anew from raw rows first.")
    ] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Look after the tables now: retention, folds, compaction, read check, cleanup.

    The keeper does all of this by itself in time; a running one is asked, else we take its place.

    Examples:
      contextframe-monitoring maintain
      contextframe-monitoring maintain --rebuild
    """
    from contextframe_monitoring.keeper import keeper_of
    from contextframe_monitoring.store.maintenance import size_bytes
    from contextframe_monitoring.store.store import store_of

    found = settings(store, config)
    place = store_of(found)
    steps: list[str] = []

    def progress(step: str) -> None:
        steps.append(step)
        if not json:
            console.print(step, markup=False, highlight=False, soft_wrap=True)

    before = size_bytes(place.tables)
    keeper = keeper_of(place, found)
    kept_by_us = keeper.take()
    if kept_by_us:
        _ourselves(keeper, progress, rebuild=rebuild)
    else:
        _asked(place, keeper, progress, rebuild=rebuild)
    after = size_bytes(place.tables)
    if json:
        said = {
            "by": "this process" if kept_by_us else "the running keeper",
            "steps": steps,
            "bytes_before": before,
            "bytes_after": after,
        }
        typer.echo(json_module.dumps(said, indent=2))
    elif before is not None and after is not None:
        console.print(f"tables: {before:,} bytes before, {after:,} after", highlight=False)


def _ourselves(keeper: Keeper, progress: Callable[[str], None], *, rebuild: bool) -> None:
    try:
        keeper.maintain(progress, rebuild=rebuild)
    finally:
        keeper.release()


def _asked(store: Store, keeper: Keeper, progress: Callable[[str], None], *, rebuild: bool) -> None:
    """Have the running keeper do it; take its place when it ends. Raises `UnavailableError`."""
    from contextframe_monitoring.store.machine import SystemClock
    from contextframe_monitoring.store.requests import Requests

    requests = Requests(store.create())
    number = requests.ask(SystemClock().now_us(), rebuild=rebuild)
    told, silent_since = 0, time.monotonic()
    while (request := requests.look(number)) is not None and not request.finished:
        if request.steps > told:
            told, silent_since = request.steps, time.monotonic()
            progress(request.step)
        if time.monotonic() - silent_since > SILENT_SECONDS_MAX:
            raise UnavailableError(
                f"the keeper of {store.uri!r} has said nothing for {SILENT_SECONDS_MAX:.0f} s: "
                "is it of an older version, or stopped? end it and try again"
            )
        if keeper.take():  # the other one has ended
            _ourselves(keeper, progress, rebuild=rebuild)
            requests.finish(number, SystemClock().now_us())
            return
        time.sleep(_POLL_SECONDS)
    if request is not None and request.error is not None:
        raise StoreError(store.uri, f"maintenance failed ({request.error})", "run doctor")
