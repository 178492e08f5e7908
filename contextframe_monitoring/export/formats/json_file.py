"""JSON: an array of objects (`json`), or one object a line (`jsonl`).

Every column stands in every object, null where nothing is known. Money is a number written from
the exact decimal, times are ISO 8601 with offset.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from contextframe_monitoring.export.cells import json_cells, lines, with_exact_money
from contextframe_monitoring.export.files import Sink
from contextframe_monitoring.export.source import Source

_NOTES = (
    "times are ISO 8601 with offset; amount_usd is written from the exact decimal; null is unknown "
    "or, of a float, not a number; bytes are base64"
)


class JsonLines:
    """One object a line."""

    suffix, binary, tabular = ".jsonl", False, True
    notes = _NOTES

    def write(self, source: Source, sink: Sink) -> int:
        """Write all rows and return their number."""
        rows = 0
        for count, objects in _objects(source, "}\n"):
            sink.write(objects)
            rows += count
        return rows


class JsonArray:
    """One array of all objects, one a line."""

    suffix, binary, tabular = ".json", False, True
    notes = _NOTES

    def write(self, source: Source, sink: Sink) -> int:
        """Write all rows and return their number."""
        sink.write(b"[")
        rows = 0
        for count, objects in _objects(source, "},\n"):
            sink.write(b",\n" if rows else b"\n")
            sink.write(objects[:-2])
            rows += count
        sink.write(b"\n]\n" if rows else b"]\n")
        return rows


def _objects(source: Source, end: str) -> Iterator[tuple[int, memoryview]]:
    """Yield batches of objects that end with `end`: their number and their bytes."""
    for batch in source.batches():
        exact = with_exact_money(batch)
        keys = [f"{json.dumps(name)}:" for name in exact.schema.names]
        parts = [
            (("," if at else "{") + key, column)
            for at, (key, column) in enumerate(zip(keys, exact.columns, strict=True))
        ]
        yield batch.num_rows, lines(parts, json_cells, end)
