"""A report as rows: its breakdown, one row a category."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
from pydantic import BaseModel

from contextframe_monitoring.export.source import ROWS_PER_SLICE_MAX

_LIST = "breakdown"


class ReportRows:
    """The rows of a report's `breakdown`; a report without one is a single row.

    Parts of parts are columns with dots in their names, lists are JSON text.
    """

    def __init__(self, report: BaseModel) -> None:
        """Take the report apart."""
        values = report.model_dump()
        listed = values.get(_LIST)
        rows = listed if isinstance(listed, list | tuple) else [values]
        flat = [dict(_flat("", row)) for row in rows]
        names = list(dict.fromkeys(name for row in flat for name in row))
        self._name = type(report).__name__
        self._table = pa.table({name: _column([row.get(name) for row in flat]) for name in names})

    @property
    def schema(self) -> pa.Schema:
        """The columns that the rows have."""
        return self._table.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        yield from self._table.to_batches(max_chunksize=ROWS_PER_SLICE_MAX)

    def description(self) -> dict[str, Any]:
        """Return names and types of the columns."""
        columns = [{"name": field.name, "type": str(field.type)} for field in self.schema]
        return {"report": self._name, "columns": columns}


def report_json(report: BaseModel) -> bytes:
    """Return a whole report as JSON, money as numbers written from the exact decimals."""
    return msgspec.json.format(msgspec.json.encode(_exact(report.model_dump())), indent=2) + b"\n"


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return msgspec.Raw(f"{value:f}".encode()) if value.is_finite() else None
    if isinstance(value, Mapping):
        return {str(key): _exact(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(inner) for inner in value]
    return value


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), inner)
    elif isinstance(value, list | tuple):
        yield prefix, msgspec.json.encode(_exact(value)).decode()
    else:
        yield prefix or "value", value


def _column(values: list[Any]) -> pa.Array:
    """Return an array of the values; what has no type of its own, or several, becomes text."""
    try:
        array = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        array = pa.array([None if value is None else _text(value) for value in values])
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array


def _text(value: Any) -> str:
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return value if isinstance(value, str) else json.dumps(value, default=str)
