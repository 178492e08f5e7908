"""Parquet: typed columns, compressed with zstd; readable by every data tool.

`amount_nano_usd` is the exact money; `amount_usd` stays the float that the table holds.
"""

from __future__ import annotations

import pyarrow as pa

from contextframe_monitoring.export.files import Sink
from contextframe_monitoring.export.source import Source, decoded

ROWS_PER_GROUP = 131_072
BYTES_PER_GROUP_MAX = 64 << 20
"""A row group is held in memory until it is written."""


class ParquetFile:
    """Rows in groups of about `ROWS_PER_GROUP`."""

    suffix, binary, tabular = ".parquet", True, True
    notes = "typed columns, labels as strings; amount_nano_usd is the exact money"

    def write(self, source: Source, sink: Sink) -> int:
        """Write all rows and return their number."""
        import pyarrow.parquet as pq

        writer = pq.ParquetWriter(sink, source.schema, compression="zstd")
        rows = size = held = 0
        group: list[pa.RecordBatch] = []
        for batch in source.batches():
            group.append(decoded(batch, source.schema))
            rows += batch.num_rows
            held += batch.num_rows
            size += group[-1].nbytes
            if held >= ROWS_PER_GROUP or size >= BYTES_PER_GROUP_MAX:
                writer.write_table(pa.Table.from_batches(group), row_group_size=held)
                group, held, size = [], 0, 0
        if group:
            writer.write_table(pa.Table.from_batches(group), row_group_size=held)
        writer.close()
        return rows
