"""Compaction: many small fragments become few, in one commit, their labels' dictionaries built
anew.

Lance's own compaction joins the dictionaries of labels as they are, so files grow with the number
of fragments that were ever merged. Here what stays is read and encoded anew (`store.erasure`).
Which fragments: the newest ones, as long as they are small, and older ones once there are `FAN` of
about their size, so that a row is written about log(rows of the table / rows of a commit, `FAN`)
times; and those that have lost many of their rows.

Rollup rows of one bucket and one group become one row on the way, where no reader tells them apart
any more: those of batches that the next coarser level held `LAG_US` ago. That this happens is noted
first (`Folds.note_merged`), so a reader that looked even before that asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from contextframe_monitoring.core.grouping import DEFAULT_GROUPING, Grouping
from contextframe_monitoring.store.cardinality import Bound
from contextframe_monitoring.store.erasure import exchange, relabelled
from contextframe_monitoring.store.folding import spans_of
from contextframe_monitoring.store.folds import Folds
from contextframe_monitoring.store.levels import LEVELS, Level, coarser
from contextframe_monitoring.store.merging import merged
from contextframe_monitoring.store.tables import (
    ROWS_PER_FRAGMENT,
    VERSIONS_KEPT_MINUTES,
    Tables,
    time_literal,
)

FAN = 8
ROWS_OF_SMALL = 512
"""Fragments with fewer rows are always merged."""
DELETED_SHARE_MAX = 0.25
LAG_US = VERSIONS_KEPT_MINUTES * 60_000_000
_ROWS_MAX = ROWS_PER_FRAGMENT // 2
_ROWS_PER_BATCH = 65_536


Checkpoint = Callable[[str], None]


def _go_on(_step: str) -> None:
    """Only fault tests stop at a step."""


def compact(tables: Tables, name: str, checkpoint: Checkpoint = _go_on) -> None:
    """Merge the fragments of a table that should be one, refresh the indices, check that what was
    written can be read, and only then drop old versions. Raises `StoreError`.
    """
    dataset = tables.dataset(name)
    if dataset is None:
        return
    with tables.explained(name, "compacted"):
        chosen = _chosen(dataset)
        if chosen:
            rows = dataset.scanner(
                fragments=chosen, scan_in_order=True, batch_size=_ROWS_PER_BATCH
            ).to_batches()
            fresh = (relabelled(batch, dataset.schema) for batch in rows if batch.num_rows)
            exchange(tables, name, dataset, chosen, fresh, checkpoint)
            checkpoint(f"compact:committed:{name}")
    tables.settle(name)
    checkpoint(f"compact:done:{name}")


def consolidate(
    tables: Tables,
    folds: Folds,
    level: Level,
    upto: int,
    grouping: Grouping = DEFAULT_GROUPING,
    checkpoint: Checkpoint = _go_on,
) -> None:
    """Compact a level, and merge its rows of batches up to `upto`. Raises `StoreError`."""
    dataset = tables.dataset(level.table)
    if dataset is None:
        return
    with tables.explained(level.table, "compacted"):
        chosen = _chosen(dataset)
        if chosen:
            folds.note_merged({level.table: upto})
            fresh = _merged(dataset, chosen, level, upto, Bound(grouping.groups_max))
            exchange(tables, level.table, dataset, chosen, fresh, checkpoint)
            checkpoint(f"compact:committed:{level.table}")
    tables.settle(level.table)
    checkpoint(f"compact:done:{level.table}")


def mergeable(folds: Folds, levels: Sequence[Level], level: Level, now_us: int) -> int:
    """Return up to which batch rows of a level can be merged: no reader needs them apart. `levels`
    are the ones that are kept.
    """
    above = next((other for other in coarser(level) if other in levels), level)
    return 0 if above is LEVELS[0] else folds.settled(above.name, now_us - LAG_US)


def small_ones(sizes: Sequence[int], rows_of_small: int) -> int:
    """Return from which fragment on fragments should become one; their number when none should.

    `sizes` are their rows, the oldest first.
    """
    start = _run(sizes, len(sizes), rows_of_small)
    if len(sizes) - start < 2:
        start = len(sizes)
    limit = rows_of_small
    while limit < _ROWS_MAX:
        run = _run(sizes, start, min(limit * FAN, _ROWS_MAX))
        mates = sum(size >= limit for size in sizes[run:start])
        if mates + (sum(sizes[start:]) >= limit) >= FAN:
            start = run
        limit *= FAN
    return start


def _run(sizes: Sequence[int], end: int, limit: int) -> int:
    """Return where the fragments before `end` begin that all have fewer rows than `limit`."""
    while end and sizes[end - 1] < limit:
        end -= 1
    return end


def _chosen(dataset: Any) -> list[Any]:
    fragments = dataset.get_fragments()
    gone = [fragment.num_deletions for fragment in fragments]
    rows = [fragment.metadata.physical_rows for fragment in fragments]
    left = [size - deleted for size, deleted in zip(rows, gone, strict=True)]
    start = small_ones(left, ROWS_OF_SMALL)
    return [
        fragment
        for number, fragment in enumerate(fragments)
        if number >= start or gone[number] > DELETED_SHARE_MAX * rows[number]
    ]


def _merged(
    dataset: Any, chosen: list[Any], level: Level, upto: int, bound: Bound
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of these fragments, those of batches up to `upto` merged, the others as they
    are.
    """

    def rows(where: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        found: Iterator[pa.RecordBatch] = dataset.scanner(
            fragments=chosen, filter=where, columns=columns, batch_size=_ROWS_PER_BATCH
        ).to_batches()
        return found

    old = f"batch <= {upto}"
    for start, end in spans_of(rows(old, ["bucket"]), level.bucket_us):
        within = f"bucket >= {time_literal(start)} AND bucket < {time_literal(end)}"
        mine = rows(f"{old} AND {within}")
        yield from merged(mine, level.bucket_us, upto, bound).to_batches()
    for batch in rows(f"batch > {upto}"):
        if batch.num_rows:
            yield relabelled(batch, dataset.schema)
