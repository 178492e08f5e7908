"""The audit log of a store: who changed what, when, through which door, from what to what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from contextframe_monitoring.core.privacy import bounded_name, bounded_text
from contextframe_monitoring.store.state import metadata

Door = Literal["command", "tool", "rest", "python", "keeper"]

TEXT_CHARS_MAX = 2_000
ENTRIES_MAX = 100_000
"""The oldest entries beyond are taken out, a thousand at a time."""
_SLACK = 1_000

_audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("door", sa.String(16), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One change. `before` and `after` are bounded JSON, None for what did not exist."""

    at_us: int
    actor: str
    door: str
    action: str
    subject: str
    before: str | None = None
    after: str | None = None


class Audit:
    """The audit log of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the engine of an open state."""
        self._engine = engine

    def note(
        self,
        at_us: int,
        actor: str,
        door: Door,
        action: str,
        subject: str,
        before: Any = None,
        after: Any = None,
    ) -> None:
        """Write down one change."""
        row = {
            "at_us": at_us,
            "actor": bounded_name(actor),
            "door": door,
            "action": action,
            "subject": bounded_name(subject),
            "before": _json(before),
            "after": _json(after),
        }
        with self._engine.begin() as connection:
            number = connection.execute(_audit.insert().values(row)).inserted_primary_key
            last = int(number[0]) if number else 0
            if last % _SLACK == 0:
                connection.execute(_audit.delete().where(_audit.c.number <= last - ENTRIES_MAX))

    def entries(self, limit: int = 100, subject: str | None = None) -> list[Audited]:
        """Return the last changes, the newest first."""
        wanted = sa.select(_audit).order_by(_audit.c.number.desc()).limit(limit)
        if subject is not None:
            wanted = wanted.where(_audit.c.subject == subject)
        with self._engine.begin() as connection:
            rows = connection.execute(wanted).all()
        return [
            Audited(
                at_us=row.at_us,
                actor=row.actor,
                door=row.door,
                action=row.action,
                subject=row.subject,
                before=row.before,
                after=row.after,
            )
            for row in rows
        ]


def _json(value: Any) -> str | None:
    if value is None:
        return None
    return bounded_text(msgspec.json.encode(value).decode(), TEXT_CHARS_MAX)
