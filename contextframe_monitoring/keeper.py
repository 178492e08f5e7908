"""The keeper: the one process per store that drains the spools and looks after the tables.

It lives inside `serve`, as `keep`, and on demand. Everything here blocks: it runs in a thread of
its own or in a process of its own.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contextframe_monitoring.alerts.keeping import alert_duties
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import MonitoringError, StoreError
from contextframe_monitoring.core.grouping import DEFAULT_GROUPING, Grouping
from contextframe_monitoring.core.retention_settings import RetentionSettings, days_by_table
from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.core.trusted_time import TrustedTime
from contextframe_monitoring.duties import Duties, Duty
from contextframe_monitoring.export.keeping import counted_before, export_duties
from contextframe_monitoring.ingest.transcripts.forgetting import forget
from contextframe_monitoring.store.alert_book import AlertBook
from contextframe_monitoring.store.archive import Archive
from contextframe_monitoring.store.clearing import finish_removals
from contextframe_monitoring.store.drain import FRAMES_PER_BATCH_MAX, Drain, no_checkpoint
from contextframe_monitoring.store.export_totals import TotalsBook
from contextframe_monitoring.store.folds import Folds
from contextframe_monitoring.store.ledger import KeeperState, Ledger
from contextframe_monitoring.store.levels import LEVELS, Level, wanted
from contextframe_monitoring.store.machine import FileLock, SystemClock
from contextframe_monitoring.store.maintenance import Maintenance, Wishes, no_expiry
from contextframe_monitoring.store.notification_erasure import erase_notifications
from contextframe_monitoring.store.purge import Purged, purge
from contextframe_monitoring.store.remaking import whole_buckets
from contextframe_monitoring.store.removals import Removals
from contextframe_monitoring.store.repair import repair
from contextframe_monitoring.store.requests import Requests
from contextframe_monitoring.store.sampling import ALL_ROWS, Sampling
from contextframe_monitoring.store.schemas import TABLES
from contextframe_monitoring.store.spool.writer import KEEPER_LOCK
from contextframe_monitoring.store.state import forget_traces
from contextframe_monitoring.store.store import Store

if TYPE_CHECKING:
    from sqlalchemy import Engine

TICK_SECONDS = 1.0
TAKEOVER_SECONDS = 2.0
COMMITS_PER_COMPACTION = 60
_DAY_NS = 86_400 * 1_000_000_000
_NOTE_NS = 30 * 1_000_000_000
"""How often an idle keeper says in the ledger that it lives."""


class Keeper:
    """Keeps one store while it holds the store's lock."""

    def __init__(
        self,
        store: Store,
        clock: Clock | None = None,
        checkpoint: Callable[[str], None] = no_checkpoint,
        *,
        retention_days: int = 30,
        retention: RetentionSettings | None = None,
        levels: Sequence[Level] = LEVELS,
        grouping: Grouping = DEFAULT_GROUPING,
        sampling: Sampling = ALL_ROWS,
        duties: Mapping[str, Callable[[], Duty]] | None = None,
        before_expiry: Callable[[int], None] = no_expiry,
    ) -> None:
        """Nothing is opened or locked yet. `duties` are seen to while this one keeps;
        `before_expiry` is told the time when rows are about to be taken out.
        """
        self.store = store
        self._clock = clock or SystemClock()
        self._checkpoint = checkpoint
        retention = retention or RetentionSettings()
        days = days_by_table(retention, retention_days)
        self._wishes = Wishes(
            levels=levels,
            days=days,
            archive=_archive(retention),
            grouping=grouping,
            before_expiry=before_expiry,
        )
        self._sampling = sampling
        self._duties = Duties(duties or {}, self._clock)
        self._time = TrustedTime(self._clock)
        self._lock = FileLock(store.spool_root / KEEPER_LOCK)
        self._drain: Drain | None = None
        self._maintenance: Maintenance | None = None
        self._ledger: Ledger | None = None
        self._commits = 0
        self._engine: Engine | None = None
        self._since_us = self._noted_ns = 0
        self._compacted = self._clock.monotonic_ns() // _DAY_NS
        self.last_error: str | None = None

    @property
    def leads(self) -> bool:
        """Whether this process is the store's keeper."""
        return self._lock.held

    def take(self) -> bool:
        """Become the keeper if nobody is, and finish what a predecessor left open.

        Raises `StoreError` when the store can't be written.
        """
        if self._drain is not None and self._lock.stands and self.store.engine is self._engine:
            return True
        self.release()  # never held, or lock or state were deleted under us
        if not self._locked():
            return False
        try:
            self._engine = engine = self.store.create()
            self._ledger = ledger = Ledger(engine)
            self._drain = Drain(
                self.store.spool_root,
                self.store.tables,
                ledger,
                self._clock,
                self._checkpoint,
                grouping=self._wishes.grouping,
                sampling=self._sampling,
            )
            self._since_us = self._clock.now_us()
            repair(self.store.tables, self._checkpoint)
            for name in TABLES:
                self.store.tables.widen(name)
            self._drain.resume()
            finish_removals(
                self.store.tables,
                Removals(engine),
                self._checkpoint,
                self._wishes.archive,
                self._wishes.grouping,
            )
            self._maintenance = Maintenance(
                self.store.tables, engine, self._clock, self._time, self._checkpoint, self._wishes
            )
            self._maintenance.make_missing()
            self._commits = self._maintenance.commits
            self._note()
        except BaseException:
            self.release()
            raise
        return True

    def _locked(self) -> bool:
        self.store.make_folders()
        try:
            return self._lock.acquire()
        except OSError as error:
            raise StoreError(
                self.store.uri, f"its lock can't be taken ({error.strerror})", "run doctor"
            ) from error

    def release(self) -> None:
        """Stop being the keeper."""
        self._drain = self._maintenance = None
        self._duties.stop()
        self._lock.release()

    def drain(self) -> int:
        """Drain everything that stands in the spool now; return the number of frames.

        What comes meanwhile is left to the next tick: a busy store gets a commit a second, not as
        many as fit into one.
        """
        total, full = 0, True
        while self._drain is not None and full:
            frames = self._drain.run()
            full = frames >= FRAMES_PER_BATCH_MAX
            total += frames
            self._commits += frames > 0
            if self._commits >= COMMITS_PER_COMPACTION:
                self.compact()
        return total

    def fold(self, *, at_once: bool = False) -> None:
        """Fold the levels of the rollups that are due, or all of them."""
        if self._maintenance is not None:
            self._maintenance.fold(at_once=at_once)

    def compact(self) -> None:
        """Take out what has expired, then merge what many small commits left behind."""
        self._commits = 0
        if self._maintenance is not None:
            self._maintenance.run()

    def maintain(
        self, progress: Callable[[str], None] = lambda _step: None, *, rebuild: bool = False
    ) -> None:
        """Drain, then do all that is due in maintenance and what is not due yet; `rebuild` makes
        the rollups anew from raw rows before. `progress` is told each step. Raises `StoreError`.
        """
        progress("drain")
        self.drain()
        if self._maintenance is not None:
            if rebuild:
                progress("rebuild")
                self._maintenance.rebuild()
            self._maintenance.run(progress, at_once=True)
            self._commits = 0

    def _answer(self) -> None:
        """Do the maintenance that another process asks for."""
        if self._engine is None:
            return
        requests = Requests(self._engine)
        asked = requests.pending()
        if asked is None:
            return
        error: str | None = "the keeper was ended"
        try:
            self.maintain(lambda step: requests.note(asked.request, step), rebuild=asked.rebuild)
            error = None
        except MonitoringError as problem:
            error = str(problem)
            raise
        finally:
            requests.finish(asked.request, self._clock.now_us(), error)

    def purge(self, selection: Selection) -> Purged:
        """Erase selected records for good, those in the spool included; return what is gone.

        A time is moved back to its whole minute, or to the bucket of the finest level that
        reaches so far back. Raises `StoreError` when the store can't be written or this process
        does not keep it, `ConflictError` while an import is at work.
        """
        if self._ledger is None or not self._lock.held:
            raise StoreError(self.store.uri, "another process keeps it", "end that one first")
        waiting = self.drain()
        self.fold(at_once=True)  # what is made anew has then one number on every level
        engine = self.store.create()
        kept = Folds(engine).watermarks()
        selection = whole_buckets(selection, kept, Removals(engine).cutoffs())
        forgotten = forget(engine, selection)
        erase_notifications(engine, selection)
        AlertBook(engine).forget(selection)
        TotalsBook(engine).clear()
        found = purge(
            self.store.tables,
            self._ledger,
            Removals(engine),
            self.store.spool_root,
            selection,
            self._checkpoint,
            self._wishes.grouping,
        )
        found.waiting, found.facts_forgotten = waiting, forgotten
        forget_traces(engine)
        return found

    def _compact_daily(self) -> None:
        """See to retention even where little is recorded."""
        today = self._clock.monotonic_ns() // _DAY_NS
        if today != self._compacted:
            self._compacted = today
            self.compact()

    def _note(self) -> None:
        if self._ledger is None:
            return
        now = self._clock.now_us()
        self._noted_ns = self._clock.monotonic_ns()
        self._ledger.note_keeper(
            KeeperState(
                host=platform.node(),
                pid=os.getpid(),
                since_us=self._since_us,
                drained_us=now,
                last_error=self.last_error,
            )
        )

    def tick(self) -> int:
        """Do what is due: take the lock if it is free, drain, note; return the frames drained.

        An error of the store is kept for status; the next tick tries again.
        """
        frames, error = 0, None
        try:
            if self.take():
                frames = self.drain()
                self.fold()
                self._answer()
                self._duties.start()
                error = self._about_unreadable() or self._duties.problem
                self._compact_daily()
        except MonitoringError as problem:
            error = str(problem)
        except Exception as problem:  # noqa: BLE001 - Lance and SQL raise what they like; keep on
            error = f"{type(problem).__name__}: {problem}"[:500]
        changed = error != self.last_error
        self.last_error = error
        due = self._clock.monotonic_ns() - self._noted_ns > _NOTE_NS
        if self._drain is not None and (changed or due):
            self._note_quietly()
        return frames

    def _about_unreadable(self) -> str | None:
        unreadable = self._drain.unreadable if self._drain is not None else {}
        return next((f"writer {name}: {why}" for name, why in unreadable.items()), None)

    def _note_quietly(self) -> None:
        try:
            self._note()
        except Exception as problem:  # noqa: BLE001 - the state refuses: the next tick says so
            self.last_error = f"{type(problem).__name__}: {problem}"[:500]

    def run(
        self,
        stop: threading.Event,
        *,
        idle_seconds: float | None = None,
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        """Keep until `stop` is set, or until nothing came for `idle_seconds`, or another keeps.

        `beside` is called after every tick; it must not raise.
        """
        idle = 0.0
        while not stop.is_set():
            frames = self.tick()
            beside()
            idle = 0.0 if frames else idle + TICK_SECONDS
            if idle_seconds is not None and (idle > idle_seconds or not self._lock.held):
                break
            stop.wait(TICK_SECONDS if self._lock.held else TAKEOVER_SECONDS)
        if self._lock.held:
            self.tick()
        self.release()


def keeper_of(store: Store, config: MonitoringConfig) -> Keeper:
    """Return the keeper of a store as the configuration wants it."""
    return Keeper(
        store,
        retention_days=config.metrics_retention_days,
        retention=config.retention,
        levels=wanted(config.aggregation_intervals),
        grouping=Grouping(
            attributes=tuple(config.rollup_attributes), groups_max=config.rollup_groups_max
        ),
        sampling=Sampling(rate=config.sample_rate, slow_ms=config.slow_query_threshold_ms),
        duties={**alert_duties(store.uri, config), **export_duties(store.uri, config)},
        before_expiry=counted_before(store, config),
    )


def _archive(retention: RetentionSettings) -> Archive | None:
    path = retention.archive_path
    return None if path is None else Archive(Path(path).expanduser().absolute())


def drain_once(store: Store, config: MonitoringConfig | None = None) -> int:
    """Drain a store if nobody keeps it; return the frames drained, 0 when somebody else does it.

    A drain may compact, and so take out what is older than the configuration wants (None: what
    the default wants).

    Raises `StoreError` when the store can't be written.
    """
    keeper = keeper_of(store, config or MonitoringConfig())
    if not keeper.take():
        return 0
    try:
        return keeper.drain()
    finally:
        keeper.release()
