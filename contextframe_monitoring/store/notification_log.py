"""What channels were told, and how they do, in the state of a store.

Three tables: what each channel knows of each topic (so that a new process tells nothing twice and
forgets nothing), how each channel does, and the notifications of late for whoever looks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.delivery import HOUR_US, Health, Told
from contextframe_monitoring.core.notification import thread_of
from contextframe_monitoring.store.state import metadata

Outcome = Literal["sent", "failed", "test"]

KEPT_US = 30 * US_PER_DAY
"""How long a topic with nothing firing, and a notification, is remembered."""
NOTED_MAX = 10_000
"""Notifications that are remembered."""

TOLD = sa.Table(
    "notification_topics",
    metadata,
    sa.Column("channel", sa.String(64), primary_key=True),
    sa.Column("thread", sa.String(32), primary_key=True),
    sa.Column("changed_us", sa.BigInteger, nullable=False),
    sa.Column("sending_us", sa.BigInteger),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
_health = sa.Table(
    "notification_channels",
    metadata,
    sa.Column("channel", sa.String(64), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
NOTED = sa.Table(
    "notifications",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("channel", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(8), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("notifications_by_channel", "channel", "outcome", "at_us"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHealth:
    """How one channel does, for people to read too."""

    channel: str
    failures: int = 0
    """One after the other, up to now."""
    down: bool = False
    retry_us: int | None = None
    sent_us: int | None = None
    """When the last notification arrived."""
    failed_us: int | None = None
    problem: str | None = None
    """Why the last attempt failed, or whom it did not reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One notification, or one failed attempt, as it is remembered."""

    at_us: int
    channel: str
    outcome: Outcome
    reason: str
    notification: dict[str, Any]
    """As JSON has it (`core.notification.as_json`)."""
    problem: str | None = None


class NotificationLog:
    """What channels were told, over the state of one store."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the engine of an open state."""
        self._engine = engine

    @property
    def exists(self) -> bool:
        """Whether anybody ever wrote one into this state."""
        return sa.inspect(self._engine).has_table(NOTED.name)

    def told(self) -> dict[tuple[str, str], Told]:
        """Return what is known of every channel and topic."""
        with self._engine.begin() as connection:
            bodies = connection.scalars(sa.select(TOLD.c.body)).all()
        found = [msgspec.json.decode(body, type=Told) for body in bodies]
        return {(one.channel, one.topic): one for one in found}

    def interrupted(self) -> int:
        """Return how many notifications were being sent when nobody noted how that ended."""
        wanted = sa.select(sa.func.count()).select_from(TOLD)
        with self._engine.begin() as connection:
            return connection.scalar(wanted.where(TOLD.c.sending_us.is_not(None))) or 0

    def sending(self, told: Told, now_us: int) -> None:
        """Note, durably, that a channel is about to be told more than it knows."""
        self.put(told, now_us, sending_us=now_us)

    def put(self, told: Told, now_us: int, *, sending_us: int | None = None) -> None:
        """Note what a channel knows of a topic."""
        thread = thread_of(told.topic)
        with self._engine.begin() as connection:
            same = (TOLD.c.channel == told.channel) & (TOLD.c.thread == thread)
            connection.execute(TOLD.delete().where(same))
            connection.execute(
                TOLD.insert().values(
                    channel=told.channel,
                    thread=thread,
                    changed_us=now_us,
                    sending_us=sending_us,
                    body=msgspec.json.encode(told),
                )
            )

    def health(self) -> dict[str, ChannelHealth]:
        """Return how every channel does that was ever used."""
        with self._engine.begin() as connection:
            bodies = connection.scalars(sa.select(_health.c.body)).all()
        found = [msgspec.json.decode(body, type=ChannelHealth) for body in bodies]
        return {one.channel: one for one in found}

    def sent_last_hour(self, now_us: int) -> dict[str, int]:
        """Return how many notifications each channel got within the last hour."""
        of_late = (NOTED.c.at_us > now_us - HOUR_US) & (NOTED.c.at_us <= now_us)
        wanted = sa.select(NOTED.c.channel, sa.func.count()).where(
            NOTED.c.outcome == "sent", of_late
        )
        with self._engine.begin() as connection:
            rows = connection.execute(wanted.group_by(NOTED.c.channel)).all()
        return {row[0]: row[1] for row in rows}

    def situation(self, now_us: int) -> dict[str, Health]:
        """Return how the channels do, as a decision wants to know it."""
        sent = self.sent_last_hour(now_us)
        found = {
            name: Health(failures=one.failures, down=one.down, retry_us=one.retry_us)
            for name, one in self.health().items()
        }
        return {
            name: dataclasses.replace(found.get(name, Health()), sent_last_hour=sent.get(name, 0))
            for name in found.keys() | sent.keys()
        }

    def put_health(self, health: ChannelHealth) -> None:
        """Note how a channel does."""
        with self._engine.begin() as connection:
            connection.execute(_health.delete().where(_health.c.channel == health.channel))
            connection.execute(
                _health.insert().values(channel=health.channel, body=msgspec.json.encode(health))
            )

    def note(self, noted: Noted) -> None:
        """Remember a notification, and forget those that are too old or too many."""
        body = msgspec.json.encode(noted)
        with self._engine.begin() as connection:
            connection.execute(
                NOTED.insert().values(
                    at_us=noted.at_us, channel=noted.channel, outcome=noted.outcome, body=body
                )
            )
            last = connection.scalar(sa.select(sa.func.max(NOTED.c.number))) or 0
            connection.execute(NOTED.delete().where(NOTED.c.number <= last - NOTED_MAX))

    def forget(self, now_us: int) -> None:
        """Forget topics that nothing fires in, and notifications, that are long ago."""
        before = now_us - KEPT_US
        with self._engine.begin() as connection:
            connection.execute(NOTED.delete().where(NOTED.c.at_us < before))
            rows = connection.execute(
                sa.select(TOLD.c.channel, TOLD.c.thread, TOLD.c.body).where(
                    TOLD.c.changed_us < before
                )
            ).all()
            for channel, thread, body in rows:
                if not msgspec.json.decode(body, type=Told).firing:
                    same = (TOLD.c.channel == channel) & (TOLD.c.thread == thread)
                    connection.execute(TOLD.delete().where(same))

    def last(self, limit: int = 50, channel: str | None = None) -> Sequence[Noted]:
        """Return the last notifications, the newest first."""
        wanted = sa.select(NOTED.c.body).order_by(NOTED.c.number.desc()).limit(limit)
        if channel is not None:
            wanted = wanted.where(NOTED.c.channel == channel)
        with self._engine.begin() as connection:
            bodies = connection.scalars(wanted).all()
        return [msgspec.json.decode(body, type=Noted) for body in bodies]
