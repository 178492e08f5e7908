"""A store that is filled as if it had been drained, folded and compacted for so long."""

from __future__ import annotations

import numpy as np

from contextframe_monitoring.bench import fleet
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.store.compaction import compact
from contextframe_monitoring.store.ledger import Ledger, Slice
from contextframe_monitoring.store.rollup import rollup_rows
from contextframe_monitoring.store.schemas import METRIC_TABLES, ROLLUP_1M, TABLES
from contextframe_monitoring.store.store import Store

_BATCHES_A_DAY = 4


def fill(store: Store, rows: int, days: int, start_us: int, seed: int = 1) -> None:
    """Fill an empty store with that many rows in each raw table, spread over whole days."""
    ledger, rng = Ledger(store.create()), np.random.default_rng(seed)
    batches = days * _BATCHES_A_DAY
    length_us = US_PER_DAY // _BATCHES_A_DAY
    for number in range(batches):
        count = rows * (number + 1) // batches - rows * number // batches
        begin_us = start_us + number * length_us
        end_us = begin_us + length_us
        slices = [Slice(writer="bench", first_seq=1, last_seq=1, frames=count)]
        batch = ledger.open_batch(slices, end_us)
        made = {
            table: fleet.rows(table, rng, count, begin_us, end_us, batch) for table in METRIC_TABLES
        }
        for table, found in {**made, ROLLUP_1M: rollup_rows(made, batch)}.items():
            store.tables.append(table, found)
        ledger.close_batch(batch, slices, end_us)
    settle(store)


def settle(store: Store) -> None:
    """Fold every level, then compact every table."""
    keeper = Keeper(store)
    if keeper.take():
        keeper.fold(at_once=True)
        for table in TABLES:
            compact(store.tables, table)
        keeper.release()
