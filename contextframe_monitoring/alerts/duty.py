"""The evaluation of alert rules as a duty of the keeper, on a clock of its own."""

from __future__ import annotations

import time
from collections.abc import Callable

from contextframe_monitoring.alerts.evaluator import Evaluator
from contextframe_monitoring.alerts.watchdog import ping
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.ingest.recorder import Recorder, open_recorder
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.store import Store

PROBLEMS_SHOWN_MAX = 3


class AlertDuty:
    """Evaluates when it is due, and carries what happened into the history."""

    def __init__(
        self,
        store: Store,
        config: MonitoringConfig,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is opened yet; the first tick evaluates. `monotonic` gives seconds."""
        self._store, self._config, self._monotonic = store, config, monotonic
        self._evaluator = Evaluator(store, config, monotonic)
        self._recorder: Recorder | None = None
        self._due: float | None = None
        self._problem: str | None = None

    def tick(self, now_us: int) -> str | None:
        """Evaluate if it is time; return what is wrong. Raises `StoreError`."""
        self._record_history()
        now = self._monotonic()
        if self._due is None or now >= self._due:
            self._due = now + self._config.alerts.evaluation_interval_seconds
            self._problem = self._evaluate(now_us)
            self._record_history()
        return self._problem

    def _evaluate(self, now_us: int) -> str | None:
        evaluated = self._evaluator.evaluate(now_us)
        url = self._config.alerts.watchdog_url
        problem = None if url is None else ping(url)
        if problem is not None or not evaluated.problems:
            return problem
        names = sorted(evaluated.problems)
        more = len(names) - PROBLEMS_SHOWN_MAX
        shown = "; ".join(f"{name}: {evaluated.problems[name]}" for name in names[:3])
        return f"{shown}; and {more} more" if more > 0 else shown

    def _record_history(self) -> None:
        """Put what waits in the outbox into the spool. An entry that is put twice, because a kill
        came in between, is told apart by its alert and revision.
        """
        state = AlertState.of(self._store)
        waiting = state.book.outbox() if state is not None else []
        if state is None or not waiting:
            return
        if self._recorder is None:
            self._recorder = open_recorder(self._config, label="alerts")
        for record in waiting:
            self._recorder.record(record)
        state.book.told(waiting[-1].revision)

    def close(self) -> None:
        """Seal the spool of the history."""
        if self._recorder is not None:
            self._recorder.close()
