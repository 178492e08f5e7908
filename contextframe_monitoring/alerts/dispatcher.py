"""The dispatcher: sees to it that every channel knows what it must know. A duty of the keeper.

Each tick decides afresh (`core.delivery`) from what stands in the state. Before a channel is told
this is noted, and after it was told what it knows now: a process that dies in between leaves a
channel that may be told once more, under the same delivery id, and none that is told nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from contextframe_monitoring.alerts.courier import Courier, Errand, Explain
from contextframe_monitoring.alerts.reviewing import Reviewing
from contextframe_monitoring.alerts.secrets import missing_secrets
from contextframe_monitoring.core.alert import Alert
from contextframe_monitoring.core.clock import US_PER_DAY, Clock
from contextframe_monitoring.core.code_review import TOLD_WITHIN_US, notice_of
from contextframe_monitoring.core.config import MonitoringConfig, changed
from contextframe_monitoring.core.delivery import (
    Decision,
    Situation,
    Told,
    decide,
    known_after,
)
from contextframe_monitoring.core.records import EventRecord, Origin
from contextframe_monitoring.core.routing import Notice, default_channels
from contextframe_monitoring.ingest.recorder import open_recorder
from contextframe_monitoring.store.alert_book import AlertBook
from contextframe_monitoring.store.code_reviews import CodeReviews
from contextframe_monitoring.store.machine import SystemClock
from contextframe_monitoring.store.notification_log import NotificationLog
from contextframe_monitoring.store.store import Store

if TYPE_CHECKING:
    from sqlalchemy import Engine

ALERTS_MAX = 20_000
"""Firing alerts that are looked at; more than that are said to be too many."""
RESTS = 20
"""So many times as long as a look took, none is taken when nothing has changed."""
_ENDS_SECONDS_MAX = 3.0


class Dispatcher:
    """Tells the channels of one store."""

    def __init__(
        self,
        store: Store,
        config: MonitoringConfig,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] = os.environ,
        random: Random | None = None,
        explain: Explain | None = None,
        record: Callable[[EventRecord], bool] | None = None,
    ) -> None:
        """Nothing is opened yet. `explain` gives the figures behind an alert, `record` makes the
        event of a code review safe; without one none is scheduled.
        """
        self._store, self._config, self._environ = store, config, environ
        self._clock = clock or SystemClock()
        self._rests_until_ns = 0
        self._said: str | None = None
        self._courier = Courier(
            config,
            self._clock,
            environ,
            random or Random(),  # noqa: S311 - it spreads retries, and hides nothing
            explain,
        )
        origin = Origin(server=config.server, environment=config.environment)
        self._reviewing = None if record is None else Reviewing(config.alerts, origin, record)
        self._alerts = _Alerts()
        self._forgot_us = 0
        self._prepared: Engine | None = None

    def tick(self, now_us: int) -> str | None:
        """Send what is due; return what is wrong with channels, None when all is well."""
        engine = self._state()
        if engine is None:
            return None
        log, book = NotificationLog(engine), AlertBook(engine)
        if self._rests(book):
            return self._said
        began_ns = self._clock.monotonic_ns()
        self._said = self._decide(log, book, CodeReviews(engine), now_us)
        ended_ns = self._clock.monotonic_ns()
        self._rests_until_ns = ended_ns + RESTS * (ended_ns - began_ns)
        return self._said

    def _rests(self, book: AlertBook) -> bool:
        """Return whether there is nothing new, and it is too early to look for what is due by now:
        with thousands of alerts a look takes a tenth of a second.
        """
        soon = self._clock.monotonic_ns() < self._rests_until_ns
        return soon and self._courier.is_idle and self._alerts.are_those_of(book)

    def _decide(
        self, log: NotificationLog, book: AlertBook, reviews: CodeReviews, now_us: int
    ) -> str | None:
        busy = self._courier.busy(log, now_us)
        told = log.told()
        alerts = self._alerts.read(book, told)
        config, problem = self._config, None
        if self._reviewing is not None:
            problem = self._reviewing.tick(reviews, alerts, now_us)
        decisions = decide(
            Situation(
                alerts=alerts,
                told=told,
                health=log.situation(now_us),
                channels=config.channels,
                settings=config.alerts,
                acknowledging=self._courier.acknowledging,
                notices=self._notices(reviews, now_us),
                now_us=now_us,
            )
        )
        self._act(log, decisions, told, busy, now_us)
        self._forget(log, now_us)
        return problem or self._problem(log, alerts, decisions)

    def _state(self) -> Engine | None:
        """Return the state, with our tables in it; None while there is none."""
        engine = self._store.engine
        if engine is not None and engine is not self._prepared:
            self._prepared = engine = self._store.create()
        return engine

    def close(self) -> None:
        """Wait a moment for what is on its way."""
        self._courier.wait(_ENDS_SECONDS_MAX)

    def _act(
        self,
        log: NotificationLog,
        decisions: Iterable[Decision],
        told: Mapping[tuple[str, str], Told],
        busy: set[str],
        now_us: int,
    ) -> None:
        for decision in decisions:
            before = told.get((decision.channel, decision.topic))
            before = before or Told(channel=decision.channel, topic=decision.topic)
            if decision.act == "forget":
                log.put(known_after(before, decision, None), now_us)
            elif decision.act == "tell" and decision.channel not in busy:
                busy.add(decision.channel)
                self._courier.send(log, Errand(before, decision), now_us)

    def _notices(self, reviews: CodeReviews, now_us: int) -> list[Notice]:
        last = reviews.last()
        if last is None or not 0 <= now_us - last.scheduled_us < TOLD_WITHIN_US:
            return []
        config = self._config
        named = config.alerts.code_review_channels
        return [notice_of(last, named or default_channels(config.channels, config.alerts))]

    def _forget(self, log: NotificationLog, now_us: int) -> None:
        if abs(now_us - self._forgot_us) > US_PER_DAY:
            self._forgot_us = now_us
            log.forget(now_us)

    def _problem(
        self, log: NotificationLog, alerts: Sequence[Alert], decisions: Iterable[Decision]
    ) -> str | None:
        health, found = log.health(), []
        for name, channel in self._config.channels.items():
            one = health.get(name)
            if one is not None and one.failures:
                stands_in = f", {channel.fallback} stands in" if channel.fallback else ""
                word = f"is down{stands_in}" if one.down else "fails"
                found.append(f"channel {name} {word}: {one.problem}")
            else:
                found += missing_secrets(name, channel, self._environ)
        unknown = {
            (alert.rule, name)
            for alert in alerts
            for name in alert.channels
            if name not in self._config.channels and alert.state == "firing"
        }
        found += [f"rule {rule!r} names no channel {name!r}" for rule, name in sorted(unknown)[:3]]
        limited = sum(1 for one in decisions if one.reason == "rate limit")
        if limited:
            found.append(f"{limited} notifications wait for their channel's hourly limit")
        if self._alerts.are_too_many:
            found.append(f"more than {ALERTS_MAX:,} alerts fire: the newest are not told")
        return "; ".join(found) or None


def dispatcher_of(uri: str, config: MonitoringConfig) -> Dispatcher:
    """Return the dispatcher of a store as the configuration wants it."""
    from contextframe_monitoring.alerts.analytics import Explanations

    clock = SystemClock()
    own = changed(config, {"store": uri, "start_keeper": False})

    def record(event: EventRecord) -> bool:
        recorder = open_recorder(own, label="alerts")
        try:
            return recorder.record(event)
        finally:
            recorder.close()

    return Dispatcher(
        Store(uri, spool_path=config.spool_path),
        config,
        clock=clock,
        explain=Explanations(uri, config, clock).lines,
        record=record,
    )


class _Alerts:
    """The alerts that matter, read again when any of the store's changed."""

    def __init__(self) -> None:
        self._revision = -1
        self._asked: frozenset[str] = frozenset()
        self._found: list[Alert] = []
        self.are_too_many = False

    def are_those_of(self, book: AlertBook) -> bool:
        """Return whether nothing has changed since they were read."""
        return book.revision() == self._revision

    def read(self, book: AlertBook, told: Mapping[tuple[str, str], Told]) -> list[Alert]:
        """Return what fires, and what channels were told of and is over by now."""
        ids = frozenset(one for it in told.values() for one in it.firing)
        revision = book.revision()
        if revision != self._revision or ids != self._asked:
            firing = book.find(limit=ALERTS_MAX + 1)
            self.are_too_many = len(firing) > ALERTS_MAX
            firing = firing[:ALERTS_MAX]
            others = ids - {alert.alert_id for alert in firing}
            over = (book.get(alert_id) for alert_id in sorted(others))
            self._found = [*firing, *(alert for alert in over if alert is not None)]
            self._revision, self._asked = revision, ids
        return self._found
