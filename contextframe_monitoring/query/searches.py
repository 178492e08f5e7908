"""How the application searched: queries by type, and the most frequent ones by their hash.

A query's text is never stored: a row holds its hash, and its metadata may hold a `shape` without
literals. A query succeeded unless its outcome says something else than success.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.figures import added_up, measured, share
from contextframe_monitoring.core.privacy import bounded_text
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.reports import QueryTypeUse, QueryUse
from contextframe_monitoring.query.breakdown import shown
from contextframe_monitoring.query.documents import DOCUMENTS_MAX, largest
from contextframe_monitoring.query.folded import Folded, weights
from contextframe_monitoring.query.keys import ColumnKey
from contextframe_monitoring.query.labels import Labels
from contextframe_monitoring.query.means import Means
from contextframe_monitoring.query.source import Rows, RowSource
from contextframe_monitoring.query.sums import Counts
from contextframe_monitoring.store.schemas import USAGE

SEARCH_COLUMNS = ("operation", "resource_id", "value", "duration_ms", "outcome")
_SUCCESSES = frozenset({None, "success"})
_SHAPE_CHARS_MAX = 300


class Searches:
    """Counts queries."""

    def __init__(self, slow_ms: float) -> None:
        """A query that takes longer than `slow_ms` is slow."""
        self._slow_ms = slow_ms
        self._types = ColumnKey("operation")
        self._hashes = ColumnKey("resource_id", labels_max=DOCUMENTS_MAX)
        self._outcomes = Labels()
        self._by_type, self._slow, self._good, self._by_hash = (Counts() for _ in range(4))
        self._type_ms, self._type_results, self._hash_ms, self._hash_results = (
            Means() for _ in range(4)
        )
        self._is_folded = False

    def add(self, rows: Rows) -> None:
        """Add queries. Rollups don't say which ones."""
        types = self._types.codes(rows)
        count, stands = len(self._types.names()), weights(rows)
        outcomes = self._outcomes.codes(rows.labels("outcome"))
        is_good = np.array([name in _SUCCESSES for name in self._outcomes.names], np.bool_)
        good = is_good.take(outcomes)
        self._by_type.add(types, count, stands)
        self._good.add(types[good], count, None if stands is None else stands[good])
        if isinstance(rows, Folded):
            self._is_folded = True
            self._slow.add(types, count, rows.above(self._slow_ms))
            times, values = rows.integers("duration_count"), rows.integers("value_count")
            self._type_ms.add_sums(types, rows.floats("sum"), times, count)
            self._type_results.add_sums(types, rows.floats("value_sum"), values, count)
            return
        durations, results = rows.floats("duration_ms"), rows.floats("value")
        self._slow.add(types[durations > self._slow_ms], count)
        self._type_ms.add(types, durations, count)
        self._type_results.add(types, results, count)
        hashes = self._hashes.codes(rows)
        hash_count = len(self._hashes.names())
        self._by_hash.add(hashes, hash_count)
        self._hash_ms.add(hashes, durations, hash_count)
        self._hash_results.add(hashes, results, hash_count)

    def by_type(self) -> tuple[QueryTypeUse, ...]:
        """Return the queries of each type, most first."""
        names, counts = self._types.names(), self._by_type.values
        return tuple(
            QueryTypeUse(
                query_type=shown(names[place]),
                count=int(counts[place]),
                avg_duration_ms=measured(self._type_ms.mean(place)),
                total_results=added_up(self._type_results.sum(place)),
                avg_results=measured(self._type_results.mean(place)),
                success_rate=share(float(self._good.values[place] / counts[place])) or 0.0,
                slow=int(self._slow.values[place]),
            )
            for place in largest(counts, names)
        )

    def top(self, source: RowSource, query: ReportQuery) -> tuple[QueryUse, ...]:
        """Return the most frequent queries, none when they are not known of all; their shapes are
        looked up in the rows again.
        """
        if self._is_folded:
            return ()
        names, counts = self._hashes.names(), self._by_hash.values
        places = largest(counts, names)
        hashes = [name for name in (names[place] for place in places) if name is not None]
        shapes = _shapes(source, query, hashes)
        return tuple(
            QueryUse(
                query=shown(names[place]),
                count=int(counts[place]),
                avg_duration_ms=measured(self._hash_ms.mean(place)),
                avg_results=measured(self._hash_results.mean(place)),
                shape=shapes.get(names[place] or ""),
            )
            for place in places
        )


def _shapes(source: RowSource, query: ReportQuery, hashes: list[str]) -> dict[str, str]:
    """Return the shape of each query that has one; one row of each is looked at."""
    missing, found = set(hashes), dict[str, str]()
    for name, metadata in _metadata(source, query, hashes):
        if name not in missing:
            continue
        missing.discard(name)
        shape = _shape(metadata)
        if shape is not None:
            found[name] = bounded_text(shape, _SHAPE_CHARS_MAX)
        if not missing:
            break
    return found


def _metadata(
    source: RowSource, query: ReportQuery, hashes: list[str]
) -> Iterator[tuple[str, str]]:
    """Yield hash and metadata of one row of each query in each batch."""
    if not hashes:
        return
    window, wanted = query.window, pa.array(hashes, pa.string())
    columns = ("resource_id", "metadata")
    for batch in source.batches(USAGE, columns, window.start_us, window.end_us):
        ids = batch.column("resource_id")
        mask = pc.and_(pc.is_in(ids, value_set=wanted), batch.column("metadata").is_valid())
        encoded = ids.filter(mask).dictionary_encode()
        firsts = np.unique(encoded.indices.to_numpy(), return_index=True)[1]
        rows = batch.filter(mask).take(pa.array(firsts))
        yield from zip(
            rows.column("resource_id").to_pylist(),
            rows.column("metadata").to_pylist(),
            strict=True,
        )


def _shape(metadata: str) -> str | None:
    try:
        details: Any = json.loads(metadata)
    except ValueError:
        return None
    shape = details.get("shape") if isinstance(details, dict) else None
    return shape if isinstance(shape, str) else None
