"""A tool call that is like one before it is recorded the quick way, and looks like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mcp import Client

from contextframe_monitoring.core.records import OperationRecord, Record
from contextframe_monitoring.mcp import middleware, routine
from contextframe_monitoring.mcp.instrument import instrument
from contextframe_monitoring.store.spool.reader import read_spool
from tests.mcp.toys import CLIENT, MODES, high_toy, low_toy
from tests.support import operations, recording

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("mode", MODES)]

CALLS: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    *[("add", {"a": number, "b": 2}, None) for number in (1, 2, 10**6)],
    ("boom", {}, None),
    ("add", {"a": 3, "b": 4}, {"agent_id": "planner"}),
    *[("add", {"a": number, "b": 4}, {"note": "x" * number}) for number in (1, 1, 70, 700, 70)],
    ("add", {"a": 3, "b": 4}, {"agent_id": "planner"}),
    ("add", {"a": 5, "b": 6, "c": "é" * 300}, None),
    ("nothing", {}, None),
    *[("add", {"a": number, "b": 5}, None) for number in range(9)],
]


async def made(store: Path, mode: str, toy: Callable[[], Any]) -> list[OperationRecord]:
    """Make the calls, and return their records without what differs each time."""
    with recording(store) as monitor:
        server, writer = instrument(toy(), monitor), monitor.recorder.writer
        async with Client(server, mode=mode, client_info=CLIENT) as client:
            for name, arguments, meta in CALLS:
                try:
                    await client.call_tool(name, arguments, meta=meta)
                except Exception:  # noqa: BLE001 - how it fails is up to the server
                    continue
    return [
        msgspec.structs.replace(
            found,
            time_us=0,
            duration_ms=0.0,
            operation_id=(found.operation_id or "").replace(writer, "writer"),
            origin=msgspec.structs.replace(found.origin, session_id="session"),
        )
        for found in operations(store, "tools/call")
    ]


def quick(store: Path) -> int:
    """Return how many records were encoded by a form: it leaves more room than msgspec does."""
    frames = [
        frame.record
        for writer in read_spool(store / "spool")
        for segment in writer.segments
        for frame in segment.frames()
    ]
    decode = msgspec.msgpack.Decoder(Record).decode
    return sum(msgspec.msgpack.encode(decode(record)) != record for record in frames)


@pytest.mark.parametrize("toy", [high_toy, low_toy])
async def test_a_routine_call_is_recorded_like_any_other(
    tmp_path: Path, mode: str, toy: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "_LATE_NS", 10**12)
    short = await made(tmp_path / "short", mode, toy)
    monkeypatch.setattr(middleware, "_LATE_NS", -1)
    long = await made(tmp_path / "long", mode, toy)

    assert len(short) == len(CALLS)
    assert short == long
    assert (quick(tmp_path / "short") >= 12, quick(tmp_path / "long")) == (True, 0)


async def test_a_forked_child_names_its_operations_after_itself(tmp_path: Path, mode: str) -> None:
    with recording(tmp_path) as monitor:
        server, spool = instrument(high_toy(), monitor), monitor.recorder.spool
        assert spool is not None
        async with Client(server, mode=mode) as client:
            before = spool.writer
            for _ in range(3):
                await client.call_tool("add", {"a": 1, "b": 2})
            spool.after_fork()
            for _ in range(3):
                await client.call_tool("add", {"a": 1, "b": 2})

        assert spool.writer != before
    found = operations(tmp_path, "tools/call")
    names = sorted(str(operation.operation_id).partition("-o")[0] for operation in found)
    assert names == sorted([before] * 3 + [spool.writer] * 3)


async def test_what_is_remembered_of_a_connection_is_bounded(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routine, "ROUTINES_MAX", 2)
    with recording(tmp_path) as monitor:
        server = instrument(high_toy(), monitor)
        async with Client(server, mode=mode) as client:
            for number in range(8):
                meta = {"agent_id": f"agent-{number % 4}"}
                await client.call_tool("add", {"a": 1, "b": 2}, meta=meta)
    agents = [found.origin.agent_id for found in operations(tmp_path, "tools/call")]
    assert agents == [f"agent-{number % 4}" for number in range(8)]
