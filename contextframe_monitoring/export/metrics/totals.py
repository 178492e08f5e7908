"""The totals of a store, read as they stand: what is drained is added up once, what waits in the
spools on top of it each time.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.export.metrics.costs import Costs
from contextframe_monitoring.export.metrics.group import Columns, Group, Limits
from contextframe_monitoring.export.metrics.instruments import Family
from contextframe_monitoring.export.metrics.internals import Internals
from contextframe_monitoring.export.metrics.operations import Operations
from contextframe_monitoring.export.metrics.usages import Usages
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store

EVERYTHING = "all"
GROUPS: dict[str, Callable[[Limits], Group]] = {
    "performance": Operations,
    "usage": Usages,
    "cost": Costs,
}
SUBJECTS = (EVERYTHING, *GROUPS)


class Totals:
    """Metric families over all rows of a store, or over a window of them.

    A second look reads only batches that were done since the first, so counters never go back
    while this object lives: neither by retention nor by compaction. A store whose batches start
    anew is a new store.
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

    def families(self, now_us: int) -> list[Family]:
        """Return every family that has a series now. Raises `StoreError`."""
        with self._lock:
            snapshot = Snapshot(self._store)
            self._read(snapshot)
            found = [f for group in self._with_fresh(snapshot) for f in group.families()]
            if self._with_internals:
                found += self._internals.families(self._store, snapshot, now_us)
            return found

    def _read(self, snapshot: Snapshot) -> None:
        """Add the batches that are new; all of them, or none when reading fails."""
        if snapshot.done < self._done:
            self._forget()
        if snapshot.done == self._done:
            return
        groups = [copy.deepcopy(group) for group in self._groups]
        for group in groups:
            for batch in snapshot.drained_rows(
                group.table, group.columns, *self._window, batch_after=self._done
            ):
                group.add(Columns(batch))
        self._groups, self._done = groups, snapshot.done

    def _with_fresh(self, snapshot: Snapshot) -> list[Group]:
        if not snapshot.waiting:
            return self._groups
        groups = [copy.deepcopy(group) for group in self._groups]
        for group in groups:
            for batch in snapshot.fresh_rows(group.table, group.columns, *self._window):
                group.add(Columns(batch))
        return groups
