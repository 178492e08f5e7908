"""`export_metrics` as an agent uses it: every format, to the answer or below the export folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from mcp import Client
from prometheus_client.parser import text_string_to_metric_families

from contextframe_monitoring import Monitor
from contextframe_monitoring.mcp.server import build_server
from contextframe_monitoring.store.schemas import PERFORMANCE_SCHEMA

pytestmark = pytest.mark.parametrize("era", ["auto", "legacy"])


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    """A store with three operations, one of them drained, and a cost."""
    store = str(tmp_path / "store")
    with Monitor.open(store=store, name="app", start_keeper=False) as opened:
        for number in range(3):
            with opened.performance.operation("tools/call", f"tool-{number}"):
                pass
            if number == 0:
                opened.drain()
        opened.cost.track_known_cost("openai", "chat", 0.0456)
        yield opened


async def export(monitor: Monitor, era: Any, **arguments: Any) -> Any:
    async with Client(build_server(monitor), mode=era) as client:
        return await client.call_tool(
            "export_metrics", {"subject": "cost", **arguments} if arguments else {}
        )


async def content(monitor: Monitor, era: Any, **arguments: Any) -> str:
    result = await export(monitor, era, **arguments)
    assert not result.is_error, result.content
    assert result.structured_content["path"] is None
    return str(result.structured_content["content"])


@pytest.mark.requirement("spine:serve:export-formats", "002:tools:export")
async def test_text_formats_stand_in_the_answer(monitor: Monitor, era: Any) -> None:
    [row] = json.loads(await content(monitor, era, format="json"))
    assert (row["provider"], row["amount_nano_usd"]) == ("openai", 45_600_000)
    [row] = csv.DictReader((await content(monitor, era, format="csv")).splitlines())
    assert (row["provider"], row["amount_usd"]) == ("openai", "0.0456")
    text = await content(monitor, era, format="prometheus")
    samples = [s for f in text_string_to_metric_families(text) for s in f.samples]
    assert 0.0456 in [sample.value for sample in samples]


@pytest.mark.requirement("spine:serve:export-formats", "spine:serve:export-folder")
async def test_files_are_written_below_the_export_folder(
    monitor: Monitor, era: Any, tmp_path: Path
) -> None:
    result = await export(
        monitor, era, subject="performance", format="parquet", file="daily/calls.parquet"
    )
    found = result.structured_content
    path = tmp_path / "store" / "exports" / "daily" / "calls.parquet"
    table = pq.read_table(path)  # every row, also those of this very conversation
    assert (found["path"], found["rows"], found["content"]) == (str(path), len(table), None)
    assert table.column_names == PERFORMANCE_SCHEMA.names
    app = table.filter(pc.equal(table["server"].cast("string"), "app"))
    assert sorted(app["target"].to_pylist()) == ["tool-0", "tool-1", "tool-2"]


def csv_files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.csv"))


@pytest.mark.requirement("spine:serve:export-folder")
@pytest.mark.parametrize("file", ["../outside.csv", "/outside.csv", "a/../../outside.csv", ""])
@pytest.mark.requirement("export:tool:folder")
async def test_no_file_is_written_anywhere_else(
    monitor: Monitor, era: Any, file: str, tmp_path: Path
) -> None:
    result = await export(monitor, era, format="csv", file=file)
    assert result.is_error
    assert "is not allowed" in result.content[0].text
    assert not csv_files(tmp_path)


async def test_what_can_not_be_exported_is_said(monitor: Monitor, era: Any) -> None:
    binary = await export(monitor, era, format="parquet")
    assert binary.is_error
    assert "parquet" in binary.content[0].text
    unknown = await export(monitor, era, format="xml")
    assert unknown.is_error
    assert "'json', 'csv', 'parquet' or 'prometheus'" in unknown.content[0].text
    window = await export(monitor, era, format="csv", since="2999-01-01")
    assert window.is_error
    assert "2999-01-01" in window.content[0].text


async def test_an_empty_window_is_an_empty_export(monitor: Monitor, era: Any) -> None:
    found = await content(monitor, era, format="json", since="2001-01-01", until="2001-01-02")
    assert json.loads(found) == []


@pytest.mark.requirement("export:tool:destinations")
async def test_an_agent_sends_what_is_new_to_a_configured_target(tmp_path: Path, era: Any) -> None:
    path = tmp_path / "out"
    targets = {"archive": {"type": "file", "path": str(path), "subject": "cost"}}
    store = str(tmp_path / "store")
    with Monitor.open(store=store, name="app", start_keeper=False, targets=targets) as monitor:
        monitor.cost.track_known_cost("openai", "chat", 0.0456)
        result = await export(monitor, era, target="archive")
        assert not result.is_error, result.content
        found = result.structured_content
        assert (found["target"], found["format"], found["rows"]) == ("archive", "file", 1)
        assert len(list(path.iterdir())) == 1
        result = await export(monitor, era, target="elsewhere")
        assert result.is_error
        assert "configured are archive" in result.content[0].text
        status = await monitor.status()
    assert [(one.name, one.status, one.sent) for one in status.targets] == [("archive", "ok", 1)]
