"""The archive: expired raw rows as Parquet, written whole before they are taken out.

A file is called after the removal that it belongs to, is written beside its place, made durable and
renamed: after a crash it stands there whole or not at all, and the rows go only when it stands.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.store.conditions import condition
from contextframe_monitoring.store.machine import sync_path
from contextframe_monitoring.store.removals import Removal
from contextframe_monitoring.store.schemas import SCHEMAS
from contextframe_monitoring.store.tables import Tables

_UNFINISHED = ".unfinished"


class Archive:
    """A folder of Parquet files: `<table>/<table>_before_<date>_batch_<n>.parquet`."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; it is made when something expires."""
        self.folder = folder

    def path(self, removal: Removal) -> Path:
        """Return where the rows of a removal are written."""
        before = dt.datetime.fromtimestamp((removal.selection.before_us or 0) / 1e6, dt.UTC)
        name = f"{removal.table}_before_{before:%Y-%m-%d}_batch_{removal.batch}.parquet"
        return self.folder / removal.table / name

    def keep(self, tables: Tables, removal: Removal) -> Path:
        """Write the rows that a removal is about, unless they stand there; return where.

        Labels are plain strings. Raises `StoreError` when the file can't be written: the rows then
        stay in the table.
        """
        path = self.path(removal)
        if path.exists():
            return path
        unfinished = path.with_name(path.name + _UNFINISHED)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._write(tables, removal, unfinished)
            sync_path(unfinished)
            unfinished.replace(path)
            sync_path(path.parent)
        except OSError as error:
            raise StoreError(
                str(self.folder),
                f"expired rows of {removal.table} can't be archived ({error})",
                "make retention.archive_path writable, or leave it out: until then they stay",
            ) from error
        return path

    def _write(self, tables: Tables, removal: Removal, path: Path) -> None:
        schema = _plain(SCHEMAS[removal.table])
        where = condition(removal.table, removal.selection, removal.batch)
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in tables.scan(removal.table, schema.names, where=where):
                if batch.num_rows:
                    writer.write_batch(batch.cast(schema))


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema with strings in the place of labels."""
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)
