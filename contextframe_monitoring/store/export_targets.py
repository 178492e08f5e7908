"""How far each export target has come, and how it does: rows of the state.

An export covers whole batches, after `batch` and up to `open_batch`; the latter is written down
before anything is sent, so that an export that was cut off is repeated as it was.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import sqlalchemy as sa

from contextframe_monitoring.store.state import metadata

ERROR_CHARS_MAX = 500

export_targets = sa.Table(
    "export_targets",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("batch", sa.BigInteger, nullable=False),
    sa.Column("covered_us", sa.BigInteger, nullable=False),
    sa.Column("open_batch", sa.BigInteger),
    sa.Column("open_us", sa.BigInteger),
    sa.Column("next_us", sa.BigInteger, nullable=False),
    sa.Column("succeeded_us", sa.BigInteger),
    sa.Column("failing_since_us", sa.BigInteger),
    sa.Column("failures", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.BigInteger, nullable=False),
    sa.Column("rejected", sa.BigInteger, nullable=False),
    sa.Column("last_error", sa.Text),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """One target. Times are microseconds since the epoch.

    Everything up to `batch`, recorded until `covered_us`, was sent. `failures` counts in a row,
    `sent` and `rejected` (points, spans, rows that the other side refused for good) over all time.
    """

    name: str
    type: str
    batch: int = 0
    covered_us: int = 0
    open_batch: int | None = None
    open_us: int | None = None
    next_us: int = 0
    succeeded_us: int | None = None
    failing_since_us: int | None = None
    failures: int = 0
    sent: int = 0
    rejected: int = 0
    last_error: str | None = None


class TargetBook:
    """The targets of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use an engine that `open_state` returned."""
        self._engine = engine

    def get(self, name: str) -> TargetState | None:
        """Return one target, None before its first export."""
        wanted = sa.select(export_targets).where(export_targets.c.name == name)
        with self._engine.begin() as connection:
            found = connection.execute(wanted).mappings().first()
        return None if found is None else TargetState(**found)

    def all(self) -> list[TargetState]:
        """Return every target that was ever exported to; none where the state is an old one."""
        if not sa.inspect(self._engine).has_table(export_targets.name):
            return []
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(export_targets).order_by(export_targets.c.name))
            return [TargetState(**row) for row in found.mappings()]

    def put(self, state: TargetState) -> None:
        """Write one target down as it is now."""
        values = dataclasses.asdict(state)
        if state.last_error is not None:
            values["last_error"] = state.last_error[:ERROR_CHARS_MAX]
        same = export_targets.c.name == state.name
        with self._engine.begin() as connection:
            changed = connection.execute(export_targets.update().where(same).values(**values))
            if changed.rowcount == 0:
                connection.execute(export_targets.insert().values(**values))
