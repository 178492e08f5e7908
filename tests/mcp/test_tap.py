"""What passes beside the middleware is recorded too, on every kind of stream: once."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, types
from mcp.client.sse import sse_client
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage

from contextframe_monitoring.mcp.adapter import LEADS_MAX
from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.loopback import served
from tests.mcp.toys import CLIENT, low_toy
from tests.support import operations, recording

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:.*(SSE|ampling|logging|oots).*"),
]

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def asking() -> MCPServer:
    """A server whose tool reports progress and asks its client's model."""
    server = MCPServer("toy", version="1", log_level="CRITICAL")

    @server.tool()
    async def ask(patience: float | None, ctx: Context) -> str:
        await ctx.report_progress(1, 2)
        text = types.TextContent(type="text", text="q")
        session: Any = ctx.session

        async def asked() -> Any:
            return await session.create_message(
                [types.SamplingMessage(role="user", content=text)],
                max_tokens=5,
                related_request_id=ctx.request_id,
            )

        if patience is not None:
            with anyio.move_on_after(patience):
                await asked()
            return "no answer"
        return str((await asked()).content.text)

    return server


async def progressed(*_: object) -> None:
    """Take progress and do nothing with it."""


async def answers(_ctx: Any, _params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="yes")
    return types.CreateMessageResult(role="assistant", content=content, model="m")


async def refuses(_ctx: Any, _params: Any) -> types.ErrorData:
    return types.ErrorData(code=-1, message="not with me")


async def never_answers(_ctx: Any, _params: Any) -> types.ErrorData:
    await anyio.sleep_forever()
    return types.ErrorData(code=-1, message="never")


@asynccontextmanager
async def door(kind: str, server: MCPServer) -> AsyncIterator[Any]:
    if kind == "memory":
        yield server
    elif kind == "sse":
        async with served(server.sse_app()) as url:
            yield sse_client(f"{url}/sse")
    else:
        async with served(server.streamable_http_app()) as url:
            yield f"{url}/mcp"


def sent(store: Path) -> list[tuple[Any, ...]]:
    """Return what the server sent on its own."""
    return [
        (o.kind, o.operation_type, o.status, o.error_type, o.status_code)
        for o in operations(store)
        if o.direction == "out"
    ]


PROGRESS = ("notification", "notifications/progress", "success", None, None)
SAMPLING = ("request", "sampling/createMessage")


@pytest.mark.parametrize("kind", ["memory", "sse", "streamable-http"])
@pytest.mark.requirement("doors:wire:outbound", "doors:wire:once")
async def test_what_a_server_sends_on_its_own_is_recorded_once(tmp_path: Path, kind: str) -> None:
    with recording(tmp_path) as monitor:
        async with (
            door(kind, instrument(asking(), monitor)) as way,
            Client(way, mode="legacy", client_info=CLIENT, sampling_callback=answers) as client,
        ):
            await client.call_tool("ask", {"patience": None}, progress_callback=progressed)

    assert sent(tmp_path) == [PROGRESS, (*SAMPLING, "success", None, None)]
    progress, sampling = [o for o in operations(tmp_path) if o.direction == "out"]
    (call,) = operations(tmp_path, "tools/call")
    assert progress.duration_ms is None
    assert sampling.duration_ms is not None
    assert call.duration_ms is not None
    assert 0 < sampling.duration_ms < call.duration_ms
    assert progress.origin == sampling.origin == call.origin
    assert call.origin.transport == kind


QUESTIONS = {
    "sampling/createMessage": lambda session: session.create_message(
        [types.SamplingMessage(role="user", content=types.TextContent(type="text", text="q"))],
        max_tokens=5,
    ),
    "elicitation/create": lambda session: session.elicit_form(
        "who?", {"type": "object", "properties": {"name": {"type": "string"}}}
    ),
    "roots/list": lambda session: session.list_roots(),
    "ping": lambda session: session.send_ping(),
}


async def fills_in(_ctx: Any, _params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"name": "Jo"})


async def has_no_roots(_ctx: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[])


@pytest.mark.parametrize("method", QUESTIONS)
@pytest.mark.requirement("doors:wire:outbound")
async def test_every_question_to_a_client_is_recorded_with_its_answer(
    tmp_path: Path, method: str
) -> None:
    server = MCPServer("toy", version="1", log_level="CRITICAL")

    @server.tool()
    async def ask(ctx: Context) -> str:
        await QUESTIONS[method](ctx.session)
        await ctx.session.send_resource_updated("note://today")
        await ctx.info("asked")
        return "done"

    with recording(tmp_path) as monitor:
        async with Client(
            instrument(server, monitor), mode="legacy", client_info=CLIENT,
            sampling_callback=answers, elicitation_callback=fills_in,
            list_roots_callback=has_no_roots,
        ) as client:  # fmt: skip
            assert not (await client.call_tool("ask", {})).is_error

    assert sent(tmp_path) == [
        ("request", method, "success", None, None),
        ("notification", "notifications/resources/updated", "success", None, None),
        ("notification", "notifications/message", "success", None, None),
    ]


