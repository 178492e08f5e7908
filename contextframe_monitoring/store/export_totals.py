"""The totals that exporters carry over restarts and retention: one row of the state.

It says what all batches up to one number add up to, so that counters need neither the rows that
have expired nor a scan of those that stand. What it is made of is the exporters' business.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from contextframe_monitoring.store.state import metadata

totals = sa.Table(
    "export_totals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("batch", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
_ID = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTotals:
    """What all batches up to `batch` add up to; `since_us` is when counting began, and tells one
    count from another that was begun anew.
    """

    since_us: int
    batch: int
    body: bytes


class TotalsBook:
    """Where the totals of one store are kept."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use an engine that `open_state` returned; one of an earlier version has no such table."""
        self._engine = engine

    def __bool__(self) -> bool:
        """Return whether totals can be kept here."""
        return sa.inspect(self._engine).has_table(totals.name)

    def load(self) -> KeptTotals | None:
        """Return the totals, None when there are none."""
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(totals)).first()
        if found is None:
            return None
        return KeptTotals(since_us=found.since_us, batch=found.batch, body=found.body)

    def begin(self, kept: KeptTotals) -> bool:
        """Keep the first totals; return False when somebody else did."""
        values = {"since_us": kept.since_us, "batch": kept.batch, "body": kept.body}
        try:
            with self._engine.begin() as connection:
                connection.execute(totals.insert().values(id=_ID, **values))
        except sa.exc.IntegrityError:
            return False
        return True

    def advance(self, kept: KeptTotals) -> bool:
        """Keep totals of the same count that are not older; return False when it was begun anew."""
        same = totals.c.since_us == kept.since_us
        later = sa.and_(same, totals.c.batch <= kept.batch)
        with self._engine.begin() as connection:
            connection.execute(
                totals.update().where(later).values(batch=kept.batch, body=kept.body)
            )
            return connection.scalar(sa.select(totals.c.id).where(same)) is not None

    def clear(self) -> None:
        """Forget the totals: what was erased must not live on in them."""
        with self._engine.begin() as connection:
            connection.execute(totals.delete())
