"""The silences of a store, in its state."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from contextframe_monitoring.core.errors import LimitedError
from contextframe_monitoring.core.silence import SILENCES_MAX, Silence
from contextframe_monitoring.store.state import metadata

_silences = sa.Table(
    "alert_silences",
    metadata,
    sa.Column("silence_id", sa.String(64), primary_key=True),
    sa.Column("ends_us", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


class Silences:
    """The silences of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the engine of an open state."""
        self._engine = engine

    def add(self, silence: Silence) -> None:
        """Write a silence. Raises `LimitedError` when too many are not over."""
        with self._engine.begin() as connection:
            later = _silences.c.ends_us > silence.created_us
            connection.execute(_silences.delete().where(~later))
            count = int(connection.scalar(sa.select(sa.func.count()).where(later)) or 0)
            if count >= SILENCES_MAX:
                raise LimitedError(
                    "number of silences", count + 1, SILENCES_MAX, "end some: alerts silence --end"
                )
            connection.execute(
                _silences.insert().values(
                    silence_id=silence.silence_id,
                    ends_us=silence.ends_us,
                    body=msgspec.json.encode(silence),
                )
            )

    def coming(self, now_us: int) -> list[Silence]:
        """Return those that are not over, the one that ends first in front."""
        wanted = sa.select(_silences.c.body).where(_silences.c.ends_us > now_us)
        with self._engine.begin() as connection:
            bodies = connection.scalars(wanted.order_by(_silences.c.ends_us)).all()
        return [msgspec.json.decode(body, type=Silence) for body in bodies]

    def end(self, silence_id: str) -> Silence | None:
        """Take a silence out; return it, None when there is none of this id."""
        same = _silences.c.silence_id == silence_id
        with self._engine.begin() as connection:
            body = connection.scalar(sa.select(_silences.c.body).where(same))
            connection.execute(_silences.delete().where(same))
        return None if body is None else msgspec.json.decode(body, type=Silence)