@pytest.mark.requirement("doors:wire:outbound", "doors:wire:once")
async def test_what_is_sent_without_any_stream_is_recorded_once_for_each_monitor(
    tmp_path: Path,
) -> None:
    server = MCPServer("toy", version="1", log_level="CRITICAL")

    @server.tool()
    async def slow(ctx: Context) -> str:
        await ctx.report_progress(1, 2, "half")
        await ctx.session.send_notification(types.ToolListChangedNotification(), ctx.request_id)
        return "done"

    told: list[Any] = []

    async def progressed(*progress: object) -> None:
        told.append(progress)

    with recording(tmp_path / "one") as one, recording(tmp_path / "two") as two:
        instrument(instrument(server, one), two)
        async with Client(server, client_info=CLIENT) as client:
            await client.call_tool("slow", {}, progress_callback=progressed)
            await client.call_tool("slow", {})

    assert told == [(1, 2, "half")]
    changed = ("notification", "notifications/tools/list_changed", "success", None, None)
    for store in ("one", "two"):
        assert sent(tmp_path / store) == [PROGRESS, changed, changed]
        found = [o for o in operations(tmp_path / store) if o.direction == "out"]
        (call, _) = operations(tmp_path / store, "tools/call")
        assert [o.origin for o in found] == [call.origin] * 3
        assert call.origin.transport == "memory"


async def test_a_message_without_a_stream_is_freed_without_the_collector(tmp_path: Path) -> None:
    server, known = low_toy(), []

    async def spy(ctx: Any, call_next: Any) -> Any:
        known.append(weakref.ref(ctx))
        return await call_next(ctx)

    with recording(tmp_path) as monitor:
        instrument(server, monitor).middleware.append(spy)
        async with Client(server, client_info=CLIENT) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
            gc.collect()
            gc.disable()
            try:
                await client.call_tool("add", {"a": 1, "b": 2})
                assert known[-1]() is None
            finally:
                gc.enable()


@pytest.mark.parametrize("kind", ["memory", "streamable-http"])
async def test_a_client_that_says_no_is_an_error_with_its_code(tmp_path: Path, kind: str) -> None:
    with recording(tmp_path) as monitor:
        async with (
            door(kind, instrument(asking(), monitor)) as way,
            Client(way, mode="legacy", client_info=CLIENT, sampling_callback=refuses) as client,
        ):
            with pytest.raises(MCPError, match="not with me"):
                await client.call_tool("ask", {"patience": None})
    assert sent(tmp_path) == [(*SAMPLING, "error", "-1", -1)]


async def test_a_server_that_loses_patience_cancels_its_request(tmp_path: Path) -> None:
    with recording(tmp_path) as monitor:
        server = instrument(asking(), monitor)
        callback = never_answers
        async with Client(server, mode="legacy", sampling_callback=callback) as client:
            await client.call_tool("ask", {"patience": 0.01})
    assert sent(tmp_path) == [
        (*SAMPLING, "cancelled", None, None),
        ("notification", "notifications/cancelled", "success", None, None),
    ]


async def test_two_monitors_see_every_frame_once_each(tmp_path: Path) -> None:
    with recording(tmp_path / "one") as one, recording(tmp_path / "two") as two:
        server = instrument(instrument(asking(), one), two)
        async with Client(instrument(server, one), mode="legacy", sampling_callback=answers) as c:
            await c.call_tool("ask", {"patience": None}, progress_callback=progressed)
    for store in ("one", "two"):
        assert sent(tmp_path / store) == [PROGRESS, (*SAMPLING, "success", None, None)]


async def exchanged(server: Any, frames: list[Any]) -> list[Any]:
    """Send frames to a server as a transport would; return what it sent back, as JSON."""
    found: list[Any] = []
    async with create_client_server_memory_streams() as ((read, write), (theirs_in, theirs_out)):

        async def listen() -> None:
            async for item in read:
                assert isinstance(item, SessionMessage)
                found.append(json.loads(item.message.model_dump_json(by_alias=True)))

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            options = server.create_initialization_options()
            group.start_soon(server.run, theirs_in, theirs_out, options)
            for frame in frames:
                await write.send(frame)
                await anyio.wait_all_tasks_blocked()
            await write.aclose()
    return found


def frame(**members: Any) -> SessionMessage:
    text = json.dumps({"jsonrpc": "2.0", **members})
    return SessionMessage(types.jsonrpc_message_adapter.validate_json(text, by_name=False))


HELLO = frame(
    id=1,
    method="initialize",
    params={
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "agent-7", "version": "1"},
    },
)
READY = frame(method="notifications/initialized")


def came(store: Path) -> list[tuple[Any, ...]]:
    return [(o.operation_type, o.status, o.error_type, o.status_code) for o in operations(store)]


