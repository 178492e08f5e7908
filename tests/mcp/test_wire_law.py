"""For any lines that a client writes, valid or not: an instrumented server on stdio answers the
same bytes as a bare one, and every message is recorded once.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import types
from mcp.server.stdio import stdio_server

from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.toys import low_toy
from tests.support import operations, recording

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
METAS: list[Any] = [
    None,
    {},
    ENVELOPE,
    ENVELOPE,
    {"io.modelcontextprotocol/protocolVersion": 1},
    {"progressToken": 1, "agent_id": "me"},
]
PARAMS: list[dict[str, Any]] = [
    {},
    {"name": "add", "arguments": {"a": 1, "b": 2}},
    {"name": "boom"},
    {"name": "endless"},
    {"name": "refuses"},
    {"requestId": 1, "reason": "timed out"},
    {"requestId": "2"},
    {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "agent-7", "version": "1"},
    },
]
METHODS = [
    "initialize", "ping", "tools/list", "tools/call", "tools/call", "server/discover",
    "subscriptions/listen", "notifications/initialized", "notifications/cancelled",
    "notifications/progress", "nobody/knows", "",
]  # fmt: skip
JUNK = [
    "",
    "{",
    "[]",
    "null",
    "\ufffd",
    '{"jsonrpc": "2.0"}',
    '{"id": 1, "method": "ping"}',
    "1e999",
]


def _line(members: dict[str, Any]) -> str:
    return json.dumps({"jsonrpc": "2.0", **{k: v for k, v in members.items() if v != "absent"}})


def _call(number: Any, method: str, params: Any, meta: Any) -> str:
    given = params if meta is None or params == "absent" else {**params, "_meta": meta}
    return _line({"id": number, "method": method, "params": given})


CHECKPOINTS = 60
"""Turns of the event loop after which a server without threads has done all it can do."""

IDS = st.sampled_from([1, 2, "2", 3, "absent", None, 1.5, True, {}])
CALLS = st.builds(
    _call,
    IDS,
    st.sampled_from(METHODS),
    st.sampled_from([*PARAMS, "absent"]),
    st.sampled_from(METAS),
)
ANSWERS = st.builds(
    lambda number, answer: _line({"id": number, **answer}),
    IDS,
    st.sampled_from([{"result": {}}, {"error": {"code": -1, "message": "no"}}, {"result": 1}]),
)
LINES = st.one_of(CALLS, CALLS, CALLS, ANSWERS, st.sampled_from(JUNK), st.text(max_size=8)).map(
    lambda line: line.replace("\n", " ") + "\n"
)


class Input:
    """What a client writes: groups of lines; the server is done with one before the next comes."""

    def __init__(self, groups: list[list[str]]) -> None:
        self._groups = groups

    async def __aiter__(self) -> AsyncIterator[str]:
        for group in self._groups:
            for line in group:
                yield line
            for _ in range(CHECKPOINTS):
                await anyio.lowlevel.checkpoint()


class Output:
    """What a server writes."""

    def __init__(self) -> None:
        self.text = ""

    async def write(self, text: str) -> None:
        self.text += text

    async def flush(self) -> None:
        """Nothing is held back."""


def answered(server: Any, groups: list[list[str]]) -> str:
    """Return what a server on stdio writes when a client writes these lines."""
    output: Any = Output()
    lines: Any = Input(groups)

    async def serve() -> None:
        with anyio.fail_after(20):
            async with stdio_server(lines, output) as (read, write):
                await server.run(read, write, server.create_initialization_options())

    anyio.run(serve)
    return str(output.text)


def messages(groups: list[list[str]]) -> Counter[tuple[str, str]]:
    """Return what is to be recorded of these lines: answers to nothing are no operations."""
    found: Counter[tuple[str, str]] = Counter()
    for line in (line for group in groups for line in group):
        try:
            message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            found["request", "unparsable"] += 1
            continue
        if isinstance(message, types.JSONRPCRequest):
            found["request", message.method] += 1
        elif isinstance(message, types.JSONRPCNotification):
            found["notification", message.method] += 1
    return found


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(LINES, min_size=1, max_size=4), max_size=8))
@pytest.mark.requirement("doors:shown:law", "doors:wire:once")
def test_the_same_bytes_come_back_and_every_message_is_recorded_once(
    groups: list[list[str]],
) -> None:
    bare = answered(low_toy(), groups)
    with tempfile.TemporaryDirectory() as folder:
        with recording(Path(folder)) as monitor:
            assert answered(instrument(low_toy(), monitor), groups) == bare
            assert monitor.recorder.losses == {}
        found = [o for o in operations(Path(folder)) if o.direction == "in"]
    assert Counter((o.kind, o.operation_type) for o in found) == messages(groups)
