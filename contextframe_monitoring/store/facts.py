"""State of the importers: how far files were read, which facts count, which group a request belongs
to, and a journal.

Four tables, read and written with SQLAlchemy Core in plain SQL, so that SQLite and PostgreSQL run
the same code. Functions take a `Connection`; the caller owns the transaction. What a fact is made
of is the importer's business: here it is a key, a group and a body of bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from contextframe_monitoring.core.errors import ConflictError, UnavailableError

__all__ = [
    "METADATA",
    "Connection",
    "Cursor",
    "Engine",
    "FactRow",
    "claim_journal",
    "clear_journal",
    "create_tables",
    "forget_facts",
    "has_facts",
    "read_cursors",
    "read_cursors_of",
    "read_groups",
    "read_journal",
    "read_keys_from",
    "read_links",
    "read_page",
    "write_cursors",
    "write_facts",
    "write_journal",
    "write_links",
]
IMPORT_LOCK = "import.lock"
"""File beside the spool: whoever settles facts holds its lock."""

METADATA = MetaData()
_KEYS_PER_STATEMENT_MAX = 500
"""SQLite allows 32,766 bound values a statement since 3.32; older builds 999."""
_SLOT = 1
_PAGE_ROWS = 2000

_CURSORS = Table(
    "import_cursors",
    METADATA,
    Column("cursor_key", String(64), primary_key=True),
    Column("source", String(32), nullable=False, index=True),
    Column("path", Text, nullable=False),
    Column("inode", String(40), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("context", LargeBinary),
)
_FACTS = Table(
    "import_facts",
    METADATA,
    Column("fact_key", Text, primary_key=True),
    Column("group_key", Text, nullable=False, index=True),
    Column("time_us", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("counted", Boolean, nullable=False),
    Column("amount_nano_usd", BigInteger),
    Column("price_id", Text),
    Column("body", LargeBinary, nullable=False),
)
_LINKS = Table(
    "import_links",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("group_key", Text, nullable=False),
    Column("time_us", BigInteger, nullable=False),
)
_JOURNAL = Table(
    "import_journal",
    METADATA,
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)


class Cursor(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How far one file was read.

    `offset` is the end of the last complete line read, `lines` their number, `digest` the hash of
    all bytes before `offset`: as long as they hash to it, the file has only grown. `size`,
    `mtime_ns` and `inode` are the file's when it was last read to its end (`size` -1: it was not),
    so that an unchanged file isn't opened. `context` is what the reader must know of the lines
    before `offset`.
    """

    source: str
    path: str
    inode: str
    size: int
    mtime_ns: int
    offset: int
    lines: int
    digest: bytes
    context: bytes | None = None


class FactRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One fact as it is known and as it was recorded.

    `revision` is the number of cost records written for it so far, `counted` whether their sum is
    this fact (else it is zero), `amount_nano_usd` and `price_id` what that sum was priced with.
    Facts of one `group` are settled together.
    """

    key: str
    group: str
    time_us: int
    revision: int
    counted: bool
    amount_nano_usd: int | None
    price_id: str | None
    body: bytes


def create_tables(engine: Engine) -> None:
    """Create what is missing of the four tables."""
    METADATA.create_all(engine)


def has_facts(engine: Engine) -> bool:
    """Return whether anything was ever settled in this state."""
    return inspect(engine).has_table(_FACTS.name)


def read_cursors(connection: Connection, source: str) -> dict[str, Cursor]:
    """Return the cursors of `source` by path."""
    columns = [column for column in _CURSORS.c if column.name != "cursor_key"]
    rows = connection.execute(select(*columns).where(_CURSORS.c.source == source))
    return {row["path"]: Cursor(**row) for row in rows.mappings()}


def read_cursors_of(connection: Connection, source: str, paths: Iterable[str]) -> dict[str, Cursor]:
    """Return the cursors of `source` for these paths."""
    columns = [column for column in _CURSORS.c if column.name != "cursor_key"]
    found: dict[str, Cursor] = {}
    for keys in _portions(sorted({_key_of(source, path) for path in paths})):
        rows = connection.execute(select(*columns).where(_CURSORS.c.cursor_key.in_(keys)))
        found |= {row["path"]: Cursor(**row) for row in rows.mappings()}
    return found


def read_links(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """Return the groups that these requests are known to belong to."""
    found: dict[str, str] = {}
    for portion in _portions(sorted(names)):
        statement = select(_LINKS.c.name, _LINKS.c.group_key).where(_LINKS.c.name.in_(portion))
        found |= {row.name: row.group_key for row in connection.execute(statement)}
    return found


def write_links(connection: Connection, links: Mapping[str, tuple[str, int]]) -> None:
    """Store (group, time) of requests by name, of which nothing was known."""
    rows = [
        {"name": name, "group_key": group, "time_us": time_us}
        for name, (group, time_us) in links.items()
    ]
    _replace(connection, _LINKS, _LINKS.c.name, dict(zip(links, rows, strict=True)), ())


def write_cursors(connection: Connection, cursors: Iterable[Cursor]) -> None:
    """Store `cursors`, each in place of the one that its file had."""
    rows = {_cursor_key(c): {"cursor_key": _cursor_key(c), **_fields(c)} for c in cursors}
    _replace(connection, _CURSORS, _CURSORS.c.cursor_key, rows, list(rows))


def read_groups(connection: Connection, groups: Iterable[str]) -> list[FactRow]:
    """Return all facts of `groups`."""
    found: list[FactRow] = []
    for keys in _portions(sorted(groups)):
        statement = select(_FACTS).where(_FACTS.c.group_key.in_(keys))
        found += [_fact_row(row) for row in connection.execute(statement)]
    return found


def read_page(connection: Connection, after: str, rows_max: int) -> list[FactRow]:
    """Return the next `rows_max` counted facts with a key above `after`, by key."""
    statement = select(_FACTS).where(_FACTS.c.fact_key > after, _FACTS.c.counted.is_(True))
    rows = connection.execute(statement.order_by(_FACTS.c.fact_key).limit(rows_max))
    return [_fact_row(row) for row in rows]


def read_keys_from(
    connection: Connection, after: str, before: str | None, rows_max: int
) -> list[FactRow]:
    """Return the next `rows_max` facts, counted or not, with `after` < key (< `before`), by key."""
    statement = select(_FACTS).where(_FACTS.c.fact_key > after)
    if before is not None:
        statement = statement.where(_FACTS.c.fact_key < before)
    rows = connection.execute(statement.order_by(_FACTS.c.fact_key).limit(rows_max))
    return [_fact_row(row) for row in rows]


def write_facts(connection: Connection, facts: Iterable[FactRow], stored: Iterable[str]) -> None:
    """Store `facts`; `stored` names those of them that take the place of one that is there."""
    rows = {
        fact.key: {
            "fact_key": fact.key,
            "group_key": fact.group,
            "time_us": fact.time_us,
            "revision": fact.revision,
            "counted": fact.counted,
            "amount_nano_usd": fact.amount_nano_usd,
            "price_id": fact.price_id,
            "body": fact.body,
        }
        for fact in facts
    }
    _replace(connection, _FACTS, _FACTS.c.fact_key, rows, list(stored))


def forget_facts(connection: Connection, before_us: int) -> int:
    """Delete the facts older than `before_us`, the links and the cursors of series (which are no
    files and have no inode) too, and return the number of facts.

    To be called when the last rollup that holds their cost is gone, not earlier: a file that is
    read again after that counts them again.
    """
    connection.execute(delete(_LINKS).where(_LINKS.c.time_us < before_us))
    is_old = _CURSORS.c.mtime_ns < before_us * 1000
    connection.execute(delete(_CURSORS).where(_CURSORS.c.inode == "", is_old))
    return connection.execute(delete(_FACTS).where(_FACTS.c.time_us < before_us)).rowcount


def forget_selected(engine: Engine, selected: Callable[[bytes], bool]) -> int:
    """Delete the facts whose body is `selected` and return their number.

    A file that is read again from its start counts them again. Raises `ConflictError` while a
    batch stands in the journal.
    """
    if not inspect(engine).has_table(_FACTS.name):
        return 0
    count, after = 0, ""
    while True:
        with engine.begin() as connection:
            claim_journal(connection)
            page = select(_FACTS.c.fact_key, _FACTS.c.body).where(_FACTS.c.fact_key > after)
            rows = connection.execute(page.order_by(_FACTS.c.fact_key).limit(_PAGE_ROWS)).all()
            keys = [row.fact_key for row in rows if selected(row.body)]
            for portion in _portions(keys):
                connection.execute(delete(_FACTS).where(_FACTS.c.fact_key.in_(portion)))
            clear_journal(connection)
        count += len(keys)
        if len(rows) < _PAGE_ROWS:
            return count
        after = rows[-1].fact_key


def forget_all(engine: Engine) -> int:
    """Delete every fact and cursor, as if nothing had been imported; return the number of facts.

    Raises `ConflictError` while a batch stands in the journal.
    """
    if not inspect(engine).has_table(_FACTS.name):
        return 0
    with engine.begin() as connection:
        claim_journal(connection)
        count = connection.execute(delete(_FACTS)).rowcount
        connection.execute(delete(_CURSORS))
        clear_journal(connection)
    return count


def claim_journal(connection: Connection) -> None:
    """Take the one slot of the journal; a `ConflictError` when a batch stands in it.

    The slot makes batches of several importers wait for each other: as the first statement of a
    transaction it also takes SQLite's write lock, so that what is read after it can't change before
    the slot is free again.
    """
    try:
        connection.execute(insert(_JOURNAL).values(slot=_SLOT, body=b""))
    except OperationalError as error:
        raise UnavailableError(
            "the state of this store is locked by another process: run the import again"
        ) from error
    except IntegrityError as error:
        raise ConflictError(
            "another import is at work in this store, or was cut off since this one began:"
            " wait for it to end and run the import again"
        ) from error


def write_journal(connection: Connection, body: bytes) -> None:
    """Put `body` in the slot that this transaction has claimed."""
    connection.execute(update(_JOURNAL).where(_JOURNAL.c.slot == _SLOT).values(body=body))


def read_journal(connection: Connection) -> bytes | None:
    """Return the batch that stands in the journal, None when all is finished.

    While this is not None, retention must leave the raw rows of its facts alone: they prove what
    was recorded.
    """
    return connection.execute(select(_JOURNAL.c.body)).scalar_one_or_none()


def clear_journal(connection: Connection) -> None:
    """Free the slot."""
    connection.execute(delete(_JOURNAL))


_Row = TypeVar("_Row")


def _portions(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    for start in range(0, len(rows), _KEYS_PER_STATEMENT_MAX):
        yield rows[start : start + _KEYS_PER_STATEMENT_MAX]


def _replace(
    connection: Connection,
    table: Table,
    key: Column[str],
    rows: Mapping[str, Mapping[str, object]],
    stored: Sequence[str],
) -> None:
    for keys in _portions(stored):
        connection.execute(delete(table).where(key.in_(keys)))
    if rows:
        _insert(connection, table, list(rows.values()))


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows that all have the same columns, as the driver takes them.

    An import writes hundreds of thousands: what SQLAlchemy does to each value costs more there
    than the database.
    """
    statement = insert(table).compile(dialect=connection.dialect, column_keys=list(rows[0]))
    order = getattr(statement, "positiontup", None)
    values = [tuple(map(row.__getitem__, order)) for row in rows] if order else list(rows)
    connection.exec_driver_sql(str(statement), values)


def _cursor_key(cursor: Cursor) -> str:
    return _key_of(cursor.source, cursor.path)


def _key_of(source: str, path: str) -> str:
    """A path can be longer than what an index takes."""
    name = f"{source}\0{path}".encode()
    return hashlib.blake2b(name, digest_size=16).hexdigest()


def _fields(cursor: Cursor) -> dict[str, object]:
    return msgspec.structs.asdict(cursor)


def _fact_row(row: Sequence[object]) -> FactRow:
    return msgspec.convert(tuple(row), FactRow)