@pytest.mark.requirement("doors:wire:unparsable")
async def test_what_can_not_be_read_is_an_operation_that_failed(tmp_path: Path) -> None:
    frames = [ValueError("not JSON"), HELLO, READY, ValueError("nor this")]
    with recording(tmp_path) as monitor:
        replies = await exchanged(instrument(low_toy(), monitor), frames)
    assert [reply["id"] for reply in replies] == [1]
    assert came(tmp_path) == [
        ("unparsable", "error", "ParseError", -32700),
        ("initialize", "success", None, None),
        ("notifications/initialized", "success", None, None),
        ("unparsable", "error", "ParseError", -32700),
    ]
    early, *_, late = operations(tmp_path)
    assert (early.origin.agent_id, late.origin.agent_id) == (None, "agent-7")
    assert {o.origin.transport for o in (early, late)} == {"memory"}


async def test_an_envelope_on_a_connection_of_the_handshake_is_refused_and_recorded(
    tmp_path: Path,
) -> None:
    enveloped = frame(id=2, method="tools/list", params={"_meta": ENVELOPE})
    plain = frame(id=3, method="tools/list")
    with recording(tmp_path) as monitor:
        await exchanged(instrument(low_toy(), monitor), [HELLO, READY, enveloped, plain])
    assert came(tmp_path)[2:] == [
        ("tools/list", "error", "-32600", -32600),
        ("tools/list", "success", None, None),
    ]


async def test_what_the_modern_era_refuses_is_recorded_once(tmp_path: Path) -> None:
    frames = [
        frame(id=1, method="tools/list", params={"_meta": ENVELOPE}),
        HELLO,
        frame(id=2, method="tools/call", params={"name": "add"}),
        frame(
            id=3,
            method="tools/list",
            params={"_meta": {**ENVELOPE, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}},
        ),
        frame(id=4, method="nobody/knows", params={"_meta": ENVELOPE}),
        frame(id=4, method="tools/list", params={"_meta": ENVELOPE}),
    ]
    with recording(tmp_path) as monitor:
        replies = await exchanged(instrument(low_toy(), monitor), frames)
    assert len(replies) == len(frames)
    assert came(tmp_path) == [
        ("tools/list", "success", None, None),
        ("initialize", "error", "-32022", -32022),
        ("tools/call", "error", "-32602", -32602),
        ("tools/list", "error", "-32022", -32022),
        ("nobody/knows", "error", "-32601", -32601),
        ("tools/list", "success", None, None),
    ]
    assert operations(tmp_path, "tools/call")[0].target == "add"


async def test_notifications_that_the_sdk_drops_before_the_first_request_are_recorded(
    tmp_path: Path,
) -> None:
    early = [frame(method="notifications/early", params={"n": n}) for n in range(LEADS_MAX + 3)]
    with recording(tmp_path) as monitor:
        await exchanged(instrument(low_toy(), monitor), [*early, HELLO])
    names = sorted(name for name, *_ in came(tmp_path))
    assert names == ["initialize", *["notifications/early"] * (LEADS_MAX + 3)]


async def test_a_fault_of_ours_is_counted_and_disturbs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    for name in ("received", "sent", "_ended"):
        monkeypatch.setattr(f"contextframe_monitoring.mcp.tap.Tap.{name}", fails)
    with recording(tmp_path) as monitor:
        bare = await exchanged(low_toy(), [HELLO, READY])
        assert await exchanged(instrument(low_toy(), monitor), [HELLO, READY]) == bare
        assert monitor.recorder.losses["invalid"] == 2


async def test_a_question_that_nobody_answers_any_more_ends_with_the_connection(
    tmp_path: Path,
) -> None:
    call = frame(id=2, method="tools/call", params={"name": "ask", "arguments": {"patience": None}})
    with recording(tmp_path) as monitor:
        server = instrument(asking(), monitor)
        await exchanged(server._lowlevel_server, [HELLO_ABLE, READY, call])
    assert sent(tmp_path)[:1] in (
        [(*SAMPLING, "error", "ConnectionClosed", None)],
        [(*SAMPLING, "cancelled", None, None)],
    )
    assert len([o for o in sent(tmp_path) if o[1] == SAMPLING[1]]) == 1


HELLO_ABLE = frame(
    id=1,
    method="initialize",
    params={
        "protocolVersion": "2025-11-25",
        "capabilities": {"sampling": {}},
        "clientInfo": {"name": "agent-7", "version": "1"},
    },
)


async def test_errors_of_the_client_reach_the_server_as_before(tmp_path: Path) -> None:
    async def told(server: MCPServer) -> Any:
        async with Client(server, mode="legacy", sampling_callback=refuses) as client:
            try:
                return await client.call_tool("ask", {"patience": None})
            except MCPError as error:
                return error.error

    with recording(tmp_path) as monitor:
        assert await told(instrument(asking(), monitor)) == await told(asking())
