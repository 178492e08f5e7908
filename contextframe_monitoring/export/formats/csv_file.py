"""CSV: RFC 4180, UTF-8, a header line, lines that end with a line feed.

A cell is quoted where its text needs it; null is an empty cell, the empty string is `""`; lists
are JSON. Texts stand as they are stored; `csv-excel` is for people who open the file in a
spreadsheet: a mark that it is UTF-8, and an apostrophe before texts that would be taken for
formulas (CWE-1236).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.export.cells import csv_cells, lines, with_exact_money
from contextframe_monitoring.export.files import Sink
from contextframe_monitoring.export.source import Source

_FORMULA = r"^[=+\-@\t\r]"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class CsvFile:
    """Rows as lines of comma-separated cells."""

    suffix, binary, tabular = ".csv", False, True
    notes = (
        "times are ISO 8601 with offset; amount_usd is written from the exact decimal; null is an "
        'empty cell, the empty string ""; lists are JSON; bytes are base64'
    )

    def write(self, source: Source, sink: Sink) -> int:
        """Write all rows and return their number."""
        sink.write((",".join(map(_name, source.schema.names)) + "\n").encode())
        rows = 0
        for batch in source.batches():
            columns = [self._safe(column) for column in with_exact_money(batch).columns]
            parts = [("," if at else "", column) for at, column in enumerate(columns)]
            sink.write(lines(parts, csv_cells, "\n"))
            rows += batch.num_rows
        return rows

    def _safe(self, column: pa.Array) -> pa.Array:
        return column


class CsvForExcel(CsvFile):
    """The same for spreadsheets: no text becomes a formula."""

    notes = f"{CsvFile.notes}; texts that a spreadsheet would take for formulas start with '"

    def write(self, source: Source, sink: Sink) -> int:
        """Write all rows and return their number."""
        sink.write(_BYTE_ORDER_MARK)
        return super().write(source, sink)

    def _safe(self, column: pa.Array) -> pa.Array:
        if pa.types.is_dictionary(column.type):
            return pa.DictionaryArray.from_arrays(column.indices, self._safe(column.dictionary))
        if not pa.types.is_string(column.type):
            return column
        return pc.replace_substring_regex(column, _FORMULA, r"'\0")


def _name(name: str) -> str:
    return csv_cells(pa.array([name]))[0].as_py()  # type: ignore[no-any-return]
