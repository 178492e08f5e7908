"""Formats by name: ours, and those of other packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import InvalidError, UnavailableError
from contextframe_monitoring.export.exporter import MetricsExporter
from contextframe_monitoring.export.formats.csv_file import CsvFile
from contextframe_monitoring.export.registry import FORMATS, format_names, format_of
from tests.export.stores import Filled, operation

PLUGIN = """
class Count:
    suffix, binary, tabular, notes = ".txt", False, False, "the number of rows"

    def write(self, source, sink):
        rows = sum(batch.num_rows for batch in source.batches())
        sink.write(str(rows).encode())
        return rows
"""
ENTRIES = """
[contextframe_monitoring.formats]
count = plugin_of_a_test:Count
csv = plugin_of_a_test:Count
broken = plugin_of_a_test:Missing
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    (folder / "plugin_of_a_test-1.dist-info").mkdir(parents=True)
    (folder / "plugin_of_a_test.py").write_text(PLUGIN)
    (folder / "plugin_of_a_test-1.dist-info/METADATA").write_text("Name: plugin-of-a-test\n")
    (folder / "plugin_of_a_test-1.dist-info/entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "plugin_of_a_test", raising=False)


def test_every_format_says_what_it_is() -> None:
    for name in FORMATS:
        found = format_of(name)
        assert found.suffix.startswith(".")
        assert found.notes
        assert (found.binary, found.tabular) == (
            name in {"parquet", "arrow"},
            name not in {"prometheus", "emf"},
        )


@pytest.mark.usefixtures("plugin")
def test_another_package_brings_a_format_by_entry_point(
    filled: Filled, exporter: MetricsExporter
) -> None:
    filled.drain(operation(), operation())
    assert format_names() == (*FORMATS, "count", "broken")
    assert exporter.export("performance", "count").content == "2"


@pytest.mark.usefixtures("plugin")
def test_our_own_format_wins_over_one_of_the_same_name() -> None:
    assert type(format_of("csv")) is CsvFile


@pytest.mark.usefixtures("plugin")
def test_a_package_that_can_not_be_loaded_is_named() -> None:
    with pytest.raises(
        UnavailableError, match=r"format 'broken' of plugin_of_a_test:Missing can't"
    ):
        format_of("broken")


def test_an_unknown_format_is_named_with_those_that_are_known() -> None:
    for name in ("xml", "", None, 7):
        with pytest.raises(InvalidError, match="expected one of json, jsonl, csv, csv-excel"):
            format_of(name)  # type: ignore[arg-type]
