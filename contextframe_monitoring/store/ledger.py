"""The batch ledger: which slices of which writers stand in the tables, and what was lost on the
way.

A batch is opened here before its rows are appended, and closed when they are durable: whatever is
killed in between, the tables themselves say which of them hold the batch already.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.store.folds import add_others
from contextframe_monitoring.store.removals import SAMPLED, add_expired
from contextframe_monitoring.store.state import metadata

_LISTED_MAX = 500
"""So many writers are asked for by name, more by reading all."""

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("batch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("done", sa.Boolean, nullable=False),
    sa.Column("opened_us", sa.BigInteger, nullable=False),
    sa.Column("done_us", sa.BigInteger),
)
slices = sa.Table(
    "slices",
    metadata,
    sa.Column("batch", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("writer", sa.String(32), primary_key=True),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("frames", sa.BigInteger, nullable=False),
)
writers = sa.Table(
    "writers",
    metadata,
    sa.Column("writer", sa.String(32), primary_key=True),
    sa.Column("drained_seq", sa.BigInteger, nullable=False),
    sa.Column("label", sa.String(256), nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.Boolean, nullable=False),
)
losses = sa.Table(
    "losses",
    metadata,
    sa.Column("writer", sa.String(32), primary_key=True),
    sa.Column("reason", sa.String(32), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)
quarantined = sa.Table(
    "quarantined",
    metadata,
    sa.Column("file", sa.String(256), primary_key=True),
    sa.Column("writer", sa.String(32), nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("kept", sa.Boolean, nullable=False),
)
keepers = sa.Table(
    "keepers",
    metadata,
    sa.Column("host", sa.String(256), primary_key=True),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("drained_us", sa.BigInteger, nullable=False),
    sa.Column("last_error", sa.Text),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The frames of one writer that one batch carries: sequence numbers first to last, `frames`
    of them whole.
    """

    writer: str
    first_seq: int
    last_seq: int
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterState:
    """What the ledger knows of a writer; of one whose header could not be read, its name."""

    writer: str
    drained_seq: int = 0
    label: str = ""
    pid: int = 0
    created_us: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperState:
    """Who kept a store last, and when it drained."""

    host: str
    pid: int
    since_us: int
    drained_us: int
    last_error: str | None


