"""DuckDB and SQLite, asked what the reports of `bench query` are asked."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Protocol

from contextframe_monitoring.bench.filled_year import Filled, moved
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.store.schemas import COST, METRIC_TABLES, PERFORMANCE, USAGE
from contextframe_monitoring.store.store import Store

_COLUMNS = {
    PERFORMANCE: ("timestamp", "target", "agent_id", "status", "duration_ms"),
    COST: ("timestamp", "model", "amount_nano_usd", "input_tokens", "output_tokens"),
    USAGE: ("timestamp", "category", "value"),
}
_KEYS = {"target": "target", "agent": "agent_id", "model": "model", "collection": "category"}
_FAILED = "sum(case when status in ('error', 'timeout') then 1 else 0 end)"
_FIGURES = {
    PERFORMANCE: f"count(*), {_FAILED}, avg(duration_ms), max(duration_ms)",
    COST: "count(*), sum(amount_nano_usd), sum(input_tokens), sum(output_tokens)",
    USAGE: "count(*), sum(value)",
}
_QUANTILES = ", quantile_cont(duration_ms, [0.5, 0.9, 0.95, 0.99])"
_FOLDED_FAILED = "sum(case when status in ('error', 'timeout') then weight else 0 end)"
_FOLDED = {
    PERFORMANCE: f"sum(weight), {_FOLDED_FAILED}, sum(sum) / sum(duration_count), max(max)",
    COST: "sum(weight), sum(nano_usd), sum(input_tokens), sum(output_tokens)",
    USAGE: "sum(count), sum(value_sum)",
}
_SUBJECTS = {PERFORMANCE: "performance", COST: "cost", USAGE: "usage"}
_DAY_US = 86_400_000_000


class Peer(Protocol):
    """Another program that has the same rows."""

    name: str

    def answered(self, table: str, key: str, window: Window) -> bool:
        """Answer a question; False where it can't."""
        ...


class SqlitePeer:
    """SQLite without percentiles, which it has none of."""

    name = "sqlite"

    def __init__(self, store: Store, path: Path) -> None:
        """Copy the raw rows, with an index on time."""
        self._connection = sqlite3.connect(path)
        for table, names in _COLUMNS.items():
            self._connection.execute(f"create table {table} ({', '.join(names)})")
            places = ", ".join("?" * len(names))
            for batch in store.tables.scan(table, names):
                columns = [_plain(column) for column in batch.columns]
                self._connection.executemany(
                    f"insert into {table} values ({places})",  # noqa: S608 - names are our own
                    zip(*columns, strict=True),
                )
            self._connection.execute(f"create index {table}_time on {table} (timestamp)")
        self._connection.commit()

    def answered(self, table: str, key: str, window: Window) -> bool:
        """Group the rows of the window."""
        question = _grouped(table, _KEYS[key], _FIGURES[table], "timestamp")
        self._connection.execute(question, (window.start_us, window.end_us)).fetchall()
        return True


class DuckPeer:
    """DuckDB with a table of its own: raw rows, or the day rollups."""

    def __init__(
        self, store: Store, *, rollups: bool = False, filled: Filled | None = None
    ) -> None:
        """Copy the rows of a store; raw ones, where it was `filled` with a year, of all of it."""
        import duckdb

        self.name = "duckdb_rollups" if rollups else "duckdb"
        self._rollups = rollups
        self._connection = duckdb.connect()
        for table in ("rollup_1d",) if rollups else METRIC_TABLES:
            if filled is None or rollups:
                dataset: Any = store.tables.dataset(table)
                self._take(table, dataset.scanner().to_reader())
            else:
                for day in range(filled.days):
                    rows = filled.made[day % len(filled.made)][table].select(_COLUMNS[table])
                    self._take(table, moved(rows, table, day))

    def _take(self, table: str, rows: Any) -> None:
        self._connection.register("arriving", rows)
        made = f"create table if not exists {table} as select * from arriving limit 0"  # noqa: S608
        self._connection.execute(made)
        self._connection.execute(f"insert into {table} select * from arriving")  # noqa: S608
        self._connection.unregister("arriving")

    def answered(self, table: str, key: str, window: Window) -> bool:
        """Group the rows of the window; rollups answer whole days, and no percentiles."""
        ends = [f"make_timestamptz({time_us})" for time_us in (window.start_us, window.end_us)]
        if not self._rollups:
            figures = _FIGURES[table] + (_QUANTILES if table == PERFORMANCE else "")
            question = _grouped(table, _KEYS[key], figures, "timestamp", *ends)
        elif table in _FOLDED and window.start_us % _DAY_US == window.end_us % _DAY_US == 0:
            question = _grouped("rollup_1d", _KEYS[key], _FOLDED[table], "bucket", *ends)
            question = question.replace(" group", f" and subject = '{_SUBJECTS[table]}' group")
        else:
            return False
        self._connection.execute(question).fetchall()
        return True


def _grouped(
    table: str, key: str, figures: str, moment: str, start: str = "?", end: str = "?"
) -> str:
    return (  # the names are our own, the times are parameters or integers
        f"select {key}, {figures} from {table} "  # noqa: S608 - names are our own
        f"where {moment} >= {start} and {moment} < {end} group by {key}"
    )


def _plain(column: Any) -> list[Any]:
    if str(column.type).startswith("timestamp"):
        column = column.cast("int64")
    values: list[Any] = column.to_pylist()
    return values
