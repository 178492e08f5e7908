"""Which of the current alerts must be told to which channel now, and why: a pure decision.

It is made from the alerts, what each channel was told already, how the channels do, the settings
and the time. Nothing else is remembered: whatever is lost between two decisions is decided again,
so a crash can repeat a notification but never swallow one. A time in the future means that the
clock went back; it counts as long ago.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contextframe_monitoring.core.alert import SEVERITIES, Alert, Severity
from contextframe_monitoring.core.channel_settings import Channel
from contextframe_monitoring.core.clock import US_PER_SECOND
from contextframe_monitoring.core.notification import worst
from contextframe_monitoring.core.notification_settings import NotificationSettings
from contextframe_monitoring.core.routing import Notice, Receivers, Troubles, topic_of

HOUR_US = 3600 * US_PER_SECOND
_ATTEMPTS_ALONE = 3
"""Failed attempts to tell one thing after which the fallback is told too."""
_RETRY_US_MAX = 2 * HOUR_US
"""A retry that lies further ahead was planned before the clock went back."""

Act = Literal["tell", "hold", "forget"]
Reason = Literal[
    "first",
    "new alerts",
    "resolved",
    "repeat",
    "acknowledged",
    "escalation",
    "review",
    "group wait",
    "group interval",
    "retry later",
    "channel is down",
    "rate limit",
    "resolved is not wanted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one channel was told about one topic."""

    channel: str
    topic: str
    firing: frozenset[str] = frozenset()
    """Ids of alerts that were told as firing, and not as resolved since."""
    acknowledged: bool = False
    sent_us: int | None = None
    number: int = 0
    """Notifications that arrived."""
    attempts: int = 0
    """Since the last one that arrived."""
    retry_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How one channel does."""

    failures: int = 0
    """One after the other, up to now."""
    down: bool = False
    """Whether it failed so often that others stand in for it."""
    retry_us: int | None = None
    """It is not tried before."""
    sent_last_hour: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens with one topic of one channel, and why."""

    channel: str
    topic: str
    act: Act
    reason: Reason
    firing: tuple[Alert, ...] = ()
    resolved: tuple[Alert, ...] = ()
    gone: frozenset[str] = frozenset()
    """Ids that the channel was told of and that nobody knows any more: they count as resolved."""
    acknowledged: bool = False
    notice: Notice | None = None
    due_us: int

    @property
    def severity(self) -> Severity:
        """The worst of its alerts."""
        if self.notice is not None:
            return self.notice.severity
        return worst((*self.firing, *self.resolved))


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a decision is made from."""

    alerts: Sequence[Alert]
    """Those that fire, and those that were told and are resolved by now."""
    told: Mapping[tuple[str, str], Told]
    """By channel and topic."""
    health: Mapping[str, Health]
    channels: Mapping[str, Channel]
    settings: NotificationSettings
    acknowledging: frozenset[str] = frozenset()
    """Channels that want to know of an acknowledgement."""
    notices: Sequence[Notice] = ()
    now_us: int


def decide(situation: Situation) -> list[Decision]:
    """Return what is due or held back, the worst first; topics with nothing to say are left out."""
    troubles = Troubles(
        down=frozenset(name for name, it in situation.health.items() if it.down),
        topics=frozenset(
            key for key, it in situation.told.items() if _is_refused(it, situation.now_us)
        ),
    )
    receivers = Receivers(situation.channels, situation.settings, troubles)
    found = [*_about_notices(situation, receivers), *_about_alerts(situation, receivers)]
    found.sort(
        key=lambda one: (-SEVERITIES.index(one.severity), one.due_us, one.topic, one.channel)
    )
    return _limited(found, situation)


def _is_refused(told: Told, now: int) -> bool:
    """Return whether one thing can't be told again and again, of late."""
    of_late = told.retry_us is not None and abs(now - told.retry_us) < HOUR_US
    return told.attempts >= _ATTEMPTS_ALONE and of_late


def known_after(before: Told, decision: Decision, sent_us: int | None) -> Told:
    """Return what a channel knows when it was told; None: it was decided not to tell it."""
    acknowledged = decision.reason == "acknowledged" or (
        before.acknowledged and decision.acknowledged
    )
    firing = frozenset(alert.alert_id for alert in decision.firing)
    if sent_us is None:
        return dataclasses.replace(before, firing=firing, acknowledged=acknowledged)
    return Told(
        channel=before.channel,
        topic=before.topic,
        firing=firing,
        acknowledged=acknowledged,
        sent_us=sent_us,
        number=before.number + 1,
    )


def _about_alerts(situation: Situation, receivers: Receivers) -> Iterator[Decision]:
    now, told = situation.now_us, situation.told
    known = {alert.alert_id: alert for alert in situation.alerts}
    wanted: dict[tuple[str, str], list[Alert]] = {}
    for alert in situation.alerts:
        if alert.state == "firing" and not _is_quiet(alert, now):
            topic = topic_of(alert, situation.settings.group_by)
            for key in receivers.of(alert, topic, now):
                wanted.setdefault(key, []).append(alert)
    for key in wanted.keys() | {key for key, it in told.items() if it.firing}:
        if key[0] in situation.channels:
            before = told.get(key) or Told(channel=key[0], topic=key[1])
            decision = _decide(before, wanted.get(key, []), known, situation)
            if decision is not None:
                yield _held(decision, before, situation)


