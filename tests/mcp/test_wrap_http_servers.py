"""`wrap --http` before servers and clients of the SDK, in both eras."""

from collections import Counter
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError, types

from tests.mcp.http_support import busy, relayed
from tests.mcp.relay_support import ENVIRONMENT

ERAS = ["legacy", "2026-07-28"]


@pytest.fixture(autouse=True)
def _no_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_START_KEEPER", "false")
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])


@pytest.mark.parametrize("kinds", [(), ("json",), ("stateless",)])
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.requirement("doors:servers:wrap-http")
async def test_a_client_of_the_sdk_gets_the_same_answers_and_each_is_recorded(
    tmp_path: Any, era: str, kinds: tuple[str, ...]
) -> None:
    async def told(url: str) -> list[str]:
        async with Client(url, mode=era) as client:
            answers = [
                await client.list_tools(),
                await client.call_tool("add", {"a": 1, "b": 2}, meta={"agent_id": "planner"}),
                await client.call_tool("fail", {"reason": "x"}),
                await client.call_tool("no_such_tool", {}),
            ]
            with pytest.raises(MCPError) as caught:
                await client.read_resource("x://nothing?key=1")
        return [*(answer.model_dump_json() for answer in answers), str(caught.value)]

    with anyio.fail_after(60), busy(*kinds) as url:
        direct = await told(url)
        with relayed(tmp_path, url) as relay:
            through = await told(relay.url)
        records = relay.records()

    assert through == direct
    calls = [
        (r.operation_type, r.target, r.status, r.error_type)
        for r in records
        if r.kind == "request" and r.operation_type.partition("/")[0] in {"tools", "resources"}
    ]
    assert calls == [
        ("tools/list", None, "success", None),
        ("tools/call", "add", "success", None),
        ("tools/call", "fail", "error", "tool_error"),
        ("tools/call", "no_such_tool", "error", "tool_error"),
        ("resources/read", "x://nothing", "error", "-32602"),
    ]
    asked = [r for r in records if r.operation_type == "tools/call"]
    stateless_legacy = era == "legacy" and "stateless" in kinds
    assert [r.origin.agent_id for r in asked] == ["planner", "mcp", "mcp"] or stateless_legacy
    assert {r.origin.server for r in asked} == {"busy"}
    assert {r.origin.protocol_version for r in asked} == {
        "2025-11-25" if era == "legacy" else "2026-07-28"
    }
    sessions = {r.origin.session_id for r in asked}
    has_session = era == "legacy" and "stateless" not in kinds
    assert (len(sessions), None in sessions) == (1, not has_session)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.requirement("doors:servers:wrap-http")
async def test_progress_cancellation_and_timeout_are_told_apart(tmp_path: Any, era: str) -> None:
    async def listen(*_: Any) -> None:
        return

    with anyio.fail_after(60), busy() as url, relayed(tmp_path, url) as relay:
        async with Client(relay.url, mode=era) as client:
            await client.call_tool("climb", {"steps": 3}, progress_callback=listen)
            with pytest.raises(MCPError):
                await client.call_tool("wait_for_ever", {}, read_timeout_seconds=0.3)
            with anyio.move_on_after(0.3):
                await client.call_tool("wait_for_ever", {})
        relay.process.terminate()
        relay.process.wait(30)
        records = relay.records()

    told = [r for r in records if r.operation_type == "tools/call"]
    # a modern client gives up by closing the stream, without a reason
    gave_up = ("timeout", "client_timeout") if era == "legacy" else ("cancelled", None)
    assert [(r.target, r.status, r.error_type) for r in told] == [
        ("climb", "success", None),
        ("wait_for_ever", *gave_up),
        ("wait_for_ever", "cancelled", None),
    ]
    notices = Counter((r.operation_type, r.direction) for r in records if r.kind == "notification")
    assert notices["notifications/progress", "out"] == 3
    assert notices["notifications/cancelled", "in"] == (2 if era == "legacy" else 0)


async def test_a_question_to_the_client_is_an_operation_that_goes_out(tmp_path: Any) -> None:
    async def sample(_context: Any, _params: Any) -> types.CreateMessageResult:
        content = types.TextContent(type="text", text="42")
        return types.CreateMessageResult(role="assistant", content=content, model="m")

    with anyio.fail_after(60), busy() as url, relayed(tmp_path, url) as relay:
        async with Client(relay.url, mode="legacy", sampling_callback=sample) as client:
            answer = await client.call_tool("ask", {"question": "six times seven?"})
        records = relay.records()

    assert answer.structured_content == {"result": "42"}
    inner, outer = (
        next(r for r in records if r.operation_type == method)
        for method in ("sampling/createMessage", "tools/call")
    )
    assert (inner.direction, inner.status, outer.direction, outer.status) == (
        "out",
        "success",
        "in",
        "success",
    )
    assert inner.duration_ms is not None
    assert outer.duration_ms is not None
    assert 0 < inner.duration_ms < outer.duration_ms
