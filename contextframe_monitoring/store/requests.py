"""Requests for maintenance, through the state: whoever keeps the store carries them out and says
how far it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.store.state import metadata

_TEXT_CHARS_MAX = 500

_requests = sa.Table(
    "maintenance_requests",
    metadata,
    sa.Column("request", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("asked_us", sa.BigInteger, nullable=False),
    sa.Column("rebuild", sa.Boolean, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("finished_us", sa.BigInteger),
    sa.Column("error", sa.Text),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: `step` is the last of `steps` that were begun, `error` why it ended badly."""

    request: int
    rebuild: bool
    step: str
    steps: int
    finished: bool
    error: str | None


class Requests:
    """The requests of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use an engine that `open_state` returned."""
        self._engine = engine

    def ask(self, now_us: int, *, rebuild: bool) -> int:
        """Ask for maintenance; return the number of the request. Old answers are forgotten."""
        old = _requests.c.asked_us < now_us - US_PER_DAY
        with self._engine.begin() as connection:
            connection.execute(_requests.delete().where(old))
            connection.execute(
                _requests.insert().values(asked_us=now_us, rebuild=rebuild, step="", steps=0)
            )
            return connection.scalar(sa.select(sa.func.max(_requests.c.request))) or 0

    def pending(self) -> Request | None:
        """Return the oldest request that is not finished."""
        open_ones = sa.select(_requests).where(_requests.c.finished_us.is_(None))
        return self._one(open_ones.order_by(_requests.c.request).limit(1))

    def look(self, request: int) -> Request | None:
        """Return how far a request is, None when nobody knows it."""
        return self._one(sa.select(_requests).where(_requests.c.request == request))

    def note(self, request: int, step: str) -> None:
        """Say which step begins."""
        self._update(request, step=step[:_TEXT_CHARS_MAX], steps=_requests.c.steps + 1)

    def finish(self, request: int, now_us: int, error: str | None = None) -> None:
        """Say that a request is done, or why it can't be."""
        shown = None if error is None else error[:_TEXT_CHARS_MAX]
        self._update(request, finished_us=now_us, error=shown)

    def _update(self, request: int, **values: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                _requests.update().where(_requests.c.request == request).values(**values)
            )

    def _one(self, statement: sa.Select[tuple[object, ...]]) -> Request | None:
        with self._engine.begin() as connection:
            row = connection.execute(statement).first()
        if row is None:
            return None
        return Request(
            request=row.request,
            rebuild=row.rebuild,
            step=row.step,
            steps=row.steps,
            finished=row.finished_us is not None,
            error=row.error,
        )
