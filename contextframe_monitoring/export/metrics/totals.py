"""The totals of a store: every record is added up once, where it is seen first, in a spool or in a
table.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from contextframe_monitoring.core.clock import US_PER_SECOND
from contextframe_monitoring.core.errors import InvalidError, StoreError
from contextframe_monitoring.export.metrics.alert_families import alert_families
from contextframe_monitoring.export.metrics.costs import Costs
from contextframe_monitoring.export.metrics.group import Columns, Group, Limits
from contextframe_monitoring.export.metrics.instruments import Family
from contextframe_monitoring.export.metrics.internals import Internals
from contextframe_monitoring.export.metrics.operations import Operations
from contextframe_monitoring.export.metrics.saved import SavedTotals, packed, unpacked
from contextframe_monitoring.export.metrics.series import places
from contextframe_monitoring.export.metrics.target_families import target_families
from contextframe_monitoring.export.metrics.usages import Usages
from contextframe_monitoring.store.export_totals import KeptTotals, TotalsBook
from contextframe_monitoring.store.rows import Stored, rows
from contextframe_monitoring.store.schemas import PERFORMANCE
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store

EVERYTHING = "all"
GROUPS: dict[str, Callable[[Limits], Group]] = {
    "performance": Operations,
    "usage": Usages,
    "cost": Costs,
}
STATE_PARTS: tuple[Callable[[Store, int], Iterator[Family]], ...] = (
    target_families,
    alert_families,
)
"""What is shown as the state has it: each part reads one of its books at some
time, in microseconds.
"""
SUBJECTS = (EVERYTHING, *GROUPS)
_IDENTITY = ("writer", "seq")
SAVED_EVERY_US = 60 * US_PER_SECOND
"""How often totals are kept, beside when a series is new; what came since then is read again after
a restart.
"""


class Totals:
    """Metric families over all rows of a store, or over a window of them.

    A second look reads only batches that were done since the first, without the records that were
    counted while they waited. So counters never go back while this object lives: neither by
    retention (which may take a late record before anybody looks again) nor by compaction. A store
    whose batches start anew is a new store.

    Totals of everything may be `kept` in the state: then they go on where another process stopped,
    also for rows that have expired since, and begin anew only after a purge.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        *,
        subject: str = EVERYTHING,
        start_us: int | None = None,
        end_us: int | None = None,
        kept: bool = False,
    ) -> None:
        """Nothing is read yet. Raises `InvalidError` for an unknown subject."""
        if subject not in SUBJECTS:
            raise InvalidError("subject", subject, f"expected one of {', '.join(SUBJECTS)}")
        if kept and (subject != EVERYTHING or (start_us, end_us) != (None, None)):
            raise InvalidError("subject", subject, "only totals of everything can be kept")
        self._store, self.limits = store, limits
        self._names: Sequence[str] = tuple(GROUPS) if subject == EVERYTHING else (subject,)
        self._window = (start_us, end_us)
        self._with_internals = subject == EVERYTHING
        self._kept = kept
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._groups = [GROUPS[name](self.limits) for name in self._names]
        self._internals = Internals()
        self._done = 0
        self._ahead: dict[str, int] = {}
        self._joined, self._saved_us, self._saved_size = False, 0, 0
        self.since_us: int | None = None
        """When counting began; None before the first look."""

    def families(self, now_us: int) -> list[Family]:
        """Return every family that has a series now. Raises `StoreError`."""
        with self._lock:
            snapshot = self._look(now_us)
            return [*self._of_records(), *self._of_monitor(snapshot, now_us)]

    def of_records(self, now_us: int) -> list[Family]:
        """Return the families that are added up from records. Raises `StoreError`."""
        with self._lock:
            self._look(now_us)
            return self._of_records()

    def of_monitor(self, now_us: int) -> list[Family]:
        """Return the monitor's own families, if everything is wanted. Raises `StoreError`."""
        with self._lock:
            return self._of_monitor(Snapshot(self._store), now_us)

    def save(self, now_us: int) -> None:
        """Keep the totals as they stand now. Raises `StoreError`."""
        with self._lock:
            self._look(now_us, saved=True)

    def _of_records(self) -> list[Family]:
        return [family for group in self._groups for family in group.families()]

    def _of_monitor(self, snapshot: Snapshot, now_us: int) -> list[Family]:
        if not self._with_internals:
            return []
        found = list(self._internals.families(self._store, snapshot, now_us))
        return found + [family for part in STATE_PARTS for family in part(self._store, now_us)]

    def _look(self, now_us: int, *, saved: bool = False) -> Snapshot:
        """Add up what is new, from where kept totals end, and keep them when it is time to."""
        book = self._book() if self._kept else None
        snapshot = self._go_on(book, now_us)
        size = self._size()
        due = saved or size != self._saved_size or abs(now_us - self._saved_us) >= SAVED_EVERY_US
        if book is not None and due:
            self._saved_us, self._saved_size = now_us, size
            if not self._save(book):  # erased meanwhile, or begun by somebody else
                self._forget()
                snapshot = self._go_on(book, now_us)
        return snapshot

    def _go_on(self, book: TotalsBook | None, now_us: int) -> Snapshot:
        if self.since_us is None and book is not None:
            self._take_over(book)
            self._saved_us, self._saved_size = (now_us, self._size()) if self._joined else (0, 0)
        snapshot = Snapshot(self._store)
        self._read(snapshot)
        self.since_us = now_us if self.since_us is None else self.since_us
        return snapshot

    def _size(self) -> int:
        """Return how many series there are: who has got one keeps it, also after a restart."""
        parts = (part for group in self._groups for part in group.parts.values())
        return sum(len(part.series.label_sets) for part in parts)

    def _book(self) -> TotalsBook | None:
        engine = self._store.engine
        book = None if engine is None else TotalsBook(engine)
        return book or None

    def _take_over(self, book: TotalsBook) -> None:
        """Begin with what was kept. What can't be read is left alone, and nothing kept."""
        found = book.load()
        saved = None if found is None else unpacked(found.body)
        if found is None or saved is None:
            self._kept = found is None
            return
        self._done, self._ahead, self.since_us = found.batch, dict(saved.ahead), found.since_us
        self._joined = True
        for name, group in zip(self._names, self._groups, strict=True):
            for part_name, series in saved.groups.get(name, {}).items():
                part = group.part(part_name)
                if part is not None:
                    part.load(series)

    def _save(self, book: TotalsBook) -> bool:
        """Keep the totals; return False when they are not those that are counted here."""
        groups = {
            name: {part_name: part.save() for part_name, part in group.parts.items()}
            for name, group in zip(self._names, self._groups, strict=True)
        }
        body = packed(SavedTotals(ahead=self._ahead, groups=groups))
        kept = KeptTotals(since_us=self.since_us or 0, batch=self._done, body=body)
        with contextlib.suppress(StoreError):  # who may only read the state counts all the same
            done = book.advance(kept) if self._joined else book.begin(kept)
            self._joined = done
            return done
        return True

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
                if group.table in fresh and self._counts_waiting(group):
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
            counted = self._ahead if self._counts_waiting(group) else {}
            yield _beyond(batch, counted) if counted else batch

    def _counts_waiting(self, group: Group) -> bool:
        return not (self.limits.sampled and group.table == PERFORMANCE)


def _beyond(batch: pa.RecordBatch, ahead: Mapping[str, int]) -> pa.RecordBatch:
    """Return the rows whose seq is above what `ahead` says of their writer."""
    at, used, writers = places(batch.column("writer"))
    counted = np.zeros(int(at.max(initial=0)) + 1, np.int64)
    counted[used] = [ahead.get(writer, 0) for writer in writers]
    return batch.filter(pa.array(batch.column("seq").to_numpy() > counted[at]))


def added_up(store: Store, limits: Limits, after: int, upto: int) -> list[Family]:
    """Return what the records of the batches after one and up to another add up to.

    Raises `StoreError`.
    """
    found: list[Family] = []
    for make in GROUPS.values():
        group = make(limits)
        rows_of = store.tables.scan(
            group.table, group.columns, batch_after=after, batch_max=upto, in_order=True
        )
        for batch in rows_of:
            group.add(Columns(batch))
        found += group.families()
    return found


def remember(store: Store, limits: Limits, now_us: int) -> None:
    """Count all rows before some of them expire. Raises `StoreError`."""
    Totals(store, limits, kept=True).save(now_us)
