"""Rows that are taken out on purpose, written down before and counted after, so that none of them
looks lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from contextframe_monitoring.store.state import metadata

_removals = sa.Table(
    "removals",
    metadata,
    sa.Column("table_name", sa.String(64), primary_key=True),
    sa.Column("cutoff_us", sa.BigInteger, nullable=False),
    sa.Column("batch", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
)
_removed = sa.Table(
    "removed",
    metadata,
    sa.Column("table_name", sa.String(64), primary_key=True),
    sa.Column("writer", sa.String(32), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)
_expired = sa.Table(
    "expired",
    metadata,
    sa.Column("writer", sa.String(32), primary_key=True),
    sa.Column("reason", sa.String(32), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Rows of a table before a time, of batches up to `batch`, that are taken out for a reason."""

    table: str
    cutoff_us: int
    batch: int
    reason: str


class Removals:
    """The removals of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use an engine that `open_state` returned."""
        self._engine = engine

    def open(self, removal: Removal, counts: dict[str, int]) -> None:
        """Write down, durably, how many rows of which writers are about to go."""
        with self._engine.begin() as connection:
            connection.execute(_removals.delete().where(_removals.c.table_name == removal.table))
            connection.execute(
                _removals.insert().values(
                    table_name=removal.table,
                    cutoff_us=removal.cutoff_us,
                    batch=removal.batch,
                    reason=removal.reason,
                    open=True,
                )
            )
            connection.execute(
                _removed.insert(),
                [
                    {"table_name": removal.table, "writer": writer, "count": count}
                    for writer, count in counts.items()
                ],
            )

    def unfinished(self) -> list[tuple[Removal, dict[str, int]]]:
        """Return what is written down and not closed, with the rows of each writer."""
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(_removals).where(_removals.c.open)).all()
            rows = connection.execute(sa.select(_removed)).all()
        return [
            (
                Removal(table=r.table_name, cutoff_us=r.cutoff_us, batch=r.batch, reason=r.reason),
                {writer: count for table, writer, count in rows if table == r.table_name},
            )
            for r in found
        ]

    def close(self, removal: Removal, counts: dict[str, int]) -> None:
        """Declare a removal done and add its rows to what has expired."""
        with self._engine.begin() as connection:
            same_table = _removals.c.table_name == removal.table
            connection.execute(_removals.update().where(same_table).values(open=False))
            connection.execute(_removed.delete().where(_removed.c.table_name == removal.table))
            for writer, count in counts.items():
                same = sa.and_(_expired.c.writer == writer, _expired.c.reason == removal.reason)
                grown = _expired.update().where(same).values(count=_expired.c.count + count)
                if connection.execute(grown).rowcount == 0:
                    row = {"writer": writer, "reason": removal.reason, "count": count}
                    connection.execute(_expired.insert().values(**row))

    def cutoffs(self) -> dict[str, int]:
        """Return up to which time rows of each table were taken out."""
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(_removals)).all()
        return {r.table_name: r.cutoff_us for r in found}

    def expired(self) -> dict[str, int]:
        """Return how many rows of each writer were taken out."""
        with self._engine.begin() as connection:
            total = sa.func.sum(_expired.c.count)
            found = connection.execute(
                sa.select(_expired.c.writer, total).group_by(_expired.c.writer)
            ).all()
        return {writer: int(count) for writer, count in found}
