"""The courier: takes notifications to channels, one at a time for each, and notes how it went."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from contextframe_monitoring.alerts.notifier import DeliveryError, Notifier, Sent
from contextframe_monitoring.alerts.registry import notifier_of
from contextframe_monitoring.alerts.sending import Outcome, Sending
from contextframe_monitoring.core.advice import NO_ADVICE, SIGNALS, Analytics
from contextframe_monitoring.core.backoff import retry_us
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.delivery import Decision, Told, is_escalation, known_after
from contextframe_monitoring.core.notification import (
    Kind,
    Notification,
    as_json,
    compose,
    compose_notice,
    delivery_id_of,
    with_analytics,
)
from contextframe_monitoring.store.notification_log import ChannelHealth, Noted, NotificationLog

FAILURES_MAX = 5
"""Failed attempts in a row after which a channel is down: its fallback stands in."""
LATE_MAX = 3
"""Deliveries of one channel that hang, beyond which no other is begun."""
_DEADLINE_TIMEOUTS = 3
"""A delivery may wait on the other side more than once; beyond so many timeouts it is late."""

Explain = Callable[[Analytics], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Errand:
    """What a channel knows, and what it is to be told."""

    before: Told
    decision: Decision


@dataclass(frozen=True, slots=True)
class _End:
    """How an errand ended."""

    errand: Errand
    notification: Notification
    outcome: Outcome
    at_us: int


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """An errand that has begun."""

    sending: Sending
    errand: Errand
    notification: Notification


class Courier:
    """Carries the notifications of one store."""

    def __init__(
        self,
        config: MonitoringConfig,
        clock: Clock,
        environ: Mapping[str, str],
        random: Random,
        explain: Explain | None,
    ) -> None:
        """Nothing is opened yet."""
        self._channels, self._dashboard_url = config.channels, config.alerts.dashboard_url
        self._clock, self._random, self._explain = clock, random, explain
        self._notifiers: dict[str, Notifier] = {
            name: notifier_of(name, channel, environ) for name, channel in config.channels.items()
        }
        self._under_way: dict[str, list[_UnderWay]] = {}
        self._unnoted: list[_End] = []
        self._noting = threading.Lock()

    @property
    def acknowledging(self) -> frozenset[str]:
        """The channels that want to know when somebody acknowledges an alert."""
        return frozenset(name for name, it in self._notifiers.items() if it.acknowledges)

    @property
    def is_idle(self) -> bool:
        """Whether nothing was on its way when that was looked at last."""
        return not self._unnoted and not any(self._under_way.values())

    def busy(self, log: NotificationLog, now_us: int) -> set[str]:
        """Return the channels that can't be told more now; what is late counts as failed.

        Raises what the state raises while it takes no notes: then nobody is told anything, lest
        they are told the same again and again.
        """
        self._note_rest(log)
        monotonic_ns, found = self._clock.monotonic_ns(), set[str]()
        for name, under_way in self._under_way.items():
            under_way[:] = [one for one in under_way if one.sending.runs]
            for one in under_way:
                if one.sending.turns_late(monotonic_ns):
                    outcome = _hangs(self._channels[name].timeout_seconds)
                    self._note(log, _End(one.errand, one.notification, outcome, now_us))
            if len(under_way) > LATE_MAX or any(not one.sending.is_late for one in under_way):
                found.add(name)
        return found

    def send(self, log: NotificationLog, errand: Errand, now_us: int) -> None:
        """Begin to tell a channel, once it is noted that it is about to be told."""
        name = errand.decision.channel
        log.sending(errand.before, now_us)
        notification = self._composed(errand, now_us)

        said = [notification]

        def work() -> Sent:
            said[0] = self._explained(notification, errand.decision)
            return self._notifiers[name].send(said[0])

        def ended(outcome: Outcome) -> None:
            self._note(log, _End(errand, said[0], outcome, self._clock.now_us()))

        seconds = _DEADLINE_TIMEOUTS * self._channels[name].timeout_seconds
        deadline_ns = self._clock.monotonic_ns() + round(seconds * 1_000_000_000)
        sending = Sending(work, ended, name=name, deadline_ns=deadline_ns)
        self._under_way.setdefault(name, []).append(_UnderWay(sending, errand, notification))

    def wait(self, seconds: float) -> None:
        """Wait for what is on its way, at most for so long in all."""
        waiting = [one.sending for it in self._under_way.values() for one in it]
        for sending in waiting:
            sending.wait(0.0 if sending.is_late else seconds / len(waiting))

    def _composed(self, errand: Errand, now_us: int) -> Notification:
        decision, url = errand.decision, self._dashboard_url
        delivery_id = delivery_id_of(decision.channel, decision.topic, errand.before.number)
        if decision.notice is not None:
            return compose_notice(
                decision.notice, delivery_id=delivery_id, at_us=now_us, dashboard_url=url
            )
        return compose(
            _kind(decision),
            delivery_id=delivery_id,
            topic=decision.topic,
            firing=decision.firing,
            resolved=decision.resolved,
            gone=len(decision.gone),
            at_us=now_us,
            dashboard_url=url,
        )

    def _explained(self, notification: Notification, decision: Decision) -> Notification:
        """Add figures, on the channel's thread: reading them may take a while."""
        if self._explain is None:
            return notification
        found = [line for about in _about(decision) for line in self._explain(about)]
        return with_analytics(notification, found)

    def _note(self, log: NotificationLog, end: _End) -> None:
        """Note how it went; while the state refuses that, the channel is told nothing more."""
        with self._noting:
            try:
                self._write(log, end)
            except Exception:  # noqa: BLE001 - whatever the state raises: it is tried again
                self._unnoted.append(end)

    def _note_rest(self, log: NotificationLog) -> None:
        """Note what could not be noted before. Raises while that is still so."""
        with self._noting:
            while self._unnoted:
                self._write(log, self._unnoted[0])
                del self._unnoted[0]

    def _write(self, log: NotificationLog, end: _End) -> None:
        decision, outcome, now_us = end.errand.decision, end.outcome, end.at_us
        name = decision.channel
        was = log.health().get(name, ChannelHealth(channel=name))
        told = log.told().get((name, decision.topic), end.errand.before)
        if isinstance(outcome, Sent):
            if told.number == end.errand.before.number:  # else it was told since: this came late
                log.put(known_after(told, decision, now_us), now_us)
            health = ChannelHealth(
                channel=name, sent_us=now_us, failed_us=was.failed_us, problem=outcome.problem
            )
        else:
            asked = getattr(outcome, "retry_after_seconds", None)
            attempts = told.attempts + 1
            retry = retry_us(attempts, asked, now_us, self._random)
            log.put(dataclasses.replace(told, attempts=attempts, retry_us=retry), now_us)
            health = self._failed(was, outcome, asked, now_us)
        log.put_health(health)
        log.note(
            Noted(
                at_us=now_us,
                channel=name,
                outcome="sent" if isinstance(outcome, Sent) else "failed",
                reason=decision.reason,
                notification=as_json(end.notification),
                problem=health.problem,
            )
        )

    def _failed(
        self, was: ChannelHealth, outcome: Exception, asked: float | None, now_us: int
    ) -> ChannelHealth:
        failures = was.failures + 1
        down = failures >= FAILURES_MAX or isinstance(outcome, _HangingError)
        waits = down or asked is not None
        return ChannelHealth(
            channel=was.channel,
            failures=failures,
            down=down,
            retry_us=retry_us(failures, asked, now_us, self._random) if waits else None,
            sent_us=was.sent_us,
            failed_us=now_us,
            problem=str(outcome),
        )


class _HangingError(DeliveryError):
    """A delivery that does not end."""


def _hangs(timeout_seconds: float) -> _HangingError:
    return _HangingError(f"no end after {_DEADLINE_TIMEOUTS * timeout_seconds:g} s: it hangs")


def _kind(decision: Decision) -> Kind:
    if decision.reason == "acknowledged":
        return "acknowledged"
    if not decision.firing:
        return "resolved"
    return "escalation" if is_escalation(decision.topic) else "firing"


def _about(decision: Decision) -> tuple[Analytics, ...]:
    """Return which reports explain it; what is over has not to be explained."""
    if decision.notice is not None:
        return ("usage", "cost")
    if decision.reason == "acknowledged":
        return ()
    found = (SIGNALS.get(alert.signal, NO_ADVICE).analytics for alert in decision.firing)
    return tuple(sorted({about for about in found if about is not None}))
