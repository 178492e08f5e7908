"""The rows that a query is about: read in batches, filtered, with the columns that are needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.queries import NONE_LABEL, ReportQuery
from contextframe_monitoring.core.records import OWN_SERVER
from contextframe_monitoring.query.choice import chosen, floors, rounding_note
from contextframe_monitoring.query.dimensions import key_for, must_occur, unknown_key
from contextframe_monitoring.query.folded import SUBJECTS, folded, rollup_columns
from contextframe_monitoring.query.grouping import Grouping
from contextframe_monitoring.query.keys import ATTRIBUTES, AttributeKey, Key, TimeKey
from contextframe_monitoring.query.labels import Labels
from contextframe_monitoring.query.planner import Reach, raw_plan, reached_us
from contextframe_monitoring.query.source import Mask, RollupSource, Rows, RowSource
from contextframe_monitoring.store.kept_rollups import Sieve

_SHOWN_NAMES_MAX = 20


class Scan:
    """Reads one table for one query. `raw_read` and `folded_read` count the rows that passed the
    filters.
    """

    def __init__(
        self, source: RowSource, table: str, query: ReportQuery, *, strict: bool = True
    ) -> None:
        """Prepare the keys of the query. Raises `InvalidError` on a key that can't be one.

        With `strict` False it does not matter whether an attribute occurs in the window.
        """
        self.source, self.table, self.query = source, table, query
        self._strict = strict
        self.raw_read = self.folded_read = 0
        self.plan = raw_plan(query.window.start_us, query.window.end_us)
        self._keys: dict[str, Key] = {}
        self._used: list[Key] = []
        self.grouping = Grouping([self.key(name) for name in query.group_by])
        self._filters = [(self._key(name), name) for name in query.where]
        self._servers = None if query.shows_own else Labels()

    def key(self, name: str) -> Key:
        """Return the reader of a key, the same one each time."""
        key = self._key(name)
        if key not in self._used:
            self._used.append(key)
        return key

    def _key(self, name: str) -> Key:
        if name not in self._keys:
            self._keys[name] = key_for(self.table, name, self.query.window)
        return self._keys[name]

    def rows(
        self,
        columns: Iterable[str],
        measures: Collection[str] = (),
        cuts: Iterable[int] = (),
        raw_only: Collection[str] = (),
    ) -> Iterator[Rows]:
        """Yield the rows in the window that pass all filters, in batches that are not empty.

        With `measures`, the columns of the rollups that the caller can use, some may be `Folded`,
        without the columns in `raw_only`; none straddles one of the `cuts`, or a bucket of a key.
        Raises `InvalidError` at the end when a key of the query is no dimension and turns out to be
        no attribute of any row in the window either.
        """
        wanted = dict.fromkeys((*columns, *self.grouping.columns))
        for key, _ in self._filters:
            wanted.update(dict.fromkeys(key.columns))
        if self._servers is not None:
            wanted["server"] = None
        self._choose(measures, cuts)
        labels = [name for name in columns if name not in raw_only]
        kept = (*rollup_columns(self.table, labels, self._used), *measures)
        for rows in self._read(tuple(wanted) or ("timestamp",), kept):
            if len(rows):
                if rows.folded:
                    self.folded_read += len(rows)
                else:
                    self.raw_read += len(rows)
                yield rows
        if self._strict:
            self._check_keys()

    def _choose(self, measures: Collection[str], cuts: Iterable[int]) -> None:
        if measures:
            keys = tuple(self._keys.values())
            self.plan = chosen(
                self.source,
                self.table,
                self.query,
                keys,
                cuts,
                reaches=self._reaches,
                oldest_us=self.oldest_us,
            )

    @property
    def is_raw(self) -> bool:
        """Whether raw rows alone are read."""
        return all(piece.level is None for piece in self.plan.pieces)

    def _read(self, wanted: tuple[str, ...], kept: tuple[str, ...]) -> Iterator[Rows]:
        """Yield the rows that pass all filters: raw ones and rollups, with these columns."""
        source, window, table = self.source, self.query.window, self.table
        if self.is_raw or not isinstance(source, RollupSource):
            found = source.batches(table, wanted, window.start_us, window.end_us)
            yield from map(self._passed, map(Rows, found))
            return
        fresh = source.fresh_rows(table, wanted, window.start_us, window.end_us)
        yield from map(self._passed, map(Rows, fresh))
        sieve, cuts = self._sieve, self.plan.cuts
        for start_us, end_us, level in self.plan.pieces:
            if level is None:
                found = source.drained_rows(table, wanted, start_us, end_us)
                yield from map(self._passed, map(Rows, found))
                continue
            batch = source.condensed(level, SUBJECTS[table], kept, start_us, end_us, cuts, sieve)
            if batch is not None:
                yield folded(batch)

    @property
    def _sieve(self) -> Sieve:
        """The filters of the query, for rollup rows."""
        keys = [key for key, _ in self._filters]
        columns = rollup_columns(self.table, () if self.query.shows_own else ("server",), keys)
        question = (self.query.shows_own, *sorted(self.query.where.items()))
        times = tuple(
            bucket for key in keys if isinstance(key, TimeKey) for bucket in key.buckets.starts_us
        )

        def passed(batch: pa.RecordBatch) -> pa.RecordBatch:
            rows = folded(batch)
            mask = self._mask(rows)
            return batch if mask is None or mask.all() else batch.filter(pa.array(mask))

        return Sieve((*question, times), columns, passed)

    def _passed(self, rows: Rows) -> Rows:
        if not len(rows):
            return rows
        mask = self._mask(rows)
        return rows if mask is None or mask.all() else rows.where(mask)

    def _mask(self, rows: Rows) -> Mask | None:
        mask = self._not_own(rows)
        for key, name in self._filters:
            value = self.query.where[name]
            equal = key.mask(rows, None if value == NONE_LABEL else value)
            mask = equal if mask is None else mask & equal
        return mask

    def _not_own(self, rows: Rows) -> Mask | None:
        if self._servers is None:
            return None
        servers = rows.labels("server")
        self._servers.learn(servers)
        own = self._servers.known(OWN_SERVER)
        return None if own is None else self._servers.codes(servers) != own

    @cached_property
    def oldest_us(self) -> int | None:
        """How far back the raw rows of the table reach."""
        return self.source.oldest_us(self.table)

    @cached_property
    def _reaches(self) -> tuple[Reach, ...]:
        return floors(self.source)

    @property
    def reached_us(self) -> int | None:
        """How far back the rows that may answer the query reach: raw ones, or rollups too."""
        return reached_us(self.oldest_us, self._reaches)

    def notes(self, nothing: str) -> list[str]:
        """Return what should be said of the rows that were read: `nothing` when there were none,
        and the keys that no row has.
        """
        if not self.raw_read + self.folded_read:
            return [nothing]
        absent = [name for name in self.query.group_by if self._is_absent(name)]
        said = [f"no row in this window has: {', '.join(map(bounded_name, absent))}"]
        return (said if absent else []) + rounding_note(self.plan)

    def _is_absent(self, name: str) -> bool:
        key = self._keys[name]
        return isinstance(key, AttributeKey) and not key.found

    def _check_keys(self) -> None:
        for where, names in (("group_by", self.query.group_by), ("where", self.query.where)):
            for name in names:
                if self._is_absent(name) and must_occur(self.table, name):
                    self._check_occurs(where, name)

    def _check_occurs(self, where: str, name: str) -> None:
        """Look for the attribute in all rows of the window, those that were filtered out too."""
        window, others = self.query.window, set[str]()
        for batch in self.source.batches(self.table, (ATTRIBUTES,), window.start_us, window.end_us):
            pairs = batch.column(0).flatten().drop_null()
            names = pc.list_element(pc.split_pattern(pairs, "=", max_splits=1), 0).unique()
            if pc.is_in(pa.scalar(name), value_set=names).as_py():
                return
            others.update(names.slice(0, _SHOWN_NAMES_MAX).to_pylist())
        shown = sorted(others)[:_SHOWN_NAMES_MAX]
        raise unknown_key(where, self.table, name, tuple(bounded_name(other) for other in shown))
