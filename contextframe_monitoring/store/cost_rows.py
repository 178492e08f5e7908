"""Cost facts read back from where they stand, one by one: for what corrects or extends them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.store.schemas import COST
from contextframe_monitoring.store.snapshot import Snapshot


def rows_of_source(
    snapshot: Snapshot, columns: Sequence[str], source: str, *, metadata_has: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the cost facts that came through one door, drained or not, as dictionaries.

    With `metadata_has`, only those whose metadata holds that text.
    """
    wanted = tuple(dict.fromkeys((*columns, "source", "metadata")))
    for batch in snapshot.batches(COST, wanted, None, None):
        mask = pc.equal(batch.column(wanted.index("source")).cast(pa.string()), source)
        if metadata_has is not None:
            metadata = batch.column(wanted.index("metadata"))
            mask = pc.and_(mask, pc.match_substring(metadata, metadata_has))
        yield from batch.filter(mask).to_pylist()
