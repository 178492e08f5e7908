"""The small mutable state of a store: an SQL database, `STORE/state.db` unless a URL is given."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.store.schemas import STORE_FORMAT

STATE_FILE = "state.db"
_BUSY_SECONDS = 10

metadata = sa.MetaData()
_meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


def open_state(folder: Path, *, create: bool) -> sa.Engine | None:
    """Return the engine of the state beside the tables; None when there is none and `create` is
    false.

    Raises `StoreError` when it is damaged, full, or written by a newer version. So does later
    work with the engine, except for conflicts, which are the caller's to judge.
    """
    path = folder / STATE_FILE
    if not create and not path.exists():
        return None
    engine = _engine(path, writable=os.access(folder, os.W_OK))
    if create:
        _create(engine)
    elif not sa.inspect(engine).has_table(_meta.name):
        return None
    found = _format(engine)
    if found is None:
        return None  # whoever makes it is not done, or was killed: the format is written last
    if found > STORE_FORMAT:
        raise StoreError(
            str(folder),
            f"its state has format {found}, this program knows {STORE_FORMAT}",
            "upgrade contextframe-monitoring",
        )
    return engine


def _engine(path: Path, *, writable: bool) -> sa.Engine:
    if writable:
        engine = sa.create_engine(f"sqlite:///file:{_quoted(path)}?uri=true")
    else:
        engine = sa.create_engine(
            "sqlite://", creator=lambda: _read_only(path), poolclass=sa.pool.NullPool
        )

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
        if writable:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")

    @sa.event.listens_for(engine, "handle_error")
    def _explain(context: sa.ExceptionContext) -> None:
        error = context.original_exception
        if type(error) in (sqlite3.DatabaseError, sqlite3.OperationalError):
            reason = f"its {STATE_FILE} can't be used ({error})"
            raise StoreError(str(path.parent), reason, _remedy(str(error))) from error

    return engine


def _read_only(path: Path) -> sqlite3.Connection:
    """Connect where we may not write. A log beside the database is part of it and somebody's who
    may still write; without one nothing changes while we look (and SQLite could not make its own).
    """
    log = path.with_name(f"{path.name}-wal")
    still = not log.exists() or log.stat().st_size == 0
    mode = "mode=ro&immutable=1" if still else "mode=ro"
    return sqlite3.connect(f"file:{_quoted(path)}?{mode}", uri=True, check_same_thread=False)


def _remedy(problem: str) -> str:
    if "malformed" in problem or "not a database" in problem:
        return (
            f"move {STATE_FILE} aside: a drain makes a new one and finds in the tables what is "
            "stored; budgets and the state of alerts start anew"
        )
    if "full" in problem:
        return "free space on its disk"
    if "locked" in problem:
        return "another program holds it: end that one, or try again"
    return "run doctor"


def damage(engine: sa.Engine) -> str | None:
    """Return what is wrong with the database's file, None when nothing is found."""
    if engine.dialect.name != "sqlite":
        return None
    with engine.connect() as connection:
        found = str(connection.scalar(sa.text("PRAGMA quick_check(1)")))
    return None if found == "ok" else found


def forget_traces(engine: sa.Engine) -> None:
    """Drop what deleted rows left in the log beside the database, as far as no reader holds it."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))


def _quoted(path: Path) -> str:
    import urllib.parse

    return urllib.parse.quote(str(path))


def _create(engine: sa.Engine) -> None:
    """Make the tables that are missing; others may do so at the same time."""
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
    try:
        with engine.begin() as connection:
            connection.execute(_meta.insert().values(key="format", value=str(STORE_FORMAT)))
    except sa.exc.IntegrityError:
        return  # it is there


def _format(engine: sa.Engine) -> int | None:
    with engine.begin() as connection:
        found = connection.scalar(sa.select(_meta.c.value).where(_meta.c.key == "format"))
    return None if found is None else int(found)
