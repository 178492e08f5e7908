"""Whether a channel works: a test notification, sent now, and how all channels do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from contextframe_monitoring.alerts.notifier import Sent
from contextframe_monitoring.alerts.registry import lacking, notifier_of
from contextframe_monitoring.core.channel_settings import Channel, type_of
from contextframe_monitoring.core.channel_status import ChannelStatus, State
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import MonitoringError, NotFoundError
from contextframe_monitoring.core.notification import (
    Notification,
    as_json,
    delivery_id_of,
    trial,
)
from contextframe_monitoring.core.windows import iso
from contextframe_monitoring.store.notification_log import ChannelHealth, Noted, NotificationLog
from contextframe_monitoring.store.store import Store


def channel_named(config: MonitoringConfig, name: str) -> Channel:
    """Return a channel of the configuration. Raises `NotFoundError`."""
    if name not in config.channels:
        known = ", ".join(config.channels) or "none: add a table [channels.NAME]"
        raise NotFoundError("channel", name, f"the configuration has {known}")
    channel: Channel = config.channels[name]
    return channel


def deliver(
    config: MonitoringConfig, name: str, notification: Notification, environ: Mapping[str, str]
) -> Sent:
    """Tell one channel now, whatever it was told before. Raises a `MonitoringError` when nobody
    was reached.
    """
    return notifier_of(name, channel_named(config, name), environ).send(notification)


def try_channel(
    store: Store, config: MonitoringConfig, name: str, environ: Mapping[str, str], now_us: int
) -> Sent:
    """Send a test notification and note how it went: a channel that works again is used again at
    once. Raises a `MonitoringError` when nobody was reached.
    """
    channel_named(config, name)
    notification = trial(name, delivery_id_of(name, "test", now_us), now_us)
    log = None if store.engine is None else NotificationLog(store.create())
    try:
        sent = deliver(config, name, notification, environ)
    except MonitoringError as error:
        _note(log, name, notification, str(error), now_us)
        raise
    _note(log, name, notification, sent.problem, now_us)
    if log is not None:
        was = log.health().get(name, ChannelHealth(channel=name))
        log.put_health(
            dataclasses.replace(
                was, failures=0, down=False, retry_us=None, sent_us=now_us, problem=sent.problem
            )
        )
    return sent


def _note(
    log: NotificationLog | None,
    name: str,
    notification: Notification,
    problem: str | None,
    now_us: int,
) -> None:
    if log is not None:
        said = as_json(notification)
        log.note(
            Noted(
                at_us=now_us,
                channel=name,
                outcome="test",
                reason="test",
                notification=said,
                problem=problem,
            )
        )


def channel_statuses(
    store: Store, config: MonitoringConfig, environ: Mapping[str, str], now_us: int
) -> Sequence[ChannelStatus]:
    """Return how every channel of the configuration does."""
    log = None if store.engine is None else NotificationLog(store.engine)
    log = log if log is not None and log.exists else None
    health = {} if log is None else log.health()
    sent = {} if log is None else log.sent_last_hour(now_us)
    return [
        _status(name, channel, health.get(name, ChannelHealth(channel=name)), environ, sent)
        for name, channel in config.channels.items()
    ]


def _status(
    name: str,
    channel: Channel,
    health: ChannelHealth,
    environ: Mapping[str, str],
    sent: Mapping[str, int],
) -> ChannelStatus:
    missing = lacking(name, channel, environ)
    return ChannelStatus(
        name=name,
        type=type_of(channel),
        state="incomplete" if missing else _state(health),
        min_severity=channel.min_severity,
        fallback=channel.fallback,
        sent_last_hour=sent.get(name, 0),
        last_sent_at=_when(health.sent_us),
        last_failed_at=_when(health.failed_us),
        retry_at=_when(health.retry_us),
        problem="; ".join(missing) or health.problem,
    )


def _state(health: ChannelHealth) -> State:
    if health.failures:
        return "down" if health.down else "failing"
    return "untried" if health.sent_us is None else "working"


def _when(time_us: int | None) -> str | None:
    return None if time_us is None else iso(time_us, "UTC")
