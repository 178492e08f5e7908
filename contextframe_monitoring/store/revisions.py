"""Which facts stand in the store, and at which revision: what an import asks after a crash."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.store.schemas import COST
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store


def stored_revisions(
    store: Store, fact_ids: Collection[str], revision_of: Callable[[str | None], int]
) -> dict[str, int]:
    """Return the highest revision of each of these facts that is stored, drained or not.

    `revision_of` reads it out of a row's metadata. Reads the whole cost table: it is asked only
    after an import was cut off.
    """
    wanted = pa.array(sorted(fact_ids), pa.string())
    found: dict[str, int] = {}
    for batch in Snapshot(store).batches(COST, ["fact_id", "metadata"], None, None):
        hits = batch.filter(pc.is_in(batch.column(0), value_set=wanted))
        facts, details = (column.to_pylist() for column in hits.columns)
        for fact_id, metadata in zip(facts, details, strict=True):
            found[fact_id] = max(found.get(fact_id, 0), revision_of(metadata))
    return found
