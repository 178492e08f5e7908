"""A subscription is recorded when it stands; what only the modern era has."""

from __future__ import annotations

import types as python_types
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError

from contextframe_monitoring.mcp.instrument import instrument
from contextframe_monitoring.mcp.opening import announced
from tests.mcp.toys import ends, high_toy, low_toy
from tests.support import operations, recording, writers

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("spine:instrument:listen")
async def test_a_subscription_is_recorded_when_it_stands_and_has_no_duration(
    tmp_path: Path,
) -> None:
    with recording(tmp_path) as monitor:
        async with Client(instrument(high_toy(), monitor)) as client:
            async with client.listen(resource_subscriptions=["note://today"]):
                (found,) = operations(tmp_path, "subscriptions/listen")
                header = writers(tmp_path)[0].header
                assert header is not None
                assert header.gauges[0] == 0
            await client.list_tools()

    assert operations(tmp_path, "subscriptions/listen") == [found]
    assert (found.status, found.duration_ms, found.kind) == ("success", None, "request")


async def test_a_subscription_that_is_refused_is_an_error(tmp_path: Path) -> None:
    with recording(tmp_path) as monitor:
        server = MCPServer("toy", version="1", log_level="CRITICAL", subscriptions=False)
        async with Client(instrument(server, monitor)) as client:
            with pytest.raises(MCPError):
                async with client.listen(resource_subscriptions=["note://today"]):
                    pass

    assert ends(operations(tmp_path, "subscriptions/listen")) == [(None, "error", "-32601", -32601)]


async def test_a_question_back_is_neither_success_nor_error(tmp_path: Path) -> None:
    with recording(tmp_path) as monitor:
        async with Client(instrument(low_toy(), monitor)) as client:
            with anyio.move_on_after(5), pytest.raises(Exception):  # noqa: B017, PT011 - it refuses
                await client.call_tool("asks", {})

    assert ends(operations(tmp_path, "tools/call"))[0] == ("asks", "input_required", None, None)


@python_types.coroutine
def pause(value: Any) -> Generator[Any, Any, Any]:
    return (yield value)


def test_waiting_is_announced_once_and_all_else_passes_through() -> None:
    calls: list[str] = []

    async def work() -> str:
        first = await pause("one")
        try:
            await pause(first)
        except KeyError:
            return f"caught, {await pause('three')}"
        return "not reached"

    steps = announced(work(), lambda: calls.append("waits"))
    assert next(steps) == "one"
    assert calls == ["waits"]
    assert steps.send("two") == "two"
    assert steps.throw(KeyError()) == "three"
    with pytest.raises(StopIteration) as done:
        steps.send("end")
    assert (done.value.value, calls) == ("caught, end", ["waits"])


async def test_what_never_waits_is_not_announced() -> None:
    async def work() -> int:
        return 5

    async def fails() -> int:
        raise KeyError

    assert await announced(work(), pytest.fail) == 5
    with pytest.raises(KeyError):
        await announced(fails(), pytest.fail)


def test_closing_reaches_what_is_awaited() -> None:
    closed: list[bool] = []

    async def work() -> None:
        try:
            await pause(None)
        finally:
            closed.append(True)

    steps = announced(work(), lambda: None)
    next(steps)
    steps.close()
    assert closed == [True]
