"""The batch ledger: which slices of which writers stand in the tables, and what was lost on the
way.

A batch is opened here before its rows are appended, and closed when they are durable: whatever is
killed in between, the tables themselves say which of them hold the batch already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.store.state import metadata

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
    """What the ledger knows of a writer."""

    writer: str
    drained_seq: int
    label: str
    pid: int
    created_us: int
    ended: bool


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

    def position(self) -> tuple[int, dict[str, int]]:
        """Return the last done batch (0: none) and each writer's drained sequence number, in one
        look.
        """
        with self._engine.begin() as connection:
            done = connection.scalar(
                sa.select(sa.func.max(batches.c.batch)).where(batches.c.done.is_(True))
            )
            found = connection.execute(sa.select(writers.c.writer, writers.c.drained_seq)).all()
        return done or 0, {row.writer: row.drained_seq for row in found}

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

    def close_batch(self, batch: int, found: Sequence[Slice], now_us: int) -> None:
        """Declare a batch done: its rows are durable, its writers are drained up to its last
        numbers.
        """
        with self._engine.begin() as connection:
            connection.execute(
                batches.update().where(batches.c.batch == batch).values(done=True, done_us=now_us)
            )
            for part in found:
                connection.execute(
                    writers.update()
                    .where(writers.c.writer == part.writer, writers.c.drained_seq < part.last_seq)
                    .values(drained_seq=part.last_seq)
                )

    def forget_batches(self, now_us: int) -> None:
        """Drop the entries of batches that were done over a day ago; the last one always stays."""
        with self._engine.begin() as connection:
            last = connection.scalar(sa.select(sa.func.max(batches.c.batch))) or 0
            old = sa.select(batches.c.batch).where(
                batches.c.done.is_(True),
                batches.c.done_us < now_us - US_PER_DAY,
                batches.c.batch < last,
            )
            connection.execute(slices.delete().where(slices.c.batch.in_(old)))
            connection.execute(
                batches.delete().where(
                    batches.c.done.is_(True),
                    batches.c.done_us < now_us - US_PER_DAY,
                    batches.c.batch < last,
                )
            )

    def meet(self, state: WriterState) -> None:
        """Remember a writer that is seen for the first time."""
        with self._engine.begin() as connection:
            known = connection.scalar(
                sa.select(writers.c.writer).where(writers.c.writer == state.writer)
            )
            if known is None:
                connection.execute(
                    writers.insert().values(
                        writer=state.writer,
                        drained_seq=state.drained_seq,
                        label=state.label[:256],
                        pid=state.pid,
                        created_us=state.created_us,
                        ended=state.ended,
                    )
                )

    def part_with(self, writer: str, last_seq: int) -> None:
        """Remember that a writer has ended: nothing after `last_seq` will come."""
        with self._engine.begin() as connection:
            connection.execute(
                writers.update().where(writers.c.writer == writer).values(ended=True)
            )
            connection.execute(
                writers.update()
                .where(writers.c.writer == writer, writers.c.drained_seq < last_seq)
                .values(drained_seq=last_seq)
            )

    def known_writers(self) -> list[WriterState]:
        """Return every writer that was ever met."""
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(writers).order_by(writers.c.created_us)).all()
        return [
            WriterState(
                writer=r.writer,
                drained_seq=r.drained_seq,
                label=r.label,
                pid=r.pid,
                created_us=r.created_us,
                ended=r.ended,
            )
            for r in found
        ]

    def note_losses(self, writer: str, counts: dict[str, int]) -> None:
        """Keep the loss counters of a writer; they only grow."""
        self._note(losses, writer, counts)

    def _note(self, table: sa.Table, writer: str, counts: dict[str, int]) -> None:
        with self._engine.begin() as connection:
            for reason, count in counts.items():
                same = sa.and_(table.c.writer == writer, table.c.reason == reason)
                if connection.execute(table.update().where(same).values(count=count)).rowcount == 0:
                    connection.execute(
                        table.insert().values(writer=writer, reason=reason, count=count)
                    )

    def losses(self) -> dict[str, dict[str, int]]:
        """Return the losses of each writer by reason."""
        return self._counts(losses)

    def _counts(self, table: sa.Table) -> dict[str, dict[str, int]]:
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(table)).all()
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
                quarantined.insert().values(file=file, writer=writer, problem=problem, at_us=now_us)
            )

    def quarantine(self) -> list[tuple[str, str, str]]:
        """Return (file, writer, problem) of every segment that was moved aside."""
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(quarantined).order_by(quarantined.c.at_us)).all()
        return [(r.file, r.writer, r.problem) for r in found]

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
