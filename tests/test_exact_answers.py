"""An exact answer is asked for through every door: command and tool."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from contextframe_monitoring import Monitor
from contextframe_monitoring.bench.filled_store import fill
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.mcp.server import build_server
from contextframe_monitoring.store.store import Store
from tests.cli.command import run

DAYS = 4
SOURCES = {"performance": "get_performance_metrics", "cost": "get_cost_report"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with more rows of the last days than are read raw."""
    found = tmp_path_factory.mktemp("exact") / "store"
    start_us = (int(time.time()) // 86_400 - DAYS) * US_PER_DAY
    fill(Store(str(found)), 80_000, DAYS, start_us)
    return found


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_the_command_answers_from_rollups_or_exactly(folder: Path, kind: str) -> None:
    def resolution(*options: str) -> Any:
        ended = run("report", kind, "--since", "6d", "--store", str(folder), "--json", *options)
        return json.loads(ended.stdout)["resolution"]

    assert resolution()["source"] in {"rollup", "both"}
    exact = resolution("--exact")
    assert (exact["source"], exact["exact"], exact["quantile_error"]) == ("raw", True, 0.0)


@pytest.mark.parametrize("kind", sorted(SOURCES))
async def test_the_tool_answers_from_rollups_or_exactly(folder: Path, kind: str) -> None:
    server = build_server(Monitor.open(store=str(folder), start_keeper=False))

    async def source(**arguments: Any) -> str:
        async with Client(server) as client:
            found = await client.call_tool(SOURCES[kind], {"since": "6d", **arguments})
        assert found.structured_content is not None
        name: str = found.structured_content["resolution"]["source"]
        return name

    assert await source() in {"rollup", "both"}
    assert await source(resolution="exact") == "raw"
