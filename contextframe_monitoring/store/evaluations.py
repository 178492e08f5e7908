"""When the alert rules of a store were last evaluated, by whom, and how that went."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from contextframe_monitoring.store.state import metadata

_evaluations = sa.Table(
    "alert_evaluations",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
_ONE = 1


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """The last evaluation. `problems` are those of single rules, by their names."""

    at_us: int
    host: str
    pid: int
    interval_seconds: float
    seconds: float
    rules: int
    groups: int
    queries: int
    problems: dict[str, str]
    losses: list[tuple[int, int]] = []
    """Records lost up to a time, over the longest window that asks: what a growth is told from."""


class Evaluations:
    """The note of the last evaluation of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the engine of an open state."""
        self._engine = engine

    def last(self) -> Evaluated | None:
        """Return the last evaluation, None when there was none."""
        with self._engine.begin() as connection:
            body = connection.scalar(sa.select(_evaluations.c.body))
        return None if body is None else msgspec.json.decode(body, type=Evaluated)

    def note(self, evaluated: Evaluated) -> None:
        """Write down an evaluation."""
        body = msgspec.json.encode(evaluated)
        with self._engine.begin() as connection:
            if not connection.execute(_evaluations.update().values(body=body)).rowcount:
                connection.execute(_evaluations.insert().values(one=_ONE, body=body))
