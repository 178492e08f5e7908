"""A client that loses patience is a timeout, one that changes its mind a cancellation."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.mcp.connections import ABANDONED_MAX, Connection
from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.toys import MODES, Gate, ends, high_toy, low_toy
from tests.support import operations, recording, writers

pytestmark = pytest.mark.anyio

LOSES_PATIENCE_SECONDS = 0.05


async def recorded_soon(store: Path, method: str = "tools/call") -> list[OperationRecord]:
    """Wait until one is recorded: a reason may come after the end."""
    with anyio.fail_after(10):
        while not (found := operations(store, method)):
            await anyio.lowlevel.checkpoint()
    return found


@pytest.mark.requirement("spine:instrument:timeout-cancelled")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("toy", [high_toy, low_toy])
async def test_a_client_that_loses_patience_is_a_timeout(
    tmp_path: Path, mode: str, toy: Callable[..., Any]
) -> None:
    with recording(tmp_path) as monitor:
        async with Client(instrument(toy(), monitor), mode=mode) as client:
            with pytest.raises(MCPError, match=r"(?i)timed out"):
                await client.call_tool("endless", {}, read_timeout_seconds=LOSES_PATIENCE_SECONDS)
            found = await recorded_soon(tmp_path)

    assert ends(found) == [("endless", "timeout", "client_timeout", None)]
    assert found[0].result_size is None
    assert found[0].duration_ms is not None


@pytest.mark.requirement("spine:instrument:timeout-cancelled")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("toy", [high_toy, low_toy])
async def test_a_client_that_changes_its_mind_is_a_cancellation(
    tmp_path: Path, mode: str, toy: Callable[..., Any]
) -> None:
    gate = Gate()
    with recording(tmp_path) as monitor:
        async with Client(instrument(toy(gate), monitor), mode=mode) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, "endless", {})
                await gate.begun.wait()
                group.cancel_scope.cancel()
            found = await recorded_soon(tmp_path)

    assert ends(found) == [("endless", "cancelled", None, None)]


async def test_a_tool_in_a_thread_that_ends_after_its_client_left_is_a_timeout(
    tmp_path: Path,
) -> None:
    gate = Gate()
    with recording(tmp_path) as monitor:
        async with Client(instrument(high_toy(gate), monitor), mode="legacy") as client:
            with pytest.raises(MCPError, match="timed out"):
                await client.call_tool("threaded", {}, read_timeout_seconds=LOSES_PATIENCE_SECONDS)
            await recorded_soon(tmp_path, "notifications/cancelled")
            assert operations(tmp_path, "tools/call") == []
            gate.end.set()
            found = await recorded_soon(tmp_path)

    assert ends(found) == [("threaded", "timeout", "client_timeout", None)]


async def test_inside_the_process_a_late_result_arrives_and_is_a_success(tmp_path: Path) -> None:
    gate = Gate()
    with recording(tmp_path) as monitor:
        async with Client(instrument(high_toy(gate), monitor)) as client:
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, "threaded", {})
                await gate.begun.wait()
                group.cancel_scope.cancel()
                gate.end.set()
            found = await recorded_soon(tmp_path)

    assert ends(found) == [("threaded", "success", None, None)]


async def test_a_server_that_stops_cancels_what_runs(tmp_path: Path) -> None:
    gate = Gate()
    with recording(tmp_path) as monitor:
        async with anyio.create_task_group() as group:

            async def visit() -> None:
                async with Client(instrument(high_toy(gate), monitor), mode="legacy") as client:
                    await client.call_tool("endless", {})

            group.start_soon(visit)
            await gate.begun.wait()
            group.cancel_scope.cancel()
        found = await recorded_soon(tmp_path)

    assert ends(found) == [("endless", "cancelled", None, None)]


@pytest.mark.parametrize("mode", MODES)
async def test_a_connection_is_counted_while_it_is_open(tmp_path: Path, mode: str) -> None:
    def connections() -> int:
        header = writers(tmp_path)[0].header
        assert header is not None
        return header.gauges[2]

    async def visit() -> int:
        async with Client(server, mode=mode) as client:
            await client.list_tools()
            return connections()

    with recording(tmp_path) as monitor:
        server = instrument(low_toy(), monitor)
        assert await visit() == 1
        gc.collect()
        assert connections() == 0
        assert await visit() == 1


def cancelled(number: int) -> OperationRecord:
    return OperationRecord(
        time_us=number, operation_type="tools/call", status="cancelled", duration_ms=1.0
    )


def test_the_reason_may_come_before_or_after_the_end() -> None:
    before = Connection("stdio", "c1", is_direct=False)
    assert before.explained(7, "Request timed out") is None
    early = before.gave_up("7", cancelled(1))
    after = Connection("stdio", "c1", is_direct=False)
    assert after.gave_up(7, cancelled(1)) is None
    late = after.explained("7", "timed out after 5s")

    assert early == late
    assert early is not None
    assert (early.status, early.error_type) == ("timeout", "client_timeout")
    assert before.left_over() == after.left_over() == []


def test_another_reason_is_a_cancellation_and_no_reason_is_not_waited_for_for_ever() -> None:
    connection = Connection("stdio", "c1", is_direct=False)
    assert connection.gave_up(1, cancelled(1)) is None
    assert connection.gave_up(2, cancelled(2)) is None

    assert connection.explained(1, "caller cancelled") == cancelled(1)
    assert connection.explained(3, {"not": "a text"}) is None
    assert connection.gave_up(3, cancelled(3)) == cancelled(3)
    assert connection.left_over() == [cancelled(2)]
    assert connection.left_over() == []


def test_what_waits_for_its_other_half_is_bounded() -> None:
    connection = Connection("stdio", "c1", is_direct=False)
    for number in range(ABANDONED_MAX):
        assert connection.gave_up(number, cancelled(number)) is None
    assert connection.gave_up("one more", cancelled(0)) == cancelled(0)
    assert len(connection.left_over()) == ABANDONED_MAX

    for number in range(ABANDONED_MAX + 1):
        assert connection.explained(number, "timed out") is None
    assert connection.gave_up(0, cancelled(0)) is None
    last = connection.gave_up(ABANDONED_MAX, cancelled(1))
    assert last is not None
    assert last.status == "timeout"


async def test_a_connection_that_ends_without_the_reason_loses_no_record(tmp_path: Path) -> None:
    """The client cancels and goes: its notification is never handled."""
    gate = Gate()
    with recording(tmp_path) as monitor:
        server = instrument(high_toy(gate), monitor)
        middleware = server.middleware[0]

        async def deaf(ctx: Any, call_next: Any) -> Any:
            if ctx.method == "notifications/cancelled":
                return None
            return await middleware(ctx, call_next)

        server.middleware[0] = deaf
        async with Client(server, mode="legacy") as client:
            with pytest.raises(MCPError, match="timed out"):
                await client.call_tool("endless", {}, read_timeout_seconds=LOSES_PATIENCE_SECONDS)
            assert operations(tmp_path, "tools/call") == []
        found = await recorded_soon(tmp_path)

    assert ends(found) == [("endless", "cancelled", None, None)]