class Ledger:
    """The ledger of one store, over its state."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use an engine that `open_state` returned."""
        self._engine = engine

    def position(self, of: Collection[str] | None = None) -> tuple[int, dict[str, int]]:
        """Return the last done batch (0: none) and the drained sequence number of each writer (or
        of these), in one look.

        One statement: two would see two moments, whatever encloses them, and a batch that is
        closed in between would be missed.
        """
        done = sa.select(sa.func.max(batches.c.batch)).where(batches.c.done.is_(True))
        look = sa.select(done.scalar_subquery().label("done")).subquery()
        wanted = sa.true() if of is None else _among(of)
        with self._engine.begin() as connection:
            found = connection.execute(
                sa.select(look.c.done, writers.c.writer, writers.c.drained_seq).select_from(
                    look.outerjoin(writers, wanted)
                )
            ).all()
        drained = {row.writer: row.drained_seq for row in found if row.writer is not None}
        return found[0].done or 0, drained

    def last_batch(self) -> int:
        """Return the highest batch that was ever opened, 0 when none was."""
        with self._engine.begin() as connection:
            return connection.scalar(sa.select(sa.func.max(batches.c.batch))) or 0

    def adopt(self, batch: int, drained: Mapping[str, int], now_us: int) -> None:
        """Take over what the tables hold and this ledger does not know: it was lost, or an older
        copy was put in its place.

        Batches up to `batch` are done, writers drained up to the given numbers at least.
        """
        with self._engine.begin() as connection:
            connection.execute(batches.update().values(done=True, done_us=now_us))
            connection.execute(
                batches.insert().values(batch=batch, done=True, opened_us=now_us, done_us=now_us)
            )
            _meet(connection, [WriterState(writer=name) for name in drained])
            _advance(connection, drained)

    def unfinished(self) -> tuple[int, list[Slice]] | None:
        """Return the batch that a crash left open, None when there is none."""
        with self._engine.begin() as connection:
            batch = connection.scalar(
                sa.select(batches.c.batch)
                .where(batches.c.done.is_(False))
                .order_by(batches.c.batch)
            )
            if batch is None:
                return None
            found = connection.execute(
                sa.select(slices).where(slices.c.batch == batch).order_by(slices.c.writer)
            ).all()
        return batch, [
            Slice(writer=r.writer, first_seq=r.first_seq, last_seq=r.last_seq, frames=r.frames)
            for r in found
        ]

    def open_batch(self, found: Sequence[Slice], now_us: int) -> int:
        """Write down, durably, what the next batch carries, and return its number."""
        with self._engine.begin() as connection:
            last = connection.scalar(sa.select(sa.func.max(batches.c.batch)))
            batch = (last or 0) + 1
            connection.execute(batches.insert().values(batch=batch, done=False, opened_us=now_us))
            connection.execute(
                slices.insert(),
                [
                    {
                        "batch": batch,
                        "writer": s.writer,
                        "first_seq": s.first_seq,
                        "last_seq": s.last_seq,
                        "frames": s.frames,
                    }
                    for s in found
                ],
            )
        return batch

    def close_batch(
        self,
        batch: int,
        found: Sequence[Slice],
        now_us: int,
        others: int = 0,
        sampled: Mapping[str, int] | None = None,
    ) -> None:
        """Declare a batch done: its rows are durable, its writers are drained up to its last
        numbers, `others` of its facts are in groups of the minutes that are beyond the bound, and
        so many rows of writers were left out by `sampled`.
        """
        with self._engine.begin() as connection:
            add_others(connection, "1m", others)
            for writer, count in (sampled or {}).items():
                add_expired(connection, writer, SAMPLED, count)
            connection.execute(
                batches.update().where(batches.c.batch == batch).values(done=True, done_us=now_us)
            )
            _advance(connection, {part.writer: part.last_seq for part in found})

    def forget_batches(self, now_us: int) -> None:
        """Drop the entries of batches that were done over a day ago; the last done one always
        stays, it says up to where readers may read.
        """
        with self._engine.begin() as connection:
            last = connection.scalar(
                sa.select(sa.func.max(batches.c.batch)).where(batches.c.done.is_(True))
            )
            old = sa.and_(
                batches.c.done.is_(True),
                batches.c.done_us < now_us - US_PER_DAY,
                batches.c.batch < (last or 0),
            )
            chosen = sa.select(batches.c.batch).where(old)
            connection.execute(slices.delete().where(slices.c.batch.in_(chosen)))
            connection.execute(batches.delete().where(old))

    def meet(self, states: Sequence[WriterState]) -> None:
        """Remember the writers among these that are seen for the first time."""
        with self._engine.begin() as connection:
            _meet(connection, states)

    def part_with(self, ended: Mapping[str, int]) -> None:
        """Remember writers that have ended: nothing after these last numbers will come."""
        with self._engine.begin() as connection:
            connection.execute(
                writers.update().where(writers.c.writer == sa.bindparam("name")).values(ended=True),
                [{"name": writer} for writer in ended],
            )
            _advance(connection, ended)

    def known_writers(self) -> list[WriterState]:
        """Return every writer that was ever met."""
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(writers).order_by(writers.c.created_us))
            return [WriterState(**row) for row in found.mappings()]

    def note_losses(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Keep the loss counters of writers, by reason; they only grow."""
        rows = [
            {"writer": writer, "reason": reason, "count": count}
            for writer, reasons in counts.items()
            for reason, count in reasons.items()
        ]
        with self._engine.begin() as connection:
            for row in rows:
                same = sa.and_(losses.c.writer == row["writer"], losses.c.reason == row["reason"])
                known = losses.update().where(same).values(count=row["count"])
                if connection.execute(known).rowcount == 0:
                    connection.execute(losses.insert(), row)

    def losses(self) -> dict[str, dict[str, int]]:
        """Return the losses of each writer by reason."""
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(losses)).all()
        counts: dict[str, dict[str, int]] = {}
        for writer, reason, count in found:
            counts.setdefault(writer, {})[reason] = count
        return counts

    def note_quarantine(self, file: str, writer: str, problem: str, now_us: int) -> None:
        """Remember a segment that was moved aside."""
        with self._engine.begin() as connection:
            if connection.scalar(sa.select(quarantined.c.file).where(quarantined.c.file == file)):
                return
            connection.execute(
                quarantined.insert().values(
                    file=file, writer=writer, problem=problem, at_us=now_us, kept=True
                )
            )

    def quarantine(self) -> list[tuple[str, str, str]]:
        """Return (file, writer, problem) of every segment that was moved aside and still stands
        there.
        """
        with self._engine.begin() as connection:
            kept = sa.select(quarantined).where(quarantined.c.kept)
            found = connection.execute(kept.order_by(quarantined.c.at_us)).all()
        return [(r.file, r.writer, r.problem) for r in found]

    def empty_quarantine(self, files: Sequence[str]) -> None:
        """Remember that segments which were moved aside are gone."""
        with self._engine.begin() as connection:
            connection.execute(
                quarantined.update().where(quarantined.c.file.in_(files)).values(kept=False)
            )

    def damaged_writers(self) -> set[str]:
        """Return the writers that had a segment moved aside: what they miss was damaged."""
        with self._engine.begin() as connection:
            return set(connection.scalars(sa.select(quarantined.c.writer)))

    def note_keeper(self, state: KeeperState) -> None:
        """Say who keeps the store."""
        values = {
            "pid": state.pid,
            "since_us": state.since_us,
            "drained_us": state.drained_us,
            "last_error": state.last_error,
        }
        same = keepers.c.host == state.host
        with self._engine.begin() as connection:
            if connection.execute(keepers.update().where(same).values(**values)).rowcount == 0:
                connection.execute(keepers.insert().values(host=state.host, **values))

    def keepers(self) -> list[KeeperState]:
        """Return who kept the store last, one for each host."""
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(keepers)).all()
        return [
            KeeperState(
                host=r.host,
                pid=r.pid,
                since_us=r.since_us,
                drained_us=r.drained_us,
                last_error=r.last_error,
            )
            for r in found
        ]


def _among(names: Collection[str]) -> sa.ColumnElement[bool]:
    """Return the condition that finds these writers, or all when they are too many to be named."""
    return writers.c.writer.in_(names) if len(names) <= _LISTED_MAX else sa.true()


def _meet(connection: sa.Connection, states: Sequence[WriterState]) -> None:
    rows = [dataclasses.asdict(state) | {"label": state.label[:256]} for state in states]
    wanted = _among([state.writer for state in states])
    known = set(connection.scalars(sa.select(writers.c.writer).where(wanted)))
    new = [row for row in rows if row["writer"] not in known]
    if new:
        connection.execute(writers.insert(), new)


def _advance(connection: sa.Connection, drained: Mapping[str, int]) -> None:
    """Move drained numbers forward, never back."""
    name: sa.BindParameter[str] = sa.bindparam("name")
    last: sa.BindParameter[int] = sa.bindparam("last")
    behind = sa.and_(writers.c.writer == name, writers.c.drained_seq < last)
    if drained:
        connection.execute(
            writers.update().where(behind).values(drained_seq=last),
            [{"name": writer, "last": seq} for writer, seq in drained.items()],
        )
