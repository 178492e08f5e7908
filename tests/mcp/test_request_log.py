"""MCP messages with an id and a line each, through every era and over the real stdio."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

from contextframe_monitoring import (
    Monitor,
    correlation,
    correlation_id,
    correlation_meta,
    get_logger,
    instrument,
)
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.mcp.request_log import RequestLog
from tests.logs.lines import lines_of, logging_monitor
from tests.mcp.toys import MODES, high_toy, low_toy
from tests.processes import COMMAND, run
from tests.support import operations, recorded, recording

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def shop(monitor: Monitor) -> MCPServer:
    server = MCPServer("shop", log_level="CRITICAL")
    log = get_logger("shop", monitor=monitor)

    @server.tool()
    async def order(ctx: Context[Any, Any]) -> str:
        log.info("order.seen")
        monitor.usage.track_event("order.placed")
        await ctx.report_progress(1, 2)
        return correlation_id() or "none"

    return instrument(server, monitor)


async def ids_told(server: MCPServer, mode: str, metas: list[dict[str, Any]]) -> list[str]:
    async def progressed(*_: Any) -> None:
        return

    async with Client(server, mode=mode) as client:  # type: ignore[arg-type]
        return [
            (
                await client.call_tool("order", {}, meta=meta, progress_callback=progressed)
            ).content[0].text
            for meta in metas
        ]  # fmt: skip


@pytest.mark.requirement("004:log:correlation-middleware", "004:test:correlation")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.requirement("export:logs:propagated")
async def test_what_a_message_caused_carries_its_id(tmp_path: Path, mode: str) -> None:
    metas = [{"traceparent": TRACEPARENT, "correlationId": "x"}, {"correlationId": "job-1"}, {}]
    with logging_monitor(tmp_path) as monitor:
        told = await ids_told(shop(monitor), mode, metas)
    made = told[2]
    assert told[:2] == [TRACE_ID, "job-1"]
    assert len(made) == 32
    for found in told:
        kinds = [
            getattr(record, "operation_type", None) or getattr(record, "name", None)
            for record in recorded(tmp_path / "store")
            if record.correlation_id == found
        ]
        assert sorted(kinds) == ["notifications/progress", "order.placed", "tools/call"]
        messages = [
            line["message"] for line in lines_of(tmp_path) if line.get("correlation_id") == found
        ]
        assert messages == ["order.seen", "request.handled"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.requirement("export:logs:propagated")
async def test_an_application_hands_its_id_to_the_servers_that_it_calls(
    tmp_path: Path, mode: str
) -> None:
    told = []
    with logging_monitor(tmp_path) as monitor:
        assert correlation_meta() == {}
        async with Client(shop(monitor), mode=mode) as client:  # type: ignore[arg-type]
            for name in ("job-1", TRACE_ID):
                with correlation(name):
                    meta = correlation_meta()
                found = await client.call_tool("order", {}, meta=meta)
                told.append(found.content[0].text)
    assert told == ["job-1", TRACE_ID]


@pytest.mark.parametrize("mode", MODES)
async def test_without_a_log_file_only_a_trace_context_is_bound(tmp_path: Path, mode: str) -> None:
    with logging_monitor(tmp_path, logging={"file": None, "level": "error"}) as monitor:
        server = shop(monitor)
        assert not any(isinstance(one, RequestLog) for one in server._lowlevel_server.middleware)
        told = await ids_told(server, mode, [{"traceparent": TRACEPARENT}, {}])
    assert told == [TRACE_ID, "none"]
    assert [o.correlation_id for o in operations(tmp_path / "store", "tools/call")] == [
        TRACE_ID, None,
    ]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
async def test_an_id_that_is_bound_around_a_server_in_memory_goes_with_its_messages(
    tmp_path: Path, mode: str
) -> None:
    with recording(tmp_path) as monitor:
        server = instrument(low_toy(), monitor)
        async with Client(server, mode=mode) as client:  # type: ignore[arg-type]
            with correlation("job-1"):
                await client.call_tool("add", {"a": 1, "b": 2})
            await client.call_tool("add", {"a": 1, "b": 2})
    assert [o.correlation_id for o in operations(tmp_path, "tools/call")] == ["job-1", None]


@pytest.mark.requirement("004:log:timings", "004:log:error-detail")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.requirement("export:logs:requests")
async def test_each_request_has_a_line_and_what_failed_its_stack(tmp_path: Path, mode: str) -> None:
    with logging_monitor(tmp_path, logging={"sample_rates": {"request.": 0.0}}) as monitor:
        server = instrument(high_toy(), monitor)
        async with Client(server, mode=mode) as client:  # type: ignore[arg-type]
            await client.call_tool("add", {"a": 1, "b": 2})
            assert (await client.call_tool("boom", {})).is_error
    failed, request = lines_of(tmp_path)
    assert (failed["message"], failed["error"]["type"], failed["service"]) == (
        "tool.failed", "RuntimeError", "app",
    )  # fmt: skip
    assert failed["error"]["stack"][-1].endswith("high_toy.<locals>.boom")
    assert request["context"].pop("duration_ms") > 0
    assert (request["message"], request["level"], request["context"]) == (
        "request.failed",
        "error",
        {"method": "tools/call", "target": "boom", "status": "error", "error_type": "tool_error"},
    )
    assert failed["correlation_id"] == request["correlation_id"]
    assert "hunter2" not in (tmp_path / "app.log").read_text()


TRACED = """
import sys
from pathlib import Path

