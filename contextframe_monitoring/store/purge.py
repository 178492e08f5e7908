"""Purge: what a person wants gone is erased wherever it stands, and counted, so that `verify` stays
true.

The order, by the names that `checkpoint` is called with: everything is written down in one
transaction (`purge`) -> each table loses its rows in one commit (`erased:<table>`) -> older
versions are dropped (`versions`) -> the removal is closed (`closed`) -> frames that living writers
still hold are blotted out (`spool`) -> segments in quarantine go (`quarantine`). Whoever keeps the
store after a crash finishes up to `closed`; a purge of the same again does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from contextframe_monitoring.core.grouping import DEFAULT_GROUPING, Grouping
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.store.clearing import (
    finish_removals,
    row_counts,
)
from contextframe_monitoring.store.conditions import condition
from contextframe_monitoring.store.ledger import Ledger
from contextframe_monitoring.store.remaking import HOUR_US, selected_hours
from contextframe_monitoring.store.removals import PURGE, Removal, Removals
from contextframe_monitoring.store.rows import decode
from contextframe_monitoring.store.schemas import RAW_TABLES, ROLLUP_1M, ROLLUP_TABLES
from contextframe_monitoring.store.spool.blotting import blot
from contextframe_monitoring.store.spool.reader import (
    QUARANTINE,
    SegmentView,
    read_segment,
    read_spool,
)
from contextframe_monitoring.store.tables import Tables


@dataclass(slots=True, kw_only=True)
class Purged:
    """What a purge took out, or would take out: rows by table, frames, files.

    `rollup_rows` are those of the 1m level, None where they are made anew instead of taken out, for
    `rollup_hours` hours. `rollup_hours_kept` are hours whose rollups can't be made anew.
    `waiting` frames were drained first; `frames_blotted` stood in segments that living writers
    hold; `newer_segments` were written by a newer program and stay. `facts_forgotten` are facts of
    imported transcripts.
    """

    rows: dict[str, int] = field(default_factory=dict)
    rollup_rows: int | None = None
    rollup_hours: int = 0
    rollup_hours_kept: int = 0
    waiting: int = 0
    frames_blotted: int = 0
    quarantined: int = 0
    quarantined_kept: int = 0
    newer_segments: int = 0
    facts_forgotten: int = 0


def planned(
    tables: Tables, removals: Removals | None, spool: Path, selection: Selection, done: int
) -> tuple[Purged, list[Removal]]:
    """Return what a purge of rows of batches up to `done` takes out, and how it is written down.

    Nothing is changed. Frames in the spool are not in it.
    """
    since = removals.raw_cutoff_us() if removals is not None else 0
    counts = {name: row_counts(tables, name, selection, done) for name in RAW_TABLES}
    found = Purged(rows={name: sum(by_writer.values()) for name, by_writer in counts.items()})
    hours: list[int] = []
    if selection.session_id is None:
        found.rollup_rows = tables.count(ROLLUP_1M, condition(ROLLUP_1M, selection, done))
    else:
        selected = selected_hours(tables, selection, done)
        hours = [hour for hour in selected if hour + HOUR_US > since]
        found.rollup_hours = len(hours)
        found.rollup_hours_kept = len(selected) - len(hours)
    aside = list(_quarantined(spool, selection))
    found.quarantined = sum(meant for _, meant in aside)
    found.quarantined_kept = len(aside) - found.quarantined
    written = [_removal(name, selection, done, counts=counts[name]) for name in RAW_TABLES]
    written += [_removal(name, selection, done, hours=hours) for name in ROLLUP_TABLES]
    return found, written


def _removal(
    table: str,
    selection: Selection,
    batch: int,
    *,
    counts: Mapping[str, int] | None = None,
    hours: Sequence[int] = (),
) -> Removal:
    return Removal(
        table=table,
        selection=selection,
        batch=batch,
        reason=PURGE,
        counts=counts or {},
        hours=hours,
    )


def purge(
    tables: Tables,
    ledger: Ledger,
    removals: Removals,
    spool: Path,
    selection: Selection,
    checkpoint: Callable[[str], None],
    grouping: Grouping = DEFAULT_GROUPING,
) -> Purged:
    """Erase what is selected of drained records. Only the holder of the keeper's lock may do it,
    after it has drained. The time of the selection lies where a bucket of the rollups begins.
    Raises `StoreError`.
    """
    finish_removals(tables, removals, checkpoint, grouping=grouping)
    done, drained = ledger.position()
    found, written = planned(tables, removals, spool, selection, done)
    removals.open(*written)
    checkpoint("purge")
    finish_removals(tables, removals, checkpoint, grouping=grouping)
    for writer in read_spool(spool):
        for segment in writer.segments:
            found.newer_segments += segment.newer
            found.frames_blotted += blot(
                segment, drained.get(writer.writer, 0), lambda data: _selects(selection, data)
            )
    checkpoint("spool")
    gone = [path for path, meant in _quarantined(spool, selection) if meant]
    for path in gone:
        path.unlink(missing_ok=True)
    ledger.empty_quarantine([path.name for path in gone])
    checkpoint("quarantine")
    return found


def _selects(selection: Selection, data: bytes) -> bool:
    try:
        return selection.matches(decode(data))
    except msgspec.MsgspecError:
        return selection.is_everything


def _quarantined(spool: Path, selection: Selection) -> Iterator[tuple[Path, bool]]:
    """Yield each segment in quarantine, and whether it goes: when any record in it is selected,
    or all are, or it is old enough as a whole.
    """
    for path in sorted((spool / QUARANTINE).glob("*")):
        segment = read_segment(path, live=False)
        if segment is not None:
            yield path, selection.is_everything or _concerns(segment, selection)


def _concerns(segment: SegmentView, selection: Selection) -> bool:
    if any(_selects(selection, frame.record) for frame in segment.frames()):
        return True
    header = segment.header
    return (
        header is not None
        and not segment.newer
        and selection.is_time_only
        and header.created_us < (selection.before_us or 0)
    )
