"""How many operations ran at once, and over how many connections."""

from __future__ import annotations

import numpy as np

from contextframe_monitoring.query.grouping import Grouping
from contextframe_monitoring.query.keys import ColumnKey
from contextframe_monitoring.query.source import Floats, Integers, Rows

SESSIONS_MAX = 500_000
_LASTED_US_MAX = 2**53


class ActivePeak:
    """The largest number of operations that ran at the same time.

    An operation runs from its start for its duration, at least a microsecond; one that ends when
    another starts does not overlap it. What started before the window is not seen.
    """

    def __init__(self, rows_max: int) -> None:
        """Above `rows_max` operations the peak is not known."""
        self._rows_max = rows_max
        self._rows = 0
        self._edges: list[Integers] = []

    def add(self, starts_us: Integers, durations_ms: Floats) -> None:
        """Add operations; durations are finite."""
        self._rows += len(starts_us)
        if self._rows > self._rows_max:
            self._edges.clear()
            return
        lasted = np.clip(durations_ms * 1_000, 1, _LASTED_US_MAX).astype(np.int64)
        self._edges += [starts_us * 2 + 1, (starts_us + lasted) * 2]

    def peak(self) -> int | None:
        """Return the peak, 0 without operations, None when there were too many."""
        if self._rows > self._rows_max:
            return None
        if not self._rows:
            return 0
        edges = np.concatenate(self._edges)
        edges.sort()  # an end is even, so that it comes before a start of the same moment
        steps = (edges & 1) * 2 - 1
        return int(np.cumsum(steps, out=steps).max())


class Connections:
    """Distinct sessions of distinct writers; rows without a session are one of their writer."""

    columns = ("writer", "session_id")

    def __init__(self, sessions_max: int = SESSIONS_MAX) -> None:
        """Above `sessions_max` sessions the number is not known."""
        self._session = ColumnKey("session_id", labels_max=sessions_max)
        self._pairs = Grouping([ColumnKey("writer"), self._session], 4 * sessions_max)
        self._sessions_max = sessions_max

    def add(self, rows: Rows) -> None:
        """Add the rows of a batch."""
        if len(self._session.names()) <= self._sessions_max:
            self._pairs.codes(rows)

    def count(self) -> int | None:
        """Return the number of connections, None when there were too many sessions."""
        return len(self._pairs) if len(self._session.names()) <= self._sessions_max else None
