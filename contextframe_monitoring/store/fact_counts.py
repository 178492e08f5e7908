"""How many facts a row of costs adds.

Corrections are rows of their own. A row counts as one fact unless its metadata, the JSON that the
importers write, says `calls`: 0 for a growth, which adds cost and tokens but no fact, -1 for a
fact that is taken back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_CALLS = r'^\{"revision":[0-9]+,"calls":(?P<calls>0|-1)[,}]'
"""What only importers write: revision and calls, in this order, first in the object."""


def fact_counts(metadata: pa.DictionaryArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return how many facts each row adds; the JSON is looked at once per distinct text."""
    if metadata.null_count == len(metadata):
        return np.ones(len(metadata), np.int64)
    found = pc.extract_regex(metadata.dictionary, _CALLS)
    calls = pc.fill_null(pc.struct_field(found, "calls").cast(pa.int64()), 1)
    table = np.append(calls.to_numpy(zero_copy_only=False), 1)
    places = pc.fill_null(metadata.indices, len(table) - 1)
    facts: np.ndarray[Any, np.dtype[np.int64]] = table.take(places.to_numpy(zero_copy_only=False))
    return facts
