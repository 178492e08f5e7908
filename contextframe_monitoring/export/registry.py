"""The formats by name: ours, and those that other packages bring.

A new one is one file with a class of this protocol, and one line here; in another package it is an
entry point of the group `contextframe_monitoring.formats`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Protocol

from contextframe_monitoring.core.errors import InvalidError, UnavailableError
from contextframe_monitoring.export.files import Sink
from contextframe_monitoring.export.formats.arrow_file import ArrowFile
from contextframe_monitoring.export.formats.csv_file import CsvFile, CsvForExcel
from contextframe_monitoring.export.formats.emf_lines import EmfLines
from contextframe_monitoring.export.formats.json_file import JsonArray, JsonLines
from contextframe_monitoring.export.formats.parquet_file import ParquetFile
from contextframe_monitoring.export.formats.prometheus_text import PrometheusText
from contextframe_monitoring.export.source import Source

ENTRY_POINTS = "contextframe_monitoring.formats"


class Format(Protocol):
    """How a source becomes bytes."""

    suffix: str
    """What the names of its files end with."""
    binary: bool
    """Whether it is no text, and so can't stand in an answer."""
    tabular: bool
    """Whether it carries the columns of the source, which a schema file then describes."""
    notes: str
    """How values are written, for the schema file."""

    def write(self, source: Source, sink: Sink) -> int:
        """Write everything and return the number of rows."""
        ...


FORMATS: dict[str, Callable[[], Format]] = {
    "json": JsonArray,
    "jsonl": JsonLines,
    "csv": CsvFile,
    "csv-excel": CsvForExcel,
    "parquet": ParquetFile,
    "arrow": ArrowFile,
    "prometheus": PrometheusText,
    "emf": EmfLines,
}


def format_names() -> tuple[str, ...]:
    """Return the names of all formats, those of other packages included."""
    return tuple(dict.fromkeys([*FORMATS, *(point.name for point in _entry_points())]))


def format_of(name: str) -> Format:
    """Return a format by name; one of ours wins over one of another package.

    Raises `InvalidError` for an unknown one, `UnavailableError` when its package can't be loaded.
    """
    if isinstance(name, str) and name in FORMATS:
        return FORMATS[name]()
    for point in _entry_points():
        if point.name == name:
            try:
                found: Format = point.load()()
            except Exception as error:  # a foreign package may raise anything
                raise UnavailableError(
                    f"format {name!r} of {point.value} can't be loaded: "
                    f"{type(error).__name__}: {error}"
                ) from error
            return found
    raise InvalidError("format", name, f"expected one of {', '.join(format_names())}")


def _entry_points() -> importlib.metadata.EntryPoints:
    return importlib.metadata.entry_points(group=ENTRY_POINTS)
