"""One line makes a server monitored, and never a line worse."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from mcp import Client, types
from mcp.shared.exceptions import MCPError

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.mcp.instrument import instrument
from contextframe_monitoring.mcp.middleware import MonitorMiddleware
from tests.mcp.installed import program
from tests.mcp.relay_support import ENVIRONMENT, SERVERS
from tests.mcp.toys import MODES, high_toy, low_toy
from tests.support import RecordingMonitor, operations, recording

pytestmark = pytest.mark.anyio

TOYS = [high_toy, low_toy]


@pytest.mark.parametrize("toy", TOYS)
def test_it_stands_in_for_the_sdks_tracing_unless_told_to_keep_it(
    tmp_path: Path, toy: Callable[[], Any]
) -> None:
    with recording(tmp_path) as monitor:
        bare = [type(m).__name__ for m in toy().middleware]
        inside = toy()
        inside.middleware.pop(0)
        for server, wanted in (
            (instrument(toy(), monitor), ["MonitorMiddleware", *bare[1:]]),
            (
                instrument(toy(), monitor, keep_opentelemetry=True),
                [bare[0], "MonitorMiddleware", *bare[1:]],
            ),
            (instrument(inside, monitor), ["MonitorMiddleware", *bare[1:]]),
        ):
            assert [type(m).__name__ for m in server.middleware] == wanted


async def test_instrumenting_twice_records_once(tmp_path: Path) -> None:
    with recording(tmp_path) as monitor, recording(tmp_path) as same_spool:
        server = instrument(instrument(low_toy(), monitor), same_spool)
        async with Client(server) as client:
            await client.call_tool("add", {"a": 1, "b": 2})

    assert len(operations(tmp_path, "tools/call")) == 1


@pytest.mark.parametrize("toy", TOYS)
async def test_two_monitors_with_stores_of_their_own_record_once_each(
    tmp_path: Path, toy: Callable[[], Any]
) -> None:
    with recording(tmp_path / "one") as one, recording(tmp_path / "two") as two:
        async with Client(instrument(instrument(toy(), one), two)) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
            await client.call_tool("refuses", {})

    first, second = (operations(tmp_path / store, "tools/call") for store in ("one", "two"))
    assert [(o.target, o.status, o.error_type) for o in first] == [
        (o.target, o.status, o.error_type) for o in second
    ]
    assert len(first) == 2


async def test_two_servers_in_one_process_are_told_apart(tmp_path: Path) -> None:
    with recording(tmp_path) as monitor:
        one = instrument(high_toy(name="one"), monitor)
        two = instrument(low_toy(name="two"), monitor)
        async with Client(one) as first, Client(two, mode="legacy") as second:
            await first.call_tool("add", {"a": 1, "b": 2})
            await second.call_tool("add", {"a": 1, "b": 2})
        writer = monitor.recorder.writer

    found = operations(tmp_path, "tools/call")
    assert [(o.origin.server, o.origin.session_id) for o in found] == [
        ("one", f"{writer}-c1"),
        ("two", f"{writer}-c1"),
    ]


async def test_the_name_in_the_configuration_wins(tmp_path: Path) -> None:
    with recording(tmp_path, server="ours") as monitor:
        async with Client(instrument(low_toy(), monitor)) as client:
            await client.list_tools()
    assert {o.origin.server for o in operations(tmp_path)} == {"ours"}


def test_switched_off_it_adds_nothing(tmp_path: Path) -> None:
    monitor = RecordingMonitor(tmp_path, enabled=False)
    for toy in TOYS:
        server, bare = instrument(toy(), monitor), toy()
        assert [type(m) for m in server.middleware] == [type(m) for m in bare.middleware]
        assert server.__dict__.keys() == bare.__dict__.keys()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stranger", [None, "server", object(), int])
def test_another_kind_of_server_is_refused_and_wrap_is_offered(
    tmp_path: Path, stranger: object
) -> None:
    refusal = pytest.raises(InvalidError, match=r"contextframe-monitoring wrap -- COMMAND$")
    with recording(tmp_path) as monitor, refusal:
        instrument(stranger, monitor)


@pytest.mark.parametrize("mode", MODES)
async def test_the_server_answers_as_before(tmp_path: Path, mode: str) -> None:
    async def answers(server: Any) -> list[Any]:
        found: list[Any] = []
        async with Client(server, mode=mode) as client:
            found.append(await client.list_tools())
            for name in ("add", "boom", "refuses", "nobody", "protocol", "forwards"):
                try:
                    found.append(await client.call_tool(name, {"a": 1, "b": 2}))
                except MCPError as error:
                    found.append((error.code, error.message, error.error.data))
            found.append(await client.read_resource("note://today"))
        return found

    with recording(tmp_path) as monitor:
        assert await answers(instrument(high_toy(), monitor)) == await answers(high_toy())


@pytest.mark.requirement("spine:fault:undisturbed")
@pytest.mark.parametrize("mode", MODES)
async def test_a_closed_spool_disturbs_nobody_and_is_counted(tmp_path: Path, mode: str) -> None:
    with recording(tmp_path) as monitor:
        async with Client(instrument(high_toy(), monitor), mode=mode) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
            monitor.recorder.close()
            result = await client.call_tool("add", {"a": 2, "b": 2})
            lost = monitor.recorder.losses

    assert result.structured_content == {"total": 4}
    assert lost == {"closed": 1}
    assert len(operations(tmp_path, "tools/call")) == 1


@pytest.mark.requirement("spine:fault:undisturbed")
@pytest.mark.parametrize("mode", MODES)
async def test_a_fault_of_ours_disturbs_nobody_and_is_counted(tmp_path: Path, mode: str) -> None:
    class Faulty:
        """Stands where the middleware keeps what it knows of targets."""

        known: ClassVar[dict[Any, Any]] = {}

        def target_of(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("a fault")

    with recording(tmp_path) as monitor:
        server = instrument(high_toy(), monitor)
        middleware = server.middleware[0]
        assert isinstance(middleware, MonitorMiddleware)
        async with Client(server, mode=mode) as client:
            middleware._targets = Faulty()  # type: ignore[assignment]
            lost = monitor.recorder.losses.get("invalid", 0)
            result = await client.call_tool("add", {"a": 1, "b": 2})
            with pytest.raises(MCPError):
                await client.call_tool("protocol", {})
            lost = monitor.recorder.losses["invalid"] - lost

    assert result.structured_content == {"total": 3}
    assert lost >= 2
    assert operations(tmp_path, "tools/call") == []


@pytest.mark.requirement("spine:input:many-tools")
async def test_ten_thousand_tools_are_told_apart(tmp_path: Path) -> None:
    names = [f"tool-{number}" for number in range(10_000)]
    with recording(tmp_path) as monitor:
        server = instrument(low_toy(), monitor)
        async with Client(server) as client:
            for name in names:
                params = types.CallToolRequestParams(name=name)
                request = types.CallToolRequest(params=params)
                await client.session.send_request(request, types.CallToolResult)
        middleware = server.middleware[0]

    found = operations(tmp_path, "tools/call")
    assert [o.target for o in found] == names
    assert {o.status for o in found} == {"success"}
    assert isinstance(middleware, MonitorMiddleware)
    assert len(middleware._targets.known) == 512


@pytest.mark.requirement("spine:input:attributes")
@pytest.mark.parametrize("mode", MODES)
async def test_hostile_names_are_bounded(tmp_path: Path, mode: str) -> None:
    names = ["a\0b", "lone \ud800 half", "x" * 1_000_000, "line\nbreak", "", "ünï"]
    with recording(tmp_path) as monitor:
        async with Client(instrument(high_toy(), monitor), mode=mode) as client:
            for name in names:
                try:
                    await client.session.call_tool(name, {})
                except (MCPError, UnicodeEncodeError):  # a modern client sends no lone half
                    continue

    wanted = ["a\ufffdb", "lone ? half", "x" * 255 + "…", "line\ufffdbreak", "", "ünï"]
    if mode == "auto":
        wanted.remove("lone ? half")
    targets = [o.target for o in operations(tmp_path, "tools/call")]
    assert targets == wanted


@pytest.mark.requirement("spine:record:imports-nothing-heavy")
def test_an_instrumented_server_loads_what_it_had_and_little_more(tmp_path: Path) -> None:
    program = (
        "import sys; from mcp.server import MCPServer; server = MCPServer('x');"
        "had = set(sys.modules);"
        "from contextframe_monitoring.mcp.instrument import instrument;"
        "from contextframe_monitoring.monitor import Monitor;"
        "instrument(server, Monitor.open(store=sys.argv[1], start_keeper=False));"
        "new = {m.partition('.')[0] for m in set(sys.modules) - had};"
        "print(*sorted(m for m in new if m not in sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["contextframe_monitoring", "msgspec"]


@pytest.mark.servers
@pytest.mark.requirement("doors:servers:fastmcp")
def test_a_server_of_fastmcp_is_recorded_and_answers_the_same(tmp_path: Path) -> None:
    python = program("fastmcp", "python")
    done = subprocess.run(
        [python, str(SERVERS / "fastmcp_session.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        *("add", "fail", "shelf_find"),
        *("3", "Emma is here", "ToolError"),
    ]
    calls = [o for o in operations(tmp_path) if o.operation_type.startswith("tools/")]
    assert [
        (o.operation_type, o.target, o.status, o.error_type, o.origin.agent_id, o.origin.server)
        for o in calls
    ] == [
        ("tools/list", None, "success", None, "mcp", "library"),
        ("tools/call", "add", "success", None, "planner", "library"),
        ("tools/call", "shelf_find", "success", None, "mcp", "library"),
        ("tools/call", "fail", "error", "tool_error", "mcp", "library"),
    ]
    refused = [o for o in operations(tmp_path) if o.operation_type == "http/POST"]
    assert [(o.error_type, o.status_code, o.origin.transport) for o in refused] == [
        ("ParseError", 400, "streamable-http"),
        ("http_400", 400, "sse"),
    ]


@pytest.mark.requirement("doors:servers:mcp-1")
def test_a_server_written_for_mcp_1_is_refused_and_wrap_is_named(tmp_path: Path) -> None:
    """The shape that `FastMCP` of mcp 1.x and fastmcp 2 have: a low-level server of another class
    behind `_mcp_server`.
    """

    class OldServer:
        def __init__(self) -> None:
            self.request_handlers: dict[type, Callable[..., Any]] = {}

    class FastMCP:
        def __init__(self) -> None:
            self._mcp_server = OldServer()

    with recording(tmp_path) as monitor:
        for server in (FastMCP(), OldServer()):
            with pytest.raises(InvalidError, match="contextframe-monitoring wrap -- COMMAND"):
                instrument(server, monitor)
