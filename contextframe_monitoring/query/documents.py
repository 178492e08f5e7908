"""How documents were used: which ones, by what operations, in which collections, found how well.

Click-through: a search hit counts as clicked when the same document is read within 30 minutes
after it (or at the same moment) in the same session; where rows have no session, by the same
agent. A read after the end of the window is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contextframe_monitoring.core.clock import US_PER_SECOND
from contextframe_monitoring.core.figures import share
from contextframe_monitoring.core.reports import (
    ClickThrough,
    CollectionUse,
    DocumentUse,
    OperationCount,
)
from contextframe_monitoring.query.breakdown import shown
from contextframe_monitoring.query.folded import weights
from contextframe_monitoring.query.grouping import Pairing, distinct
from contextframe_monitoring.query.keys import ColumnKey
from contextframe_monitoring.query.labels import Labels
from contextframe_monitoring.query.source import Integers, Rows
from contextframe_monitoring.query.sums import Counts, grown

CLICK_MINUTES = 30
TOP_MAX = 10
DOCUMENTS_MAX = 1_000_000
_CLICK_US = CLICK_MINUTES * 60 * US_PER_SECOND
_OPERATIONS = ("read", "search_hit", "update", "delete")
_READ, _HIT = 0, 1
_PLACES = 8
"""Operations share a cell number with the document: the four known ones, and one for the rest."""

DOCUMENT_COLUMNS = (
    "timestamp", "resource_id", "operation", "category", "session_id", "agent_id",
)  # fmt: skip


class Documents:
    """Counts accesses of documents."""

    def __init__(self, rows_max: int) -> None:
        """Above `rows_max` hits and reads the click-through is not known."""
        self._documents = ColumnKey("resource_id", labels_max=DOCUMENTS_MAX)
        self._operations, self._collections = Labels(), ColumnKey("category")
        self._uses, self._by_operation, self._by_collection = Counts(), Counts(), Counts()
        self._clicks = _Clicks(rows_max)
        self.total = 0
        self._is_folded = False

    def add(self, rows: Rows) -> None:
        """Add accesses of documents. Rollups don't say of which."""
        stands = weights(rows)
        self.total += len(rows) if stands is None else int(stands.sum())
        operations = self._operations.codes(rows.labels("operation"))
        self._by_operation.add(operations, len(self._operations), stands)
        collections = self._collections.codes(rows)
        self._by_collection.add(collections, len(self._collections.names()), stands)
        if rows.folded:
            self._is_folded = True
            return
        documents = self._documents.codes(rows)
        places = [
            _OPERATIONS.index(name) if name in _OPERATIONS else len(_OPERATIONS)
            for name in self._operations.names
        ]
        kinds = np.array(places, np.int64).take(operations)
        self._uses.add(documents * _PLACES + kinds, len(self._documents.names()) * _PLACES)
        self._clicks.add(rows, documents, kinds)

    def top(self) -> tuple[DocumentUse, ...]:
        """Return the documents that were used most; none when that is not known of all."""
        if self._is_folded:
            return ()
        names = self._documents.names()
        uses = grown(self._uses.values, len(names) * _PLACES).reshape(-1, _PLACES)
        totals = uses.sum(axis=1)
        found = []
        for document in largest(totals, names):
            reads, hits, updates, deletes = uses[document, : len(_OPERATIONS)].tolist()
            found.append(
                DocumentUse(
                    document=shown(names[document]),
                    count=int(totals[document]),
                    reads=reads,
                    search_hits=hits,
                    updates=updates,
                    deletes=deletes,
                )
            )
        return tuple(found)

    def accesses(self) -> tuple[OperationCount, ...]:
        """Return how often each operation was done."""
        names, counts = self._operations.names, self._by_operation.values
        return tuple(
            OperationCount(operation=shown(names[place]), count=int(counts[place]))
            for place in largest(counts, names)
        )

    def collections(self) -> tuple[CollectionUse, ...]:
        """Return how often each collection was used, most first; accesses without one aside."""
        names, counts = self._collections.names(), self._by_collection.values
        return tuple(
            CollectionUse(collection=shown(names[place]), count=int(counts[place]))
            for place in largest(counts, names)
            if names[place] is not None
        )

    def click_through(self) -> ClickThrough | None:
        """Return how many search hits were followed by a read; None when there were too
        many, or none were accessed.
        """
        return self._clicks.section() if self.total and not self._is_folded else None


def largest(counts: Integers, names: Sequence[str | None], top_max: int = TOP_MAX) -> list[int]:
    """Return the places of the largest counts above 0, equal ones by name."""
    some = np.flatnonzero(counts)
    if len(some) > top_max:
        least = np.partition(counts[some], -top_max)[-top_max]
        some = some[counts[some] >= least]
    order = sorted(some.tolist(), key=lambda place: (-counts[place], names[place] or ""))
    return order[:top_max]


class _Clicks:
    """Search hits and reads, to be matched when all of them are known."""

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._rows = 0
        self._sessions = ColumnKey("session_id", labels_max=DOCUMENTS_MAX)
        self._agents = ColumnKey("agent_id")
        self._pairs = Pairing(2 * DOCUMENTS_MAX)
        self._parts: list[tuple[Integers, Integers, Integers]] = []

    def add(self, rows: Rows, documents: Integers, kinds: Integers) -> None:
        wanted = np.flatnonzero(kinds <= _HIT)
        self._rows += len(wanted)
        if self._rows > self._rows_max:
            self._parts.clear()
            return
        actors = self._agents.codes(rows) * 2
        sessions = rows.known("session_id")
        in_session = self._sessions.codes(rows) * 2 + 1
        actors = in_session if sessions is None else np.where(sessions, in_session, actors)
        whose = self._pairs.codes(actors.take(wanted), documents.take(wanted))
        self._parts.append((whose, rows.times_us().take(wanted), kinds.take(wanted)))

    def section(self) -> ClickThrough | None:
        if self._rows > self._rows_max:
            return None
        whose, times, kinds = (
            np.concatenate([part[i] for part in self._parts] or [np.zeros(0, np.int64)])
            for i in range(3)
        )
        hits, reads = kinds == _HIT, kinds == _READ
        clicked = _followed(whose[hits], times[hits], whose[reads], times[reads])
        found = int(np.count_nonzero(hits))
        return ClickThrough(
            search_hits=found,
            clicked=clicked,
            rate=share(clicked / found) if found else None,
            within_minutes=CLICK_MINUTES,
        )


def _followed(
    hit_keys: Integers, hit_times: Integers, read_keys: Integers, read_times: Integers
) -> int:
    """Return how many hits have a read with the same key within the click time after them."""
    if not len(hit_keys) or not len(read_keys):
        return 0
    moments = distinct(read_times)
    room = len(moments) + 1
    reads = read_keys * room + np.searchsorted(moments, read_times)
    order = np.argsort(reads)
    wanted = hit_keys * room + np.searchsorted(moments, hit_times)
    place = np.minimum(np.searchsorted(reads[order], wanted), len(reads) - 1)
    first = order[place]
    same = read_keys[first] == hit_keys
    waited = read_times[first] - hit_times
    return int(np.count_nonzero(same & (waited >= 0) & (waited <= _CLICK_US)))
