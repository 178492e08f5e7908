"""The totals of a store: every record is added up once, where it is seen first, in a spool or in a
table.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.export.metrics.costs import Costs
from contextframe_monitoring.export.metrics.group import Columns, Group, Limits
from contextframe_monitoring.export.metrics.instruments import Family
from contextframe_monitoring.export.metrics.internals import Internals
from contextframe_monitoring.export.metrics.operations import Operations
from contextframe_monitoring.export.metrics.series import places
from contextframe_monitoring.export.metrics.usages import Usages
from contextframe_monitoring.store.rows import Stored, rows
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store

EVERYTHING = "all"
GROUPS: dict[str, Callable[[Limits], Group]] = {
    "performance": Operations,
    "usage": Usages,
    "cost": Costs,
}
SUBJECTS = (EVERYTHING, *GROUPS)
_IDENTITY = ("writer", "seq")


class Totals:
    """Metric families over all rows of a store, or over a window of them.

    A second look reads only batches that were done since the first, without the records that were
    counted while they waited. So counters never go back while this object lives: neither by
    retention (which may take a late record before anybody looks again) nor by compaction. A store
    whose batches start anew is a new store.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        *,
        subject: str = EVERYTHING,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> None:
        """Nothing is read yet. Raises `InvalidError` for an unknown subject."""
        if subject not in SUBJECTS:
            raise InvalidError("subject", subject, f"expected one of {', '.join(SUBJECTS)}")
        self._store, self._limits = store, limits
        self._names: Sequence[str] = tuple(GROUPS) if subject == EVERYTHING else (subject,)
        self._window = (start_us, end_us)
        self._with_internals = subject == EVERYTHING
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._groups = [GROUPS[name](self._limits) for name in self._names]
        self._internals = Internals()
        self._done = 0
        self._ahead: dict[str, int] = {}

    def families(self, now_us: int) -> list[Family]:
        """Return every family that has a series now. Raises `StoreError`."""
        with self._lock:
            snapshot = Snapshot(self._store)
            self._read(snapshot)
            found = [f for group in self._groups for f in group.families()]
            if self._with_internals:
                found += self._internals.families(self._store, snapshot, now_us)
            return found

    def _read(self, snapshot: Snapshot) -> None:
        """Add the records that are new; all of them, or none when reading fails."""
        if snapshot.done < self._done:
            self._forget()
        fresh = rows([item for item in snapshot.waiting if self._is_new(item)], None)
        if snapshot.done > self._done or fresh:
            groups = copy.deepcopy(self._groups)
            for group in groups:
                for batch in self._drained(snapshot, group):
                    group.add(Columns(batch))
                if group.table in fresh:
                    for batch in fresh[group.table].to_batches():
                        group.add(Columns(batch))
            self._groups = groups
        self._done = snapshot.done
        self._ahead = {}
        for item in snapshot.waiting:
            self._ahead[item.writer] = max(self._ahead.get(item.writer, 0), item.seq)

    def _is_new(self, item: Stored) -> bool:
        start_us, end_us = self._window
        time_us = item.record.time_us
        return (
            item.seq > self._ahead.get(item.writer, 0)
            and (start_us is None or time_us >= start_us)
            and (end_us is None or time_us < end_us)
        )

    def _drained(self, snapshot: Snapshot, group: Group) -> Iterator[pa.RecordBatch]:
        """Yield what was drained since the last look, without what was counted then.

        In the order in which it was stored: who comes first gets a series or a name of its own,
        also after a restart.
        """
        columns = (*group.columns, *_IDENTITY)
        for batch in snapshot.drained_rows(
            group.table, columns, *self._window, batch_after=self._done, in_order=True
        ):
            yield _beyond(batch, self._ahead) if self._ahead else batch


def _beyond(batch: pa.RecordBatch, ahead: Mapping[str, int]) -> pa.RecordBatch:
    """Return the rows whose seq is above what `ahead` says of their writer."""
    at, used, writers = places(batch.column("writer"))
    counted = np.zeros(int(at.max(initial=0)) + 1, np.int64)
    counted[used] = [ahead.get(writer, 0) for writer in writers]
    return batch.filter(pa.array(batch.column("seq").to_numpy() > counted[at]))
