"""`AlertManager`: alerts as an application sees them, in the words of the seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import anyio.to_thread

from contextframe_monitoring.alerts.answers import Answers, Kept
from contextframe_monitoring.alerts.backtest import backtest
from contextframe_monitoring.alerts.desk import AlertDesk, By
from contextframe_monitoring.alerts.evaluator import Evaluator
from contextframe_monitoring.alerts.history import HistoryQuery, history_report
from contextframe_monitoring.alerts.judgement import judge_rule, judge_values
from contextframe_monitoring.alerts.listing import AlertQuery
from contextframe_monitoring.alerts.own_figures import OwnFigures
from contextframe_monitoring.alerts.questions import check_dimensions
from contextframe_monitoring.alerts.rule_desk import RuleDesk
from contextframe_monitoring.alerts.rule_set import KnownRule
from contextframe_monitoring.alerts.statistics import statistics
from contextframe_monitoring.alerts.triggering import AnyRule, Trigger, as_rule
from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.reports.alerts import (
    AlertHistory,
    AlertsReport,
    AlertStatistics,
    BackTest,
)
from contextframe_monitoring.core.rule_words import AlertRule
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.silence import Silence
from contextframe_monitoring.core.windows import Window, parse_window
from contextframe_monitoring.query.alert_events import event_facts
from contextframe_monitoring.query.courses import Courses
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.machine import FileLock
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.writer import KEEPER_LOCK
from contextframe_monitoring.store.store import Store

_T = TypeVar("_T")
APPLICATION = By("application", "python")


class AlertManager:
    """The alerts of a monitor: `monitor.alerts`. Every method raises a `MonitoringError` that
    says what is wrong; `desk` and `rule_desk` are the same, blocking.
    """

    def __init__(self, store: Store, config: MonitoringConfig, clock: Clock) -> None:
        """Made by `Monitor.open`; nothing is opened yet."""
        self.desk = AlertDesk(store, config, clock)
        self.rule_desk = RuleDesk(store, config, clock)
        self._trigger = Trigger(store, config, clock)
        self._store, self._config, self._clock = store, config, clock

    # -- raised by the application

    async def trigger_alert(
        self, rule: AnyRule, trigger_data: Mapping[str, Any] | None = None
    ) -> str:
        """Raise an alert and return its id; the one that stands for the same rule and group is
        renewed. One that nobody renews is over after an hour, or after `keep_firing_for`.
        """
        return await _in_thread(lambda: self._trigger.trigger(rule, trigger_data))

    # -- looking

    async def get_alerts(self, query: AlertQuery | None = None) -> AlertsReport:
        """Return the alerts that a query asks for: without one, those that are active."""
        return await _in_thread(lambda: self.desk.report(query))

    async def get_history(
        self, since: str = "7d", until: str | None = None, query: HistoryQuery | None = None
    ) -> AlertHistory:
        """Return what happened to alerts in a window, the newest in front."""
        return await _in_thread(lambda: self.history(since, until, query))

    async def get_alert_statistics(
        self, since: str = "30d", until: str | None = None
    ) -> AlertStatistics:
        """Return the figures of a window: by rule and severity, times to acknowledge and resolve,
        what flaps.
        """
        return await _in_thread(lambda: self.statistics(since, until))

    def history(
        self, since: str, until: str | None = None, query: HistoryQuery | None = None
    ) -> AlertHistory:
        """Answer `get_history`; blocks."""
        window = self._window(since, until)
        asked = query or HistoryQuery(timezone=self._config.timezone)
        state = AlertState.of(self._store)
        snapshot = Snapshot(self._store)
        return history_report(snapshot, state, asked, window.start_us, window.end_us)

    def statistics(self, since: str, until: str | None = None) -> AlertStatistics:
        """Answer `get_alert_statistics`; blocks."""
        window = self._window(since, until)
        state = AlertState.of(self._store)
        waiting = [] if state is None else state.book.outbox()
        snapshot = Snapshot(self._store)
        return statistics(event_facts(snapshot, waiting, window.start_us, window.end_us))

    # -- the life of an alert

    async def acknowledge_alert(
        self, alert_id: str, comment: str | None = None, by: By = APPLICATION
    ) -> Alert:
        """Take an alert on."""
        return await _in_thread(lambda: self.desk.acknowledge(alert_id, by, comment))

    async def resolve_alert(
        self, alert_id: str, comment: str | None = None, by: By = APPLICATION
    ) -> Alert:
        """Declare an alert over."""
        return await _in_thread(lambda: self.desk.resolve(alert_id, by, comment))

    async def reopen_alert(
        self, alert_id: str, comment: str | None = None, by: By = APPLICATION
    ) -> Alert:
        """Take back that an alert is over."""
        return await _in_thread(lambda: self.desk.reopen(alert_id, by, comment))

    async def comment_on_alert(self, alert_id: str, text: str, by: By = APPLICATION) -> Alert:
        """Say something about an alert."""
        return await _in_thread(lambda: self.desk.comment(alert_id, text, by))

    async def silence(
        self,
        matchers: Mapping[str, str],
        ends_us: int,
        reason: str,
        *,
        starts_us: int | None = None,
        by: By = APPLICATION,
    ) -> Silence:
        """Let nobody be told of alerts that match."""
        return await _in_thread(lambda: self.desk.silence(matchers, starts_us, ends_us, reason, by))

    # -- rules

    async def get_rules(self) -> dict[str, KnownRule]:
        """Return all rules by name."""
        return await _in_thread(self.rule_desk.rules)

    async def create_rule(self, rule: AlertRule | Mapping[str, Any], by: By = APPLICATION) -> Rule:
        """Make a rule that the keeper evaluates from now on."""
        table = rule.ours() if isinstance(rule, AlertRule) else rule
        found: list[Rule] = await _in_thread(lambda: self.rule_desk.create([table], by))
        return found[0]

    async def update_rule(
        self, name: str, changes: Mapping[str, Any], by: By = APPLICATION
    ) -> Rule:
        """Change keys of a rule."""
        return await _in_thread(lambda: self.rule_desk.update(name, changes, by))

    async def delete_rule(self, name: str, by: By = APPLICATION) -> None:
        """Take away a rule that was made here."""
        await _in_thread(lambda: self.rule_desk.delete(name, by))

    async def evaluate_rule(self, rule: AnyRule) -> bool:
        """Return whether a rule is met now, by any group; nothing is raised."""
        return await _in_thread(lambda: self.is_met(rule))

    async def check_alert_rules(self) -> AlertsReport:
        """Evaluate all active rules now, unless a keeper does so anyway; return what is active."""
        return await _in_thread(self._check)

    async def backtest_rule(
        self, rule: AnyRule, since: str = "7d", until: str | None = None
    ) -> BackTest:
        """Return when a rule would have fired in a window of the past."""
        return await _in_thread(lambda: self.backtest(rule, since, until))

    def backtest(self, rule: AnyRule, since: str, until: str | None = None) -> BackTest:
        """Answer `backtest_rule`; blocks."""
        meant = as_rule(rule, self._config, AlertState.of(self._store))
        return backtest(meant, Snapshot(self._store), self._config, self._window(since, until))

    def is_met(self, rule: AnyRule) -> bool:
        """Answer `evaluate_rule`; blocks."""
        state = AlertState.of(self._store)
        meant = as_rule(rule, self._config, state)
        check_dimensions(meant)
        now_us, snapshot = self._clock.now_us(), Snapshot(self._store)
        if meant.family == "own":
            last = None if state is None else state.evaluations.last()
            figures = OwnFigures(
                self._store, self._config, snapshot, last.losses if last else (), now_us
            )
            judged = judge_values(meant, figures.values(meant, last.problems if last else {}))
        else:
            answers = Answers(snapshot, Kept(), now_us)
            judged = judge_rule(meant, answers, Courses(), self._config, now_us)
        return any(one.verdict == "met" for one in judged.groups.values())

    def _check(self) -> AlertsReport:
        self._store.make_folders()
        lock = FileLock(self._store.spool_root / KEEPER_LOCK)
        if lock.acquire():
            try:
                Evaluator(self._store, self._config).evaluate(self._clock.now_us())
            finally:
                lock.release()
        return self.desk.report()

    def _window(self, since: str, until: str | None) -> Window:
        return parse_window(
            since, until, now_us=self._clock.now_us(), timezone=self._config.timezone
        )


async def _in_thread(work: Callable[[], _T]) -> _T:
    return await anyio.to_thread.run_sync(work)
