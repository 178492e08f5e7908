"""Rows that are taken out on purpose, written down before and counted after, so that none of them
looks lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from contextframe_monitoring.core.selection import Selection
from contextframe_monitoring.store.schemas import METRIC_TABLES
from contextframe_monitoring.store.state import metadata

RETENTION, PURGE, SAMPLED = "retention", "purge", "sampled"

_removals = sa.Table(
    "removals",
    metadata,
    sa.Column("table_name", sa.String(64), primary_key=True),
    sa.Column("reason", sa.String(32), primary_key=True),
    sa.Column("batch", sa.BigInteger, nullable=False),
    sa.Column("before_us", sa.BigInteger),
    sa.Column("agent_id", sa.Text),
    sa.Column("session_id", sa.Text),
)
_removed = sa.Table(
    "removed",
    metadata,
    sa.Column("table_name", sa.String(64), primary_key=True),
    sa.Column("reason", sa.String(32), primary_key=True),
    sa.Column("writer", sa.String(32), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)
_hours = sa.Table(
    "removal_hours",
    metadata,
    sa.Column("table_name", sa.String(64), primary_key=True),
    sa.Column("reason", sa.String(32), primary_key=True),
    sa.Column("hour_us", sa.BigInteger, primary_key=True, autoincrement=False),
)
_cutoffs = sa.Table(
    "cutoffs",
    metadata,
    sa.Column("table_name", sa.String(64), primary_key=True),
    sa.Column("cutoff_us", sa.BigInteger, nullable=False),
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
    """Rows of a table, of batches up to `batch`, that are taken out for a reason.

    `counts` is how many rows of which writers go; `hours` are the starts (microseconds) of the
    hours whose rollups are made anew from the raw rows that stay.
    """

    table: str
    selection: Selection
    batch: int
    reason: str
    counts: Mapping[str, int] = field(default_factory=dict)
    hours: Sequence[int] = ()


class Removals:
    """The removals of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use an engine that `open_state` returned."""
        self.engine = engine

    def open(self, *removals: Removal) -> None:
        """Write down, durably and all at once, which rows are about to go."""
        with self.engine.begin() as connection:
            for removal in removals:
                _write(connection, removal)

    def unfinished(self) -> list[Removal]:
        """Return what is written down and not closed, in the order of the tables' names."""
        with self.engine.begin() as connection:
            found = connection.execute(sa.select(_removals)).all()
            counts = connection.execute(sa.select(_removed)).all()
            hours = connection.execute(sa.select(_hours).order_by(_hours.c.hour_us)).all()
        return [
            Removal(
                table=row.table_name,
                selection=Selection(
                    before_us=row.before_us, agent_id=row.agent_id, session_id=row.session_id
                ),
                batch=row.batch,
                reason=row.reason,
                counts={writer: count for *same, writer, count in counts if same == [*row[:2]]},
                hours=[h.hour_us for h in hours if h[:2] == row[:2]],
            )
            for row in sorted(found)
        ]

    def close(self, *removals: Removal) -> None:
        """Declare removals done, all at once, and add their rows to what has expired."""
        with self.engine.begin() as connection:
            for removal in removals:
                _forget(connection, removal)
                for writer, count in removal.counts.items():
                    add_expired(connection, writer, removal.reason, count)

    def cutoffs(self) -> dict[str, int]:
        """Return up to which time rows of each table were taken out for their age alone."""
        with self.engine.begin() as connection:
            return {r.table_name: r.cutoff_us for r in connection.execute(sa.select(_cutoffs))}

    def raw_cutoff_us(self) -> int:
        """Return from which time on all raw tables hold everything, 0 for ever."""
        cutoffs = self.cutoffs()
        return max((cutoffs.get(name, 0) for name in METRIC_TABLES), default=0)

    def raise_cutoff(self, name: str, cutoff_us: int) -> None:
        """Say that a table holds nothing before a time, or not all of it."""
        with self.engine.begin() as connection:
            _raise_cutoff(connection, name, cutoff_us)

    def expired(self) -> dict[str, int]:
        """Return how many rows of each writer were taken out."""
        with self.engine.begin() as connection:
            total = sa.func.sum(_expired.c.count)
            found = connection.execute(
                sa.select(_expired.c.writer, total).group_by(_expired.c.writer)
            ).all()
        return {writer: int(count) for writer, count in found}


def _write(connection: sa.Connection, removal: Removal) -> None:
    _forget(connection, removal)
    same = {"table_name": removal.table, "reason": removal.reason}
    selection = removal.selection
    connection.execute(
        _removals.insert().values(
            **same,
            batch=removal.batch,
            before_us=selection.before_us,
            agent_id=selection.agent_id,
            session_id=selection.session_id,
        )
    )
    counts = [{**same, "writer": w, "count": count} for w, count in removal.counts.items()]
    if counts:
        connection.execute(_removed.insert(), counts)
    hours = [{**same, "hour_us": hour} for hour in removal.hours]
    if hours:
        connection.execute(_hours.insert(), hours)
    if selection.is_time_only:
        _raise_cutoff(connection, removal.table, selection.before_us or 0)


def _forget(connection: sa.Connection, removal: Removal) -> None:
    for table in (_removals, _removed, _hours):
        connection.execute(
            table.delete().where(
                table.c.table_name == removal.table, table.c.reason == removal.reason
            )
        )


def _raise_cutoff(connection: sa.Connection, name: str, cutoff_us: int) -> None:
    same = _cutoffs.c.table_name == name
    known = connection.scalar(sa.select(_cutoffs.c.cutoff_us).where(same))
    if known is None:
        connection.execute(_cutoffs.insert().values(table_name=name, cutoff_us=cutoff_us))
    elif known < cutoff_us:
        connection.execute(_cutoffs.update().where(same).values(cutoff_us=cutoff_us))


def add_expired(connection: sa.Connection, writer: str, reason: str, count: int) -> None:
    """Count rows of a writer that are not in the tables on purpose."""
    same = sa.and_(_expired.c.writer == writer, _expired.c.reason == reason)
    grown = _expired.update().where(same).values(count=_expired.c.count + count)
    if connection.execute(grown).rowcount == 0:
        connection.execute(_expired.insert().values(writer=writer, reason=reason, count=count))
