"""How far each level of the rollups is folded, kept in the state.

Level L holds, as rows, everything of the batches up to its watermark; a reader adds the rows of
finer levels beyond it. Rows whose batches lie below every watermark that a reader may still go by
are merged with one another (`store.consolidation`): up to which batch stands here too, and a
reader that looked before that asks again.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from contextframe_monitoring.store.state import metadata

_folds = sa.Table(
    "folds",
    metadata,
    sa.Column("level", sa.String(16), primary_key=True),
    sa.Column("watermark", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
)
_merges = sa.Table(
    "merges",
    metadata,
    sa.Column("table_name", sa.String(64), primary_key=True),
    sa.Column("batch", sa.BigInteger, nullable=False),
)
_others = sa.Table(
    "rollup_others",
    metadata,
    sa.Column("level", sa.String(16), primary_key=True),
    sa.Column("facts", sa.BigInteger, nullable=False),
)
_DROPPED = -1
"""Watermark of a level whose rows are about to go: readers leave it alone."""


class Folds:
    """The watermarks of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use an engine that `open_state` returned."""
        self.engine = engine

    def watermarks(self) -> dict[str, int]:
        """Return the last batch that each level holds; of a level that is not kept, nothing."""
        last = sa.func.max(_folds.c.watermark)
        found = sa.select(_folds.c.level, last.label("last")).group_by(_folds.c.level)
        dropped = sa.func.min(_folds.c.watermark) > _DROPPED
        with self.engine.begin() as connection:
            rows = connection.execute(found.having(dropped)).all()
        return {row.level: row.last for row in rows}

    def advance(self, level: str, watermark: int, now_us: int, others: int = 0) -> None:
        """Declare that a level holds everything up to a batch: its rows are durable, and `others`
        of the facts in them are in groups beyond the bound.
        """
        with self.engine.begin() as connection:
            add_others(connection, level, others)
            connection.execute(
                _folds.insert().values(level=level, watermark=watermark, at_us=now_us)
            )

    def settled(self, level: str, before_us: int) -> int:
        """Return the watermark that a level had at a time, 0 for none, and forget older ones."""
        mine = _folds.c.level == level
        then = sa.select(sa.func.max(_folds.c.watermark)).where(mine, _folds.c.at_us <= before_us)
        with self.engine.begin() as connection:
            found: int = connection.scalar(then) or 0
            connection.execute(
                _folds.delete().where(mine, _folds.c.watermark < found, _folds.c.watermark >= 0)
            )
        return max(found, 0)

    def drop(self, level: str, now_us: int) -> None:
        """Tell readers to leave a level alone, before its rows go."""
        with self.engine.begin() as connection:
            mine = sa.and_(_folds.c.level == level, _folds.c.watermark == _DROPPED)
            if connection.scalar(sa.select(_folds.c.level).where(mine)) is None:
                connection.execute(
                    _folds.insert().values(level=level, watermark=_DROPPED, at_us=now_us)
                )

    def dropped(self) -> set[str]:
        """Return the levels whose rows are about to go."""
        mine = sa.select(_folds.c.level).where(_folds.c.watermark == _DROPPED)
        with self.engine.begin() as connection:
            return set(connection.scalars(mine))

    def forget(self, level: str) -> None:
        """Forget a level: its table is empty."""
        with self.engine.begin() as connection:
            connection.execute(_folds.delete().where(_folds.c.level == level))

    def others(self) -> dict[str, int]:
        """Return how many facts of each level were ever put into groups called `other`."""
        with self.engine.begin() as connection:
            return {row.level: row.facts for row in connection.execute(sa.select(_others))}

    def merged(self) -> dict[str, int]:
        """Return up to which batch rows of each table may have been merged with one another."""
        with self.engine.begin() as connection:
            found = connection.execute(sa.select(_merges))
            return {row.table_name: row.batch for row in found}

    def note_merged(self, batches: Mapping[str, int]) -> None:
        """Say, before it happens, that rows up to a batch are merged; it only grows."""
        with self.engine.begin() as connection:
            for name, batch in batches.items():
                same = _merges.c.table_name == name
                known = connection.scalar(sa.select(_merges.c.batch).where(same))
                if known is None:
                    connection.execute(_merges.insert().values(table_name=name, batch=batch))
                elif known < batch:
                    connection.execute(_merges.update().where(same).values(batch=batch))


def add_others(connection: sa.Connection, level: str, facts: int) -> None:
    """Count facts of a level that were put into groups called `other`."""
    if not facts:
        return
    same = _others.c.level == level
    grown = _others.update().where(same).values(facts=_others.c.facts + facts)
    if connection.execute(grown).rowcount == 0:
        connection.execute(_others.insert().values(level=level, facts=facts))
