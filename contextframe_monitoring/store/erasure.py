"""Erasing rows of a table for good: their fragments are written anew without them, then everything
older is dropped.

A deletion alone leaves the bytes where they are, and compaction carries the dictionaries of labels
over as they were, names without rows included. So what stays is read, its dictionaries are built
anew, and fragments are exchanged in one commit: after a crash a table holds either all of the rows
or none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
from lance.fragment import write_fragments

from contextframe_monitoring.store.machine import sync_path
from contextframe_monitoring.store.tables import ROWS_PER_FRAGMENT, Tables

_ROWS_PER_BATCH = 65_536


def rewrite(
    tables: Tables,
    name: str,
    drop: str,
    *,
    agent_id: str | None = None,
    added: Iterable[pa.RecordBatch] = (),
) -> None:
    """Write a table anew without the rows that meet the SQL condition `drop`, with `added` rows.

    Fragments stay as they are unless they hold such rows, rows that were deleted before, or the
    name `agent_id` without rows. One durable commit. Raises `StoreError`.
    """
    dataset = tables.dataset(name)
    if dataset is not None:
        with tables.explained(name, "rewritten"):
            _rewrite(tables, name, dataset, drop, agent_id, added)
        tables.sync(name)


def _rewrite(
    tables: Tables,
    name: str,
    dataset: Any,
    drop: str,
    agent_id: str | None,
    added: Iterable[pa.RecordBatch],
) -> None:
    touched = [f for f in dataset.get_fragments() if _holds(f, drop, agent_id)]
    kept = (batch for fragment in touched for batch in _kept(fragment, drop))
    fresh = (relabelled(batch, dataset.schema) for part in (kept, added) for batch in part)
    exchange(tables, name, dataset, touched, (b for b in fresh if b.num_rows))


def exchange(
    tables: Tables,
    name: str,
    dataset: Any,
    removed: Sequence[Any],
    fresh: Iterable[pa.RecordBatch],
    checkpoint: Callable[[str], None] = lambda _step: None,
) -> None:
    """Put rows in the place of fragments of a table's newest version, in one commit.

    The new files are durable before it (`compact:written:<table>`), the commit itself after
    `Tables.sync`.
    """
    fragments = write_fragments(
        pa.RecordBatchReader.from_batches(dataset.schema, fresh),
        dataset,
        mode="append",
        max_rows_per_file=ROWS_PER_FRAGMENT,
    )
    if not removed and not fragments:
        return
    _sync(tables, name, fragments)
    checkpoint(f"compact:written:{name}")
    change = lance.LanceOperation.Update(
        removed_fragment_ids=[fragment.fragment_id for fragment in removed],
        new_fragments=fragments,
    )
    lance.LanceDataset.commit(dataset, change, read_version=dataset.version)


def drop_versions(tables: Tables, name: str) -> None:
    """Drop every version of a table but the newest, and all files that belong to none.

    Whoever reads an older version at this moment fails. On object storage files of no version
    stay for a week: another host may be about to commit them. Raises `StoreError`.
    """
    tables.settle(name)
    dataset = tables.dataset(name)
    if dataset is not None:
        with tables.explained(name, "cleaned up"):
            dataset.cleanup_old_versions(
                older_than=dt.timedelta(0), delete_unverified=tables.local is not None
            )


def _holds(fragment: Any, drop: str, agent_id: str | None) -> bool:
    if fragment.num_deletions or fragment.count_rows(filter=drop):
        return True
    if agent_id is None:
        return False
    return any(
        agent_id in batch.column(0).dictionary.to_pylist()
        for batch in fragment.scanner(columns=["agent_id"]).to_batches()
    )


def _kept(fragment: Any, drop: str) -> Iterator[pa.RecordBatch]:
    """Yield what does not meet the condition; where it is unknown (a null) a row stays."""
    scanner = fragment.scanner(filter=f"({drop}) IS NOT TRUE", batch_size=_ROWS_PER_BATCH)
    yield from scanner.to_batches()


def relabelled(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return rows of a table whose dictionaries hold what the rows say, and nothing else."""
    columns = []
    for field in schema:
        column = batch.column(field.name)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type).dictionary_encode().cast(field.type)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _sync(tables: Tables, name: str, fragments: list[Any]) -> None:
    if tables.local is None:
        return
    folder = Path(tables.uri(name)) / "data"
    for fragment in fragments:
        for file in fragment.files:
            sync_path(folder / file.path)
    sync_path(folder)
