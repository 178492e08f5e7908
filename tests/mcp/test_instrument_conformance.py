"""The conformance suite of the protocol finds the same of a server with and without us."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import types
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.conformance import checks
from tests.mcp.loopback import served
from tests.support import operations, recording

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.node,
    pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning"),
]


class Answer(BaseModel):
    """What a person fills in."""

    username: str = ""
    email: str = ""


def fixtures() -> MCPServer:
    """A server with what the suite asks for by name, as far as it shows each way of a message."""
    server = MCPServer("conformance", version="1", log_level="CRITICAL")

    @server.tool()
    async def test_simple_text() -> str:
        return "This is a simple text response for testing."

    @server.tool()
    async def test_error_handling() -> str:
        raise RuntimeError("This tool intentionally returns an error for testing")

    @server.tool()
    async def test_tool_with_logging(ctx: Context) -> str:
        for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(text)
        return "logged"

    @server.tool()
    async def test_tool_with_progress(ctx: Context) -> str:
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
        return "progressed"

    @server.tool()
    async def test_sampling(prompt: str, ctx: Context) -> str:
        text = types.TextContent(type="text", text=prompt)
        session: Any = ctx.session
        answer = await session.create_message(
            [types.SamplingMessage(role="user", content=text)],
            max_tokens=100,
            related_request_id=ctx.request_id,
        )
        return f"LLM response: {answer.content.text}"

    @server.tool()
    async def test_elicitation(message: str, ctx: Context) -> str:
        answer = await ctx.elicit(message, Answer)
        return f"User response: {answer.action}"

    @server.resource("test://static-text", mime_type="text/plain")
    async def static_text() -> str:
        return "This is the content of the static text resource."

    @server.prompt()
    async def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    return server


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
@pytest.mark.requirement("doors:wire:conformance", "doors:shown:suites")
async def test_the_suite_finds_the_same_with_and_without_us(tmp_path: Path, version: str) -> None:
    async def found(server: MCPServer, name: str) -> dict[str, tuple[int, int]]:
        async with served(server.streamable_http_app()) as url:
            return await anyio.to_thread.run_sync(checks, f"{url}/mcp", version, tmp_path / name)

    without = await found(fixtures(), "without")
    with recording(tmp_path / "store") as monitor:
        assert await found(instrument(fixtures(), monitor), "with") == without
        assert monitor.recorder.losses == {}
    assert len(without) >= 30
    records = operations(tmp_path / "store")
    assert Counter(o.direction for o in records)["out"] > 0
    assert {o.origin.transport for o in records} == {"streamable-http"}
    assert any(o.status_code is not None and o.status_code >= 400 for o in records)
