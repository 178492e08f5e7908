"""One target's exports, one after the other: what is due, what was cut off, what failed."""

from __future__ import annotations

import random
from dataclasses import replace

from contextframe_monitoring.core.clock import US_PER_SECOND
from contextframe_monitoring.core.errors import ConflictError, MonitoringError, StoreError
from contextframe_monitoring.core.target_settings import target_type
from contextframe_monitoring.export.metrics.totals import Totals
from contextframe_monitoring.export.targets.exporter import (
    Delivered,
    Exporter,
    Setting,
    TargetError,
    printable,
)
from contextframe_monitoring.export.targets.registry import exporter_of
from contextframe_monitoring.export.targets.step import Step
from contextframe_monitoring.store.export_targets import TargetBook, TargetState
from contextframe_monitoring.store.machine import FileLock
from contextframe_monitoring.store.store import Store

PAUSE_SECONDS_MAX = 300.0
"""Between two tries at a target that fails: 2, 4, 8 ... seconds up to this."""
WISH_SECONDS_MAX = 3600.0
"""What a target may wish for with Retry-After."""
REFUSALS_MAX = 3
"""A step that was refused so often is left out, so that it does not hold up what follows it."""


class Delivery:
    """Delivers to one target. The state says how far it has come, for whoever goes on."""

    def __init__(
        self, setting: Setting, store: Store, everything: Totals, luck: random.Random
    ) -> None:
        """Nothing is opened yet. `luck` spreads the tries of many programs."""
        self._setting, self._store, self._everything = setting, store, everything
        self._luck = luck
        self._exporter: Exporter | None = None
        self._next_us: int | None = None

    def run(self, now_us: int, *, forced: bool = False) -> TargetState | None:
        """Deliver what is due, or all of it when `forced`; return how the target does after that.

        None: nothing is due, or another process is at it. A failure is noted, not raised. Raises
        `StoreError` when the state can't be used, `ConflictError` when it is forced while another
        process delivers to the same target.
        """
        if not forced and self._next_us is not None and self._waits(self._next_us, now_us):
            return None
        engine = self._store.engine
        if engine is None:
            return None  # nothing was ever drained
        folder = self._store.state_folder
        lock = FileLock(folder / f"target-{self._setting.name}.lock")
        if not lock.acquire():
            if forced:
                raise ConflictError(
                    f"target {self._setting.name!r} is being exported to by another process: "
                    "try again when that is done"
                )
            return None
        try:
            return self._locked_run(TargetBook(engine), now_us, forced=forced)
        finally:
            lock.release()

    def _waits(self, next_us: int, now_us: int) -> bool:
        """Whether it is too early; a clock that was put back is no reason to wait for long."""
        longest = max(WISH_SECONDS_MAX, self._setting.target.interval_seconds)
        return 0 < next_us - now_us <= longest * US_PER_SECOND

    def _locked_run(self, book: TargetBook, now_us: int, *, forced: bool) -> TargetState | None:
        done = self._done()
        state = book.get(self._setting.name) or self._first(done, now_us)
        due_us = self._due_us(state)
        if not forced and self._waits(due_us, now_us):
            self._next_us = due_us
            return None
        state = replace(state, type=target_type(self._setting.target))
        while True:
            before = state
            state = self._once(book, before, done, now_us)
            more = state.batch < done and state.failures == 0 and state.batch > before.batch
            if not (forced and more):
                self._next_us = state.next_us
                return state

    def _due_us(self, state: TargetState) -> int:
        """Return when the next export is due, by the interval as it is configured now."""
        if state.failures or state.succeeded_us is None:
            return state.next_us
        interval_us = round(self._setting.target.interval_seconds * US_PER_SECOND)
        return min(state.next_us, state.succeeded_us + interval_us)

    def _once(self, book: TargetBook, state: TargetState, done: int, now_us: int) -> TargetState:
        if state.open_batch is None or state.open_us is None:
            state = replace(state, open_batch=max(done, state.batch), open_us=now_us)
            book.put(state)
        state = self._delivered(state, now_us)
        if state.failures == 0 and state.batch < done:
            state = replace(state, next_us=now_us)  # it was away: go on at once
        book.put(state)
        return state

    def _done(self) -> int:
        ledger = self._store.ledger
        return 0 if ledger is None else ledger.position([])[0]

    def _first(self, done: int, now_us: int) -> TargetState:
        target = self._setting.target
        return TargetState(
            name=self._setting.name,
            type=target_type(target),
            batch=0 if target.backfill else done,
            covered_us=0 if target.backfill else now_us,
        )

    def _delivered(self, state: TargetState, now_us: int) -> TargetState:
        """Return the state after one try."""
        assert state.open_batch is not None and state.open_us is not None  # noqa: PT018 - one fact
        step = Step(
            target=state.name,
            after=state.batch,
            upto=state.open_batch,
            end_us=state.open_us,
            known_start_us=state.covered_us or None,
            store=self._store,
            everything=self._everything,
        )
        try:
            if self._exporter is None:
                self._exporter = exporter_of(self._setting)
            delivered = self._exporter.export(step)
        except StoreError:
            raise
        except MonitoringError as error:
            return self._failed(state, error, now_us)
        except Exception as error:  # noqa: BLE001 - a foreign one may raise anything
            reason = f"{state.type} failed with {type(error).__name__}"
            return self._failed(state, TargetError(state.name, reason), now_us)
        return self._succeeded(state, delivered, now_us)

    def _succeeded(self, state: TargetState, found: Delivered, now_us: int) -> TargetState:
        return replace(
            state,
            batch=state.open_batch or state.batch,
            covered_us=state.open_us or state.covered_us,
            open_batch=None,
            open_us=None,
            next_us=now_us + round(self._setting.target.interval_seconds * US_PER_SECOND),
            succeeded_us=now_us,
            failing_since_us=None,
            failures=0,
            sent=state.sent + found.sent,
            rejected=state.rejected + found.rejected,
            last_error=None if found.reason is None else printable(found.reason),
        )

    def _failed(self, state: TargetState, error: MonitoringError, now_us: int) -> TargetState:
        failures = state.failures + 1
        wish = error.retry_after_seconds if isinstance(error, TargetError) else None
        pause = min(2.0 ** min(failures, 30), PAUSE_SECONDS_MAX) * self._luck.uniform(0.75, 1.0)
        if wish is not None:
            pause = max(min(wish, WISH_SECONDS_MAX), pause)
        after = replace(
            state,
            failures=failures,
            failing_since_us=state.failing_since_us or now_us,
            next_us=now_us + round(pause * US_PER_SECOND),
            last_error=str(error),
        )
        refused = isinstance(error, TargetError) and error.refused
        if refused and failures >= REFUSALS_MAX:
            return replace(
                after,
                batch=state.open_batch or state.batch,
                covered_us=state.open_us or state.covered_us,
                open_batch=None,
                open_us=None,
                rejected=state.rejected + 1,
                last_error=f"{error} (refused {failures} times: that export is left out)",
            )
        return after

    def close(self) -> None:
        """Let go of connections."""
        if self._exporter is not None:
            self._exporter.close()
            self._exporter = None
