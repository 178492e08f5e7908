"""The Lance tables of a store: opened, appended to in one durable commit, scanned by time and
batch.

Lance never syncs on a local disk, so a commit is made durable here: data files, manifest and both
folders.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.store.machine import is_remote, local_store, sync_path
from contextframe_monitoring.store.schemas import SCHEMAS, STORE_FORMAT, format_of

_DATA_VERSION: Literal["2.2"] = "2.2"
_INDEXED = {"timestamp", "bucket", "batch"}
_LANCE_ERRORS = (ValueError, OSError, RuntimeError)  # what it raises, whatever went wrong
ROWS_PER_FRAGMENT = 1_000_000
VERSIONS_KEPT_MINUTES = 10
_ROWS_PER_BATCH = 1 << 17
"""Of a scan: numpy works on whole batches, and 8,192 rows (the default) cost a quarter more."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def time_column(name: str) -> str:
    """Return the column that holds a table's time."""
    return str(SCHEMAS[name][0].name)


class Tables:
    """The tables below one store URI. Methods raise `StoreError` when the store can't be used.

    May be shared by threads: a Lance dataset may not, so each thread opens its own.
    """

    def __init__(self, store: str, storage_options: dict[str, str] | None = None) -> None:
        """Nothing is opened yet."""
        self.store = store
        self.local = None if is_remote(store) else local_store(store)
        self._options = storage_options
        self._threads = threading.local()
        self._oldest: dict[str, tuple[tuple[int, int], int | None]] = {}

    @property
    def _open(self) -> dict[str, Any]:
        """The datasets that this thread has opened."""
        if not hasattr(self._threads, "open"):
            self._threads.open = {}
        found: dict[str, Any] = self._threads.open
        return found

    def uri(self, name: str) -> str:
        """Return where a table lies: `<store>/<name>.lance`, which `lancedb.connect(store)`
        opens.
        """
        base = str(self.local) if self.local is not None else self.store.rstrip("/")
        return f"{base}/{name}.lance"

    def dataset(self, name: str) -> Any | None:
        """Return the newest version of a table, None when it does not exist."""
        with self.explained(name, "read"):
            try:
                dataset = self._newest(name)
            except _LANCE_ERRORS as error:
                self._open.pop(name, None)
                if self._missing(name, error):
                    return None
                dataset = self._newest(name)  # it may have been made, or made again, just now
        self._open[name] = dataset
        return dataset

    def forget(self, name: str) -> None:
        """Open a table anew the next time."""
        self._open.pop(name, None)

    def _newest(self, name: str) -> Any:
        dataset = self._open.get(name)
        if dataset is None:
            dataset = lance.dataset(self.uri(name), storage_options=self._options)
            self._check_format(name, dataset)
        else:
            dataset.checkout_latest()
        return dataset

    @contextlib.contextmanager
    def explained(self, name: str, what: str) -> Iterator[None]:
        """Turn what Lance raises into a `StoreError`, and open the table anew the next time."""
        try:
            yield
        except _LANCE_ERRORS as error:
            self._open.pop(name, None)
            full = "no space left" in str(error).lower()
            raise StoreError(
                self.store,
                f"table {name} can't be {what} ({_first_line(error)})",
                "free space on its disk" if full else "run doctor",
            ) from error

    def _missing(self, name: str, error: Exception) -> bool:
        if self.local is not None:
            versions = Path(self.uri(name)) / "_versions"
            return not any(versions.glob("*.manifest"))  # gone, or being made just now
        return "not found" in str(error).lower()

    def _check_format(self, name: str, dataset: Any) -> None:
        version = format_of(dataset.schema)
        if version > STORE_FORMAT:
            raise StoreError(
                self.store,
                f"table {name} has format {version}, this program knows {STORE_FORMAT}",
                "upgrade contextframe-monitoring",
            )

    def create(self, name: str) -> Any:
        """Return a table, made empty when it does not exist."""
        dataset = self.dataset(name)
        if dataset is None:
            with self.explained(name, "made"):
                dataset = lance.write_dataset(
                    SCHEMAS[name].empty_table(),
                    self.uri(name),
                    mode="create",
                    data_storage_version=_DATA_VERSION,
                    storage_options=self._options,
                )
                self._sync(name, dataset)
                if self.local is not None:
                    sync_path(self.local)
            self._open[name] = dataset
        return dataset

    def widen(self, name: str) -> None:
        """Give a table of an older version of this program the columns that it lacks, all null."""
        dataset = self.dataset(name)
        known = () if dataset is None else dataset.schema.names
        missing = [field.with_nullable(True) for field in SCHEMAS[name] if field.name not in known]
        if dataset is not None and missing:
            with self.explained(name, "widened"):
                dataset.add_columns(pa.schema(missing))
            self._open.pop(name, None)
            self.sync(name)

    def append(self, name: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        """Append rows in one commit; what was written is durable only after `sync`."""
        dataset = self.create(name)
        with self.explained(name, "written"):
            self._open[name] = lance.write_dataset(
                rows,
                dataset,
                mode="append",
                data_storage_version=_DATA_VERSION,
                storage_options=self._options,
            )

    def sync(self, name: str) -> None:
        """Make the newest version of a local table durable."""
        dataset = self.dataset(name)
        if dataset is not None:
            with self.explained(name, "synced"):
                self._sync(name, dataset)

    def _sync(self, name: str, dataset: Any, fragment_min: int | None = None) -> None:
        """Make a version durable: the fragments from `fragment_min` on (None: the last one), and
        all small files beside them.
        """
        if self.local is None:
            return
        folder = Path(self.uri(name))
        fragments = dataset.get_fragments()
        least = fragments[-1].fragment_id if fragments and fragment_min is None else fragment_min
        for fragment in fragments:
            if least is not None and fragment.fragment_id >= least:
                for file in fragment.data_files():
                    sync_path(folder / "data" / file.path)
        for part in (folder / "data", folder / "_deletions", folder / "_indices"):
            if part.is_dir():
                sync_path(part)
        for path in (*folder.glob("_deletions/*"), *folder.glob("_indices/*/*")):
            sync_path(path)
        versions = folder / "_versions"
        manifest = versions / f"{2**64 - 1 - dataset.version:020d}.manifest"
        if not manifest.exists():
            manifest = versions / f"{dataset.version}.manifest"
        sync_path(manifest)
        sync_path(versions)
        sync_path(folder)

    def holds_batch(self, name: str, batch: int) -> bool:
        """Return whether a table holds rows of a batch."""
        return self.count(name, f"batch = {batch}") > 0

    def batch_max(self, name: str, after: int = 0) -> int:
        """Return the highest batch above `after` that a table holds rows of, 0 when there is
        none.
        """
        rows = self.scan(name, ["batch"], batch_after=after)
        batches = (pc.max(batch.column(0)).as_py() for batch in rows)
        return max((batch for batch in batches if batch is not None), default=0)

    def count(self, name: str, where: str | None = None) -> int:
        """Return the number of rows of a table that meet an SQL condition."""
        dataset = self.dataset(name)
        if dataset is None:
            return 0
        with self.explained(name, "read"):
            return int(dataset.count_rows(filter=where))

    def count_between(self, name: str, start_us: int, end_us: int, where: str | None = None) -> int:
        """Return the number of rows of a table with start <= time < end that meet a condition."""
        conditions = _between(name, start_us, end_us)
        return self.count(name, " AND ".join(conditions if where is None else [*conditions, where]))

    def scan(
        self,
        name: str,
        columns: Sequence[str],
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        batch_after: int = 0,
        batch_max: int | None = None,
        in_order: bool = False,
        where: str | None = None,
        late: bool | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows with start <= time < end of the batches after `batch_after` and up to
        `batch_max`, these columns only, and of them those that meet the SQL condition `where`.

        `in_order` keeps the order in which they are stored: one scan then gives what the last gave.
        `late` reads the columns after the conditions: twice as fast where these leave runs of rows.
        """
        dataset = self.dataset(name)
        if dataset is None:
            return
        conditions = _between(name, start_us, end_us)
        if batch_after:
            conditions.append(f"batch > {batch_after}")
        if batch_max is not None:
            conditions.append(f"batch <= {batch_max}")
        if where is not None:
            conditions.append(f"({where})")
        with self.explained(name, "read"):
            yield from dataset.scanner(
                columns=list(columns),
                filter=" AND ".join(conditions) or None,
                scan_in_order=in_order,
                batch_size=_ROWS_PER_BATCH,
                late_materialization=late,
            ).to_batches()

    def oldest_us(self, name: str) -> int | None:
        """Return the earliest time of a table's rows in microseconds, None when there are none.

        What was found is kept with the version of the table that it was found in. Any row bounds
        the earliest one, and the index leaves little of what may be as early to be read.
        """
        dataset = self.dataset(name)
        if dataset is None:
            return None
        with self.explained(name, "read"):
            version = dataset.version, int(dataset.count_rows())
            known, found = self._oldest.get(name, ((0, 0), None))
            if known != version:
                found = None if found is None else self._least(dataset, name, found)
                if found is None:
                    rows = dataset.scanner(columns=[time_column(name)], limit=1).to_table()
                    bound = _least(rows) if rows.num_rows else None
                    found = None if bound is None else self._least(dataset, name, bound)
                self._oldest[name] = version, found
        return found

    def _least(self, dataset: Any, name: str, bound_us: int) -> int | None:
        """Return the earliest time up to a bound, None when there is none."""
        column = time_column(name)
        until = f"{column} <= {time_literal(bound_us)}"
        rows = dataset.scanner(columns=[column], filter=until).to_table()
        return _least(rows) if rows.num_rows else None

    def delete(self, name: str, where: str) -> None:
        """Remove the rows that meet an SQL condition, in one durable commit. Their bytes stay
        until compaction, and what old versions hold until they are dropped.
        """
        dataset = self.dataset(name)
        if dataset is not None:
            with self.explained(name, "changed"):
                dataset.delete(where)
            self._open.pop(name, None)
            self.sync(name)

    def fragments(self, name: str) -> int:
        """Return the number of fragments that are far from full: many of them slow a reader."""
        dataset = self.dataset(name)
        if dataset is None:
            return 0
        with self.explained(name, "read"):
            rows = [fragment.metadata.physical_rows for fragment in dataset.get_fragments()]
        return sum(count is not None and count < ROWS_PER_FRAGMENT // 2 for count in rows)

    def settle(self, name: str) -> None:
        """Refresh the indices, read a row of every fragment that is not indexed yet, make all
        durable, and only then drop old versions.
        """
        dataset = self.dataset(name)
        if dataset is None or self.count(name) == 0:
            return
        with self.explained(name, "compacted"):
            dataset.checkout_latest()
            new = self._not_indexed(dataset)
            have = {name for index in dataset.describe_indices() for name in index.field_names}
            for column in sorted(_INDEXED & set(dataset.schema.names) - have):
                dataset.create_scalar_index(column, "ZONEMAP")
            dataset.optimize.optimize_indices()
            dataset.checkout_latest()
            for fragment in dataset.get_fragments():
                if fragment.fragment_id in new and fragment.head(1).num_rows != 1:
                    raise OSError("a fragment that was written is empty")
            self._sync(name, dataset, min(new, default=None))
            dataset.cleanup_old_versions(
                older_than=dt.timedelta(minutes=VERSIONS_KEPT_MINUTES), delete_unverified=False
            )
        self._open.pop(name, None)

    def _not_indexed(self, dataset: Any) -> set[int]:
        """Return the fragments that an index does not cover."""
        every = {fragment.fragment_id for fragment in dataset.get_fragments()}
        covered = [
            {number for segment in index.segments for number in segment.fragment_ids}
            for index in dataset.describe_indices()
        ]
        return every - set.intersection(*covered) if covered else every

    def last_seqs(self, name: str) -> dict[str, int]:
        """Return the highest sequence number of each writer among the rows of a raw table."""
        last: dict[str, int] = {}
        for batch in self.scan(name, ["writer", "seq"]):
            column = batch.column(0)
            highest = np.zeros(len(column.dictionary), np.int64)
            np.maximum.at(highest, column.indices.to_numpy(), batch.column(1).to_numpy())
            for writer, seq in zip(column.dictionary.to_pylist(), highest.tolist(), strict=True):
                last[writer] = max(seq, last.get(writer, 0))
        return last


def _between(name: str, start_us: int | None, end_us: int | None) -> list[str]:
    """Return the conditions that a time has to meet."""
    column, conditions = time_column(name), []
    if start_us is not None:
        conditions.append(f"{column} >= {time_literal(start_us)}")
    if end_us is not None:
        conditions.append(f"{column} < {time_literal(end_us)}")
    return conditions


def time_literal(time_us: int) -> str:
    """Return a time in microseconds as SQL."""
    moment = _EPOCH + dt.timedelta(microseconds=time_us)
    return f"cast('{moment:%Y-%m-%dT%H:%M:%S.%f}Z' as timestamp)"


def _least(times: pa.Table) -> int:
    return int(pc.min(times.column(0)).cast(pa.int64()).as_py())


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