import anyio
from mcp import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from contextframe_monitoring import instrument
from tests.logs.lines import logging_monitor
from tests.mcp.toys import high_toy

async def main():
    trace.set_tracer_provider(TracerProvider())
    with logging_monitor(Path(sys.argv[1])) as monitor:
        server = high_toy()

        @server.tool()
        async def note() -> str:
            monitor.usage.track_event("noted")
            return "x"

        instrument(server, monitor, keep_opentelemetry=sys.argv[2] == "keep")
        async with Client(server) as client:
            await client.call_tool("note", {})
            await client.call_tool("note", {}, meta={"traceparent": sys.argv[3]})

anyio.run(main)
"""


@pytest.mark.requirement("004:log:trace-services")
@pytest.mark.parametrize("keep", ["keep", "replace"])
def test_with_a_tracer_provider_lines_events_and_rows_name_the_spans_trace(
    tmp_path: Path, keep: str
) -> None:
    arguments = [sys.executable, "-c", TRACED, str(tmp_path), keep, TRACEPARENT]
    subprocess.run(arguments, check=True, timeout=60, cwd=Path(__file__).parents[2])
    rows = [o.correlation_id for o in operations(tmp_path / "store", "tools/call")]
    assert rows[1] == TRACE_ID
    assert len(rows[0] or "") == 32
    events = [r.correlation_id for r in recorded(tmp_path / "store") if hasattr(r, "numbers")]
    calls = [line for line in lines_of(tmp_path) if line["context"]["method"] == "tools/call"]
    assert events == [line["correlation_id"] for line in calls] == rows


async def test_a_server_that_only_records_is_named_on_its_lines(tmp_path: Path) -> None:
    from contextframe_monitoring.core.logging_settings import LoggingSettings

    log = LoggingSettings(file=str(tmp_path / "app.log"))
    with recording(tmp_path / "store", logging=log) as monitor:
        server = instrument(high_toy(name="toy"), monitor)
        async with Client(server) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
    assert {line["service"] for line in lines_of(tmp_path)} == {"toy"}


SERVER = """
import sys
from mcp.server import MCPServer
from contextframe_monitoring import Monitor, get_logger, instrument

monitor = Monitor.open(sys.argv[1])
server = MCPServer("shop")
log = get_logger("shop", monitor=monitor)

@server.tool()
async def order() -> str:
    log.debug("order.seen")
    log.error("order.odd")
    raise RuntimeError("boom")

instrument(server, monitor)
server.run("stdio")
"""


def conversation() -> str:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {},
             "clientInfo": {"name": "c", "version": "1"}}  # fmt: skip
    messages = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "order", "arguments": {}}},
        {"id": 3, "method": "tools/call", "params": {"name": "get_monitoring_status"}},
        {"id": 4, "method": "nonsense"},
    ]
    return "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)


def configured(folder: Path, where: str) -> Path:
    path = folder / "monitoring.toml"
    path.write_text(
        f'store = "{folder / "store"}"\nstart_keeper = false\n[logging]\nlevel = "debug"\n{where}'
    )
    return path


@pytest.mark.parametrize("to_file", [True, False])
@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.requirement("export:logs:stdio")
def test_on_stdio_nothing_but_the_protocol_goes_to_standard_output(
    tmp_path: Path, ours: bool, to_file: bool
) -> None:
    config = configured(tmp_path, f'file = "{tmp_path / "app.log"}"\n' if to_file else "")
    command = (
        [*COMMAND, "serve", "--config", str(config)]
        if ours
        else [sys.executable, "-c", SERVER, str(config)]
    )
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(conversation())
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(4)]
        process.stdin.close()
        rest, errors = process.stdout.read(), process.stderr.read() if process.stderr else ""
        process.wait(30)
    assert rest == ""
    assert sorted(answer["id"] for answer in answers) == [1, 2, 3, 4]
    assert all(answer["jsonrpc"] == "2.0" for answer in answers)
    told = [line for line in errors.splitlines() if line.startswith('{"timestamp"')]
    if to_file:
        assert told == []
        assert {"request.handled", "request.failed", "notification.handled"} <= {
            line["message"] for line in lines_of(tmp_path)
        }
    else:
        expected = [] if ours else ["order.seen", "order.odd"]
        assert [json.loads(line)["message"] for line in told] == expected


@pytest.mark.parametrize("device", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_log_file_that_is_standard_output_is_refused(tmp_path: Path, device: str) -> None:
    config = configured(tmp_path, f'file = "{device}"\n')
    done = run("serve", "--config", str(config))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"logging.file = '{device}' is not allowed" in done.stderr
    with Monitor.open(str(config)) as monitor, pytest.raises(InvalidError):
        instrument(low_toy(), monitor)
