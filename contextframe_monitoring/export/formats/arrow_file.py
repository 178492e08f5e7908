"""Arrow IPC file: the columns as they lie in memory, to be mapped rather than read.

`amount_nano_usd` is the exact money; `amount_usd` stays the float that the table holds.
"""

from __future__ import annotations

import pyarrow as pa

from contextframe_monitoring.export.files import Sink
from contextframe_monitoring.export.source import Source, decoded


class ArrowFile:
    """Rows in record batches."""

    suffix, binary, tabular = ".arrow", True, True
    notes = "typed columns, labels as strings; amount_nano_usd is the exact money"

    def write(self, source: Source, sink: Sink) -> int:
        """Write all rows and return their number."""
        writer = pa.ipc.new_file(sink, source.schema)
        rows = 0
        for batch in source.batches():
            writer.write_batch(decoded(batch, source.schema))
            rows += batch.num_rows
        writer.close()
        return rows
