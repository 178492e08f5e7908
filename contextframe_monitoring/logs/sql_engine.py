"""`watch_sql_engine`: records every statement that a SQLAlchemy engine executes, never its text."""

from __future__ import annotations

import contextlib
import re
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.privacy import query_hash, query_shape
from contextframe_monitoring.ingest.resources import PoolFigures
from contextframe_monitoring.logs.watched import Seen, Watched, record, request_logs, say

_Engine = TypeVar("_Engine")
_STARTED = "contextframe_monitoring.started"
_WATCHED = "_contextframe_monitoring"
_OTHER = "OTHER"
_VERBS = frozenset(
    (
        "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "CREATE", "ALTER", "DROP", "CALL",
        "PRAGMA", "EXPLAIN", "TRUNCATE", "COPY", "SET", "SHOW", "VALUES", "REPLACE", "SAVEPOINT",
    )
)  # fmt: skip
_FIRST_WORD = re.compile(r"[\s(]*([A-Za-z]+)")
_SHAPE_CHARS_MAX = 4096
_NESTED_MAX = 64


def watch_sql_engine(engine: _Engine, monitor: Watched) -> _Engine:
    """Record each statement of an `Engine` or `AsyncEngine` as an outgoing operation; return it.

    The type is `sql SELECT`, the target the database's dialect and a hash of the statement's shape
    without literals; one that takes longer than `slow_query_threshold_ms` is logged as a warning.
    The connections of its pool stand in samples of resources. Harmless when done twice. Raises
    `InvalidError` for another kind of object.
    """
    found = getattr(engine, "sync_engine", engine)
    dialect = getattr(getattr(found, "dialect", None), "name", None)
    if not isinstance(dialect, str) or not hasattr(found, "dispatch"):
        kind = type(engine).__qualname__
        raise InvalidError("engine", kind, "expected a SQLAlchemy Engine or AsyncEngine")
    if hasattr(found, _WATCHED):
        return engine
    from sqlalchemy import event

    watch = _Watch(monitor, dialect)
    event.listen(found, "before_cursor_execute", watch.started)
    event.listen(found, "after_cursor_execute", watch.done)
    event.listen(found, "handle_error", watch.failed)
    setattr(found, _WATCHED, watch)
    monitor.performance.resources.pools.append(_pool_of(found))
    return engine


def _pool_of(engine: Any) -> Callable[[], PoolFigures | None]:
    """Return what counts the connections of an engine's pool, None for one that does not count."""
    known = weakref.ref(engine)

    def figures() -> PoolFigures | None:
        pool: Any = getattr(known(), "pool", None)
        try:
            return PoolFigures(used=pool.checkedout(), idle=pool.checkedin())
        except Exception:  # noqa: BLE001 - the engine is gone, or its pool is of a simpler kind
            return None

    return figures


class _Watch:
    """The listeners of one engine. The times of running statements stand in their connection."""

    def __init__(self, monitor: Watched, dialect: str) -> None:
        self._monitor, self._dialect = monitor, dialect
        self._logs = request_logs(monitor)

    def started(self, connection: Any, *_: Any) -> None:
        with contextlib.suppress(Exception):  # the statement is executed all the same
            times = connection.info.setdefault(_STARTED, [])
            if len(times) >= _NESTED_MAX:
                times.clear()
            times.append(self._monitor.clock.monotonic_ns())

    def done(self, connection: Any, _: Any, statement: str, *__: Any) -> None:
        with contextlib.suppress(Exception):  # as above
            self._ended(connection, statement, None)

    def failed(self, failure: Any) -> None:
        if failure.connection is not None and failure.statement is not None:
            with contextlib.suppress(Exception):  # as above
                self._ended(failure.connection, failure.statement, failure.original_exception)

    def _ended(self, connection: Any, statement: str, error: BaseException | None) -> None:
        times = connection.info.get(_STARTED)
        if not times:
            return
        took_ms = (self._monitor.clock.monotonic_ns() - times.pop()) / 1e6
        config = self._monitor.config
        shape = query_shape(statement, "sql", _SHAPE_CHARS_MAX)
        word = _FIRST_WORD.match(shape)
        verb = word[1].upper() if word is not None else _OTHER
        seen = Seen(
            operation_type=f"sql {verb if verb in _VERBS else _OTHER}",
            target=f"{self._dialect} {query_hash(shape, config.hash_key)}",
            duration_ms=took_ms,
            status="success" if error is None else "error",
            error_type=None if error is None else type(error).__qualname__,
            error=error,
        )
        record(self._monitor, seen, "out")
        logs = self._logs
        if logs is not None:
            if error is None and took_ms > config.slow_query_threshold_ms:
                fields = {"operation": seen.operation_type, "target": seen.target}
                logs.logger("sql").warning("query.slow", duration_ms=took_ms, **fields)
            else:
                say(logs, "sql", seen, done="query.done", failed="query.failed", quiet=True)