def _is_quiet(alert: Alert, now: int) -> bool:
    """Return whether nobody is to be told of it: it is silenced, or a worse one says it."""
    silenced = alert.silenced_until_us is not None and alert.silenced_until_us > now
    return silenced or alert.held_back_by is not None


def _decide(
    before: Told, firing: list[Alert], known: Mapping[str, Alert], situation: Situation
) -> Decision | None:
    channel, now = situation.channels[before.channel], situation.now_us
    ended = [known[i] for i in before.firing if i in known and known[i].state != "firing"]
    gone = frozenset(i for i in before.firing if i not in known)
    still = [known[i] for i in before.firing if i in known and known[i].state == "firing"]
    new = [alert for alert in firing if alert.alert_id not in before.firing]
    current = tuple({alert.alert_id: alert for alert in (*firing, *still)}.values())
    acknowledged = bool(current) and all(a.acknowledged_us is not None for a in current)

    def made(act: Act, reason: Reason, due_us: int) -> Decision:
        return Decision(
            channel=before.channel,
            topic=before.topic,
            act=act,
            reason=reason,
            firing=current,
            resolved=tuple(ended),
            gone=gone,
            acknowledged=acknowledged,
            due_us=due_us,
        )

    if new:
        reason, due_us = _first_due(before, new, situation)
        return made("tell", reason, due_us)
    if ended or gone:
        if not channel.send_resolved:
            return made("forget", "resolved is not wanted", now)
        pause = 0 if not current else situation.settings.group_interval_seconds
        return made("tell", "resolved", _after(before.sent_us, pause, now))
    if acknowledged:
        wants = before.channel in situation.acknowledging and not before.acknowledged
        return made("tell", "acknowledged", now) if wants else None
    if firing and _after(before.sent_us, situation.settings.repeat_interval_seconds, now) <= now:
        return made("tell", "repeat", now)
    return None


def _first_due(before: Told, new: list[Alert], situation: Situation) -> tuple[Reason, int]:
    """Return why and when new alerts are told: the first of a group wait for others, later ones
    for the interval to pass.
    """
    settings, now = situation.settings, situation.now_us
    after_last = _after(before.sent_us, settings.group_interval_seconds, now)
    if is_escalation(before.topic):
        return "escalation", after_last if before.firing else now
    if before.firing:
        return "new alerts", after_last
    since = min(_fired(alert) for alert in new)
    return "first", max(_after(since, settings.group_wait_seconds, now), after_last)


def is_escalation(topic: str) -> bool:
    """Return whether a topic is a step of the escalation."""
    return topic.startswith("escalation ")


def _fired(alert: Alert) -> int:
    return alert.created_us if alert.fired_us is None else alert.fired_us


def _after(then_us: int | None, seconds: int, now: int) -> int:
    """Return when so many seconds have passed since then; now when then is unknown or ahead."""
    return now if then_us is None or then_us > now else then_us + seconds * US_PER_SECOND


def _held(decision: Decision, before: Told, situation: Situation) -> Decision:
    """Return the decision, held back while it is too early for it."""
    now = situation.now_us
    if decision.act != "tell":
        return decision
    if decision.due_us > now:
        first = decision.reason == "first" and before.sent_us is None
        return _hold(decision, "group wait" if first else "group interval", decision.due_us)
    health = situation.health.get(decision.channel, Health())
    for retry_us, down in ((health.retry_us, health.down), (before.retry_us, False)):
        if retry_us is not None and now < retry_us <= now + _RETRY_US_MAX:
            return _hold(decision, "channel is down" if down else "retry later", retry_us)
    return decision


def _hold(decision: Decision, reason: Reason, due_us: int) -> Decision:
    return dataclasses.replace(decision, act="hold", reason=reason, due_us=due_us)


def _about_notices(situation: Situation, receivers: Receivers) -> Iterator[Decision]:
    for notice in situation.notices:
        for channel, topic in receivers.of_notice(notice):
            before = situation.told.get((channel, topic), Told(channel=channel, topic=topic))
            if before.sent_us is None:
                decision = Decision(
                    channel=channel,
                    topic=topic,
                    act="tell",
                    reason="review",
                    notice=notice,
                    due_us=situation.now_us,
                )
                yield _held(decision, before, situation)


def _limited(found: list[Decision], situation: Situation) -> list[Decision]:
    """Hold back what is beyond the channels' limits."""
    left = {
        name: channel.notifications_per_hour_max
        - situation.health.get(name, Health()).sent_last_hour
        for name, channel in situation.channels.items()
    }
    limited = []
    for decision in found:
        kept = decision
        if kept.act == "tell":
            left[kept.channel] -= 1
            if left[kept.channel] < 0:
                kept = _hold(kept, "rate limit", situation.now_us + HOUR_US)
        limited.append(kept)
    return limited
