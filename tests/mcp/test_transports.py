"""The same records come over every transport: stdio, streamable HTTP in all its ways, SSE."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from pydantic import AnyHttpUrl

from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.loopback import served
from tests.mcp.toys import CLIENT, MODES, VERSIONS, ends, high_toy, low_toy
from tests.support import operations, recording, writers

pytestmark = pytest.mark.anyio

TOY = str(Path(__file__).parents[1] / "servers" / "toy_server.py")


def sources(found: list[OperationRecord]) -> set[tuple[Any, ...]]:
    """Return who called whom, and how."""
    return {
        (o.origin.server, o.origin.agent_id, o.origin.transport, o.origin.protocol_version)
        for o in found
    }


@asynccontextmanager
async def visiting(app: Any, mode: str) -> AsyncIterator[Client]:
    async with served(app) as url, Client(f"{url}/mcp", mode=mode, client_info=CLIENT) as client:
        yield client


@pytest.mark.requirement("spine:instrument:stdio")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["high", "low"])
async def test_stdio(tmp_path: Path, mode: str, kind: str) -> None:
    command = StdioServerParameters(command=sys.executable, args=[TOY, kind, str(tmp_path)])
    async with Client(command, mode=mode, client_info=CLIENT) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
        with pytest.raises(MCPError, match="timed out"):
            await client.call_tool("endless", {}, read_timeout_seconds=0.1)
        await client.call_tool("refuses", {})

    found = operations(tmp_path, "tools/call")
    refusal = {"high": "ToolError", "low": "tool_error"}[kind]
    assert ends(found) == [
        ("add", "success", None, None),
        ("endless", "timeout", "client_timeout", None),
        ("refuses", "error", refusal, None),
    ]
    assert sources(operations(tmp_path)) == {("toy", "agent-7", "stdio", VERSIONS[mode])}
    (writer,) = writers(tmp_path)
    assert {o.origin.session_id for o in operations(tmp_path)} == {f"{writer.writer}-c1"}


@pytest.mark.requirement("doors:wire:unparsable")
def test_a_line_on_stdio_that_is_no_message_is_recorded_and_answered_as_before(
    tmp_path: Path,
) -> None:
    lines = b'no message\n\xff\n{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
    told: list[bytes] = []
    for store in ([], [str(tmp_path)]):
        command = [sys.executable, TOY, "low", *store]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as toy:
            assert toy.stdin is not None
            assert toy.stdout is not None
            toy.stdin.write(lines)
            toy.stdin.flush()
            answer = toy.stdout.readline()
            toy.stdin.close()
            told.append(answer + toy.stdout.read())
    assert told[0] == told[1]
    found = operations(tmp_path)
    assert [(o.operation_type, o.error_type, o.origin.transport) for o in found] == [
        ("unparsable", "ParseError", "stdio"),
        ("unparsable", "ParseError", "stdio"),
        ("ping", None, "stdio"),
    ]


@pytest.mark.requirement("spine:instrument:http")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("json_response", [False, True])
@pytest.mark.parametrize("stateless", [False, True])
async def test_streamable_http(
    tmp_path: Path, mode: str, json_response: bool, stateless: bool
) -> None:
    with recording(tmp_path) as monitor:
        server = instrument(high_toy(), monitor)
        app = server.streamable_http_app(json_response=json_response, stateless_http=stateless)
        async with visiting(app, mode) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
            await client.call_tool("boom", {})

    found = operations(tmp_path, "tools/call")
    assert ends(found) == [("add", "success", None, None), ("boom", "error", "RuntimeError", None)]
    with_session = mode == "legacy" and not stateless
    sessions = {o.origin.session_id for o in operations(tmp_path)}
    assert len(sessions) == 1
    assert (sessions == {None}) is not with_session
    agent = "agent-7" if with_session or mode == "auto" else None
    assert sources(found) == {("toy", agent, "streamable-http", VERSIONS[mode])}


@pytest.mark.parametrize("mode", MODES)
async def test_impatient_clients_over_http(tmp_path: Path, mode: str) -> None:
    """In the modern era the stream closes without a word: a cancellation."""
    with recording(tmp_path) as monitor:
        server = instrument(low_toy(), monitor)
        async with visiting(server.streamable_http_app(), mode) as client:
            with pytest.raises(MCPError, match="timed out"):
                await client.call_tool("endless", {}, read_timeout_seconds=0.1)
            with anyio.fail_after(10):
                while not operations(tmp_path, "tools/call"):
                    await anyio.lowlevel.checkpoint()

    wanted = {"auto": ("cancelled", None), "legacy": ("timeout", "client_timeout")}[mode]
    assert ends(operations(tmp_path, "tools/call")) == [("endless", *wanted, None)]


@pytest.mark.filterwarnings("ignore:.*SSE.*")
async def test_sse(tmp_path: Path) -> None:
    with recording(tmp_path) as monitor:
        server = instrument(high_toy(), monitor)
        async with served(server.sse_app()) as url:
            transport = sse_client(f"{url}/sse")
            async with Client(transport, mode="legacy", client_info=CLIENT) as client:
                await client.call_tool("add", {"a": 1, "b": 2})
        writer = monitor.recorder.writer

    found = operations(tmp_path)
    assert sources(found) == {("toy", "agent-7", "sse", "2025-11-25")}
    assert {o.origin.session_id for o in found} == {f"{writer}-c1"}


class Verifier:
    """Knows two tokens."""

    async def verify_token(self, token: str) -> AccessToken | None:
        subject = {"for-a-person": "alice", "for-a-program": None}.get(token, "")
        if subject == "":
            return None
        return AccessToken(token=token, client_id="program-1", scopes=[], subject=subject)


@pytest.mark.parametrize("mode", MODES)
async def test_a_token_says_who_calls_whatever_the_message_claims(
    tmp_path: Path, mode: str
) -> None:
    url = AnyHttpUrl("http://127.0.0.1/")
    auth = AuthSettings(
        issuer_url=url, resource_server_url=url, required_scopes=[], validate_token_resource=False
    )
    server = MCPServer("toy", version="1", auth=auth, token_verifier=Verifier())

    @server.tool()
    async def add(a: int, b: int) -> int:
        return a + b

    with recording(tmp_path) as monitor:
        async with served(instrument(server, monitor).streamable_http_app()) as base:
            for token in ("for-a-person", "for-a-program"):
                headers = {"Authorization": f"Bearer {token}"}
                async with httpx2.AsyncClient(headers=headers) as http:
                    transport = streamable_http_client(f"{base}/mcp", http_client=http)
                    async with Client(transport, mode=mode, client_info=CLIENT) as client:
                        await client.call_tool("add", {"a": 1, "b": 2}, meta={"agent_id": "me"})

    assert [
        (o.origin.agent_id, o.origin.agent_source) for o in operations(tmp_path, "tools/call")
    ] == [("alice", "authenticated"), ("program-1", "authenticated")]
