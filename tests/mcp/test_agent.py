"""Who is calling, by rank; hostile names are bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from contextframe_monitoring.mcp.agent import NOBODY, client_of
from contextframe_monitoring.mcp.connections import ORIGINS_MAX
from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.toys import CLIENT, MODES, low_toy
from tests.support import operations, recording

pytestmark = pytest.mark.anyio


async def agents(store: Path, mode: str, metas: list[dict[str, Any] | None]) -> list[Any]:
    with recording(store) as monitor:
        server = instrument(low_toy(), monitor)
        async with Client(server, mode=mode, client_info=CLIENT) as client:
            for meta in metas:
                await client.call_tool("add", {"a": 1, "b": 2}, meta=meta)
    found = operations(store, "tools/call")
    return [(o.origin.agent_id, o.origin.agent_source) for o in found]


@pytest.mark.requirement("002:handler:agent-id")
@pytest.mark.parametrize("mode", MODES)
async def test_an_id_in_the_message_wins_over_the_name_of_the_client(
    tmp_path: Path, mode: str
) -> None:
    assert await agents(
        tmp_path,
        mode,
        [
            None,
            {"progressToken": 1},
            {"agent_id": "a"},
            {"agentId": "b"},
            {"gen_ai.agent.id": "c"},
            {"gen_ai.agent.id": "c", "agentId": "b", "agent_id": "a"},
            {"agent_id": "", "agentId": 7, "gen_ai.agent.id": "c"},
            {"agent_id": {"not": "a name"}},
        ],
    ) == [
        ("agent-7", "client"),
        ("agent-7", "client"),
        ("a", "meta"),
        ("b", "meta"),
        ("c", "meta"),
        ("a", "meta"),
        ("c", "meta"),
        ("agent-7", "client"),
    ]


@pytest.mark.parametrize("mode", MODES)
async def test_names_of_agents_are_bounded_and_printable(tmp_path: Path, mode: str) -> None:
    found = await agents(tmp_path, mode, [{"agent_id": "x" * 1_000_000}, {"agent_id": "a\0b\nc"}])
    assert [agent for agent, _ in found] == ["x" * 255 + "…", "a\ufffdb\ufffdc"]


@pytest.mark.parametrize("mode", MODES)
async def test_the_first_message_already_names_its_client_and_its_version(
    tmp_path: Path, mode: str
) -> None:
    with recording(tmp_path) as monitor:
        async with Client(instrument(low_toy(), monitor), mode=mode, client_info=CLIENT):
            pass
    first = operations(tmp_path)[0].origin
    assert (first.agent_id, first.agent_source) == ("agent-7", "client")
    assert first.protocol_version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[mode]


@pytest.mark.parametrize("mode", MODES)
async def test_a_server_that_is_instrumented_late_knows_who_is_there(
    tmp_path: Path, mode: str
) -> None:
    server = low_toy()
    with recording(tmp_path) as monitor:
        async with Client(server, mode=mode, client_info=CLIENT) as client:
            instrument(server, monitor)
            await client.list_tools()
    (found,) = operations(tmp_path, "tools/list")
    assert (found.origin.agent_id, found.origin.agent_source) == ("agent-7", "client")


async def test_more_agents_than_a_connection_remembers_are_all_recorded(tmp_path: Path) -> None:
    names = [f"agent-{number}" for number in range(ORIGINS_MAX + 10)]
    found = await agents(tmp_path, "auto", [{"agent_id": name} for name in names])
    assert found == [(name, "meta") for name in names]


def test_a_client_without_a_proper_name_is_nobody() -> None:
    for info in (None, "name", {"name": 7}, {"name": ""}, {}, ["name"]):
        assert client_of(info) == NOBODY
    assert client_of({"name": "x"}) == ("x", "client")
