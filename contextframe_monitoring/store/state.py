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

    Raises `StoreError` when it is damaged, full, or written by a newer version.
    """
    path = folder / STATE_FILE
    if not create and not path.exists():
        return None
    writable = os.access(folder, os.W_OK)
    try:
        engine = _engine(path, writable=writable)
        if create:
            metadata.create_all(engine)
        _check_format(engine, str(folder), create=create)
    except sa.exc.DatabaseError as error:
        raise StoreError(
            str(folder), f"its {STATE_FILE} can't be used ({error.orig})", "run doctor"
        ) from error
    return engine


def _engine(path: Path, *, writable: bool) -> sa.Engine:
    mode = "" if writable else "&mode=ro&immutable=1"
    engine = sa.create_engine(f"sqlite:///file:{_quoted(path)}?uri=true{mode}")

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
        if writable:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

    return engine


def _quoted(path: Path) -> str:
    import urllib.parse

    return urllib.parse.quote(str(path))


def _check_format(engine: sa.Engine, store: str, *, create: bool) -> None:
    with engine.begin() as connection:
        found = connection.scalar(sa.select(_meta.c.value).where(_meta.c.key == "format"))
        if found is None and create:
            connection.execute(_meta.insert().values(key="format", value=str(STORE_FORMAT)))
    if found is not None and int(found) > STORE_FORMAT:
        raise StoreError(
            store,
            f"its state has format {found}, this program knows {STORE_FORMAT}",
            "upgrade contextframe-monitoring",
        )
