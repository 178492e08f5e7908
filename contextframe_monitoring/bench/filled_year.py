"""A store that is filled as if a fleet had been watched for a year, by generated rollups.

Seven days are made of single events (`bench.fleet`) and folded as the keeper folds them; every day
of the year is one of the seven, moved to its place, in every table that reaches back so far. So
raw rows and all levels agree to the last event, as in a store that was really recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.bench import fleet
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.store.compaction import compact
from contextframe_monitoring.store.folds import Folds
from contextframe_monitoring.store.ledger import Ledger, Slice
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.merging import merged
from contextframe_monitoring.store.removals import Removals
from contextframe_monitoring.store.rollup import rollup_rows
from contextframe_monitoring.store.schemas import (
    METRIC_TABLES,
    ROLLUP_1D,
    ROLLUP_1H,
    ROLLUP_1M,
    ROLLUP_15M,
    SCHEMAS,
)
from contextframe_monitoring.store.store import Store
from contextframe_monitoring.store.tables import time_column

DAYS = 365
MADE_DAYS = 7
DAYS_KEPT = {
    **dict.fromkeys(METRIC_TABLES, 30),
    ROLLUP_1M: 2,
    ROLLUP_15M: 7,
    ROLLUP_1H: 31,
    ROLLUP_1D: 3_650,
}
"""How many of the last days a table holds. Of levels that is less than by default, for the sake of
the disk; a question of a year reads the days.
"""
_ROWS_PER_BATCH = 65_536
_SEQS_PER_DAY = 10_000_000


class Filled(NamedTuple):
    """What a store was filled with: events of all kinds, and one made day after another."""

    events: int
    start_us: int
    days: int
    made: list[dict[str, pa.Table]]


def fill_year(store: Store, events: int, start_us: int, days: int = DAYS) -> Filled:
    """Fill an empty store with about that many events, a third of each kind, from the beginning of
    a day on.
    """
    engine = store.create()
    a_day = max(events // days // len(METRIC_TABLES), 1)
    made = [_made(number, a_day, start_us) for number in range(min(MADE_DAYS, days))]
    filled = Filled(a_day * len(METRIC_TABLES) * days, start_us, days, made)
    end_us = start_us + days * US_PER_DAY
    ledger = Ledger(engine)
    for _day in range(days):
        slices = [Slice(writer="bench", first_seq=1, last_seq=1, frames=filled.events // days)]
        ledger.close_batch(ledger.open_batch(slices, end_us), slices, end_us)
    for table, kept in DAYS_KEPT.items():
        first = max(days - kept, 0)
        rows = pa.RecordBatchReader.from_batches(SCHEMAS[table], _days(filled, table, first))
        store.tables.append(table, rows)
        compact(store.tables, table)
        if first:
            Removals(engine).raise_cutoff(table, start_us + first * US_PER_DAY)
    for level in LEVELS[1:]:
        Folds(engine).advance(level.name, days, end_us)
    return filled


def _made(number: int, rows: int, start_us: int) -> dict[str, pa.Table]:
    """Return one day: the rows of every table, as if it were the first one."""
    rng = np.random.default_rng(number + 1)
    end_us = start_us + US_PER_DAY
    made = {table: fleet.rows(table, rng, rows, start_us, end_us, 1) for table in METRIC_TABLES}
    folded = rollup_rows(made, 1)
    made[ROLLUP_1M] = folded
    for level in LEVELS[1:]:
        folded = merged(folded.to_batches(), level.bucket_us, 1)
        made[level.table] = folded
    return made


def _days(filled: Filled, table: str, first: int) -> Iterator[pa.RecordBatch]:
    for day in range(first, filled.days):
        rows = filled.made[day % len(filled.made)][table]
        yield from moved(rows, table, day).to_batches(max_chunksize=_ROWS_PER_BATCH)


def moved(rows: pa.Table, table: str, day: int) -> pa.Table:
    """Return rows of the first day as those of another, recorded in a batch of its own."""
    size = rows.num_rows
    set_in: dict[str, Callable[[], pa.Array]] = {
        time_column(table): lambda: pc.add(
            rows[time_column(table)], pa.scalar(day * US_PER_DAY, pa.duration("us"))
        ),
        "batch": lambda: pa.array(np.full(size, day + 1)),
        "seq": lambda: pa.array(np.arange(size) + day * _SEQS_PER_DAY),
    }
    for name, column in set_in.items():
        place = rows.schema.get_field_index(name)
        if place >= 0:
            rows = rows.set_column(place, rows.schema.field(place), column())
    return rows
