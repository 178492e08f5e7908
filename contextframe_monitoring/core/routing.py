"""Who is told of an alert: the channels of its rule or of the configuration, those that stand in
for one that fails, and those that an escalation reaches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from contextframe_monitoring.core.alert import SEVERITIES, Alert, Severity
from contextframe_monitoring.core.channel_settings import Channel
from contextframe_monitoring.core.clock import US_PER_SECOND
from contextframe_monitoring.core.notification_settings import NotificationSettings

_VALUE_CHARS_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to tell that is no alert: each of its channels is told once."""

    topic: str
    severity: Severity
    title: str
    lines: tuple[str, ...]
    channels: tuple[str, ...]
    recommendation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What can't be told now."""

    down: frozenset[str]
    """Channels that fail."""
    topics: frozenset[tuple[str, str]]
    """Channel and topic, where that one thing is refused again and again."""

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.down or self.topics)

    def about(self, channel: str, topic: str) -> bool:
        """Return whether this channel can't be told of this topic."""
        return channel in self.down or (channel, topic) in self.topics


def topic_of(alert: Alert, group_by: Sequence[str]) -> str:
    """Return the group that an alert belongs to, in words: `incident=i-93ab`."""
    own = {
        "rule": alert.rule,
        "severity": alert.severity,
        "signal": alert.signal,
        "alert": alert.alert_id,
        "incident": alert.incident_id or f"of rule {alert.rule}",
    }
    values = {**alert.labels, **alert.group, **own}
    parts = (f"{name}={values.get(name, '')[:_VALUE_CHARS_MAX]}" for name in group_by)
    return ",".join(parts) or "all alerts"


def default_channels(channels: Mapping[str, Channel], settings: NotificationSettings) -> list[str]:
    """Return the channels of alerts whose rule names none."""
    if settings.channels:
        return settings.channels
    stand_in = {channel.fallback for channel in channels.values()}
    return [name for name in channels if name not in stand_in]


class Receivers:
    """Who is told of which alert, as things stand."""

    def __init__(
        self, channels: Mapping[str, Channel], settings: NotificationSettings, troubles: Troubles
    ) -> None:
        """Nothing is asked yet."""
        self._channels, self._settings, self._troubles = channels, settings, troubles
        self._default = default_channels(channels, settings)

    def of(self, alert: Alert, topic: str, now_us: int) -> Iterator[tuple[str, str]]:
        """Yield channel and topic, each pair once."""
        told = [(name, topic) for name in self._routed(alert)]
        told += self._escalated(alert, topic, now_us)
        if self._troubles:
            told = [pair for one in told for pair in self._with_fallback(*one)]
        yield from dict.fromkeys(told)

    def of_notice(self, notice: Notice) -> Iterator[tuple[str, str]]:
        """Yield channel and topic of something that is no alert, each pair once."""
        told = [(name, notice.topic) for name in notice.channels if name in self._channels]
        yield from dict.fromkeys(pair for one in told for pair in self._with_fallback(*one))

    def _routed(self, alert: Alert) -> list[str]:
        named = [name for name in alert.channels if name in self._channels]
        if named:
            return named
        rank = SEVERITIES.index(alert.severity)
        return [
            name
            for name in self._default
            if SEVERITIES.index(self._channels[name].min_severity) <= rank
        ]

    def _escalated(self, alert: Alert, topic: str, now_us: int) -> Iterator[tuple[str, str]]:
        settings = self._settings
        rank = SEVERITIES.index(settings.escalation_severity)
        if alert.acknowledged_us is not None or SEVERITIES.index(alert.severity) < rank:
            return
        since = alert.created_us if alert.fired_us is None else alert.fired_us
        for number, step in enumerate(settings.escalation, 1):
            if now_us >= since + step.after_seconds * US_PER_SECOND:
                yield from ((name, f"escalation {number}: {topic}") for name in step.channels)

    def _with_fallback(self, channel: str, topic: str) -> Iterator[tuple[str, str]]:
        name: str | None = channel
        while name is not None:
            yield name, topic
            name = self._channels[name].fallback if self._troubles.about(name, topic) else None
