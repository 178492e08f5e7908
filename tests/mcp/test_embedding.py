"""`instrument(server, monitor, tools=True)`: our tools in somebody's server, or a clear refusal."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer

import contextframe_monitoring
from contextframe_monitoring import Monitor, instrument
from contextframe_monitoring.core.errors import ConflictError, InvalidError
from contextframe_monitoring.mcp.tools import TOOL_NAMES
from tests.mcp.toys import MODES, high_toy, low_toy

PACKAGE = Path(contextframe_monitoring.__file__).parent
PROVISIONAL = ("mcp.server._otel", "mcp.server.connection", "mcp.server.context")


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    with Monitor.open(store=str(tmp_path / "store"), start_keeper=False) as opened:
        yield opened


async def names(server: MCPServer, mode: Any = "auto") -> set[str]:
    async with Client(server, mode=mode) as client:
        return {tool.name for tool in (await client.list_tools()).tools}


@pytest.mark.requirement("spine:instrument:tools", "002:tools:in-own-server")
@pytest.mark.parametrize("mode", MODES)
async def test_a_server_answers_about_itself_beside_its_own_tools(
    monitor: Monitor, mode: Any
) -> None:
    server = high_toy()
    own = await names(server, mode)
    instrument(server, monitor, tools=True)
    assert await names(server, mode) == own | set(TOOL_NAMES)
    async with Client(server, mode=mode) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
        report = await client.call_tool("get_performance_metrics", {"where": ["target=add"]})
        status = await client.read_resource("monitoring://status")
    assert (report.structured_content or {})["total_operations"] == 1
    assert json.loads(status.contents[0].text)["enabled"] is True


@pytest.mark.requirement("spine:instrument:collision")
async def test_a_tool_of_one_of_our_names_is_refused_naming_both(monitor: Monitor) -> None:
    server = MCPServer("library")

    @server.tool()
    async def get_cost_report() -> str:
        return "mine"

    @server.resource("monitoring://status")
    async def status() -> str:
        return "mine"

    with pytest.raises(ConflictError) as refused:
        instrument(server, monitor, tools=True)
    assert str(refused.value) == (
        "server 'library' already has get_cost_report, monitoring://status, which "
        "contextframe-monitoring would register too: rename the server's own, or leave tools=True "
        "out"
    )
    assert await names(server) == {"get_cost_report"}
    async with Client(server) as client:
        await client.call_tool("get_cost_report", {})
    assert monitor.recorder.recorded == 0  # nothing was done by halves


def test_a_low_level_server_has_no_place_for_tools(monitor: Monitor) -> None:
    with pytest.raises(InvalidError, match="tools=True needs an MCPServer"):
        instrument(low_toy(), monitor, tools=True)


@pytest.mark.requirement("spine:instrument:one-module")
def test_what_the_sdk_calls_provisional_is_touched_in_the_adapter_only() -> None:
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {what}"
        for room in ("mcp", "ingest", "monitor.py", "keeper.py")
        for path in ([PACKAGE / room] if room.endswith(".py") else (PACKAGE / room).rglob("*.py"))
        if path.name != "adapter.py"
        for what in _provisional(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set()
    adapter = ast.parse((PACKAGE / "mcp" / "adapter.py").read_text(encoding="utf-8"))
    assert set(PROVISIONAL) <= set(_provisional(adapter))


def _provisional(tree: ast.Module) -> Iterator[str]:
    """Yield what a module takes from the SDK that may change: its seam, and private names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mcp":
            names = [node.module or "", *(alias.name for alias in node.names)]
            private = any(part.startswith("_") for name in names for part in name.split("."))
            if private or node.module in PROVISIONAL:
                yield node.module or ""
        if isinstance(node, ast.Attribute) and node.attr == "middleware":
            yield ".middleware"
