"""Every message is recorded once, with what it was about and how it ended; both eras, both
classes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from mcp import Client, types
from mcp.server import Server
from mcp.shared.exceptions import MCPError

from contextframe_monitoring.core.records import OperationRecord, Origin
from contextframe_monitoring.mcp import middleware
from contextframe_monitoring.mcp.instrument import instrument
from tests.mcp.toys import CLIENT, MODES, VERSIONS, ends, high_toy, low_toy
from tests.support import operations, recording, writers

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("mode", MODES)]


async def refused(call: Any) -> MCPError:
    with pytest.raises(MCPError) as caught:
        await call
    return caught.value


@pytest.mark.requirement(
    "spine:instrument:both-classes",
    "spine:instrument:both-eras",
    "spine:instrument:memory",
    "spine:instrument:fields",
    "spine:instrument:duration",
    "002:handler:generated-id",
    "002:handler:method-as-type",
    "002:handler:agent-id",
)
@pytest.mark.parametrize("toy", [high_toy, low_toy])
async def test_a_call_is_recorded_with_all_its_fields(
    tmp_path: Path, mode: str, toy: Callable[[], Any]
) -> None:
    with recording(tmp_path, environment="test") as monitor:
        server = instrument(toy(), monitor)
        async with Client(server, mode=mode, client_info=CLIENT) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
        writer = monitor.recorder.writer

    (found,) = operations(tmp_path, "tools/call")
    assert found.origin == Origin(
        server="toy",
        agent_id="agent-7",
        agent_source="client",
        session_id=f"{writer}-c1",
        environment="test",
        transport="memory",
        protocol_version=VERSIONS[mode],
    )
    assert (found.target, found.status, found.direction, found.kind) == (
        "add", "success", "in", "request",
    )  # fmt: skip
    assert (found.error_type, found.error, found.status_code) == (None, None, None)
    assert found.operation_id is not None
    assert found.operation_id.startswith(f"{writer}-o")
    assert found.duration_ms is not None
    assert 0 < found.duration_ms < 10_000
    assert (found.tokens_estimated, found.request_tokens) == (True, 9)
    assert found.result_tokens is not None
    assert found.correlation_id is None


@pytest.mark.requirement("002:handler:success")
async def test_sizes_are_bytes_of_the_json_of_params_and_result(tmp_path: Path, mode: str) -> None:
    seen: list[tuple[Any, Any]] = []

    async def spy(ctx: Any, call_next: Any) -> Any:
        result = await call_next(ctx)
        if ctx.method == "tools/call":
            seen.append((ctx.params, result))
        return result

    with recording(tmp_path) as monitor:
        server = instrument(low_toy(), monitor)
        server.middleware.append(spy)
        async with Client(server, mode=mode) as client:
            for _ in range(3):
                await client.call_tool("add", {"a": 1, "b": 22, "c": "ünï"})

    wanted = [tuple(len(msgspec.json.encode(part)) for part in pair) for pair in seen]
    found = operations(tmp_path, "tools/call")
    assert [(o.request_size, o.result_size) for o in found] == wanted


@pytest.mark.requirement("spine:instrument:errors", "spine:instrument:once", "002:handler:error")
async def test_tools_end_in_every_way_that_the_table_knows(tmp_path: Path, mode: str) -> None:
    with recording(tmp_path) as monitor:
        async with Client(instrument(high_toy(), monitor), mode=mode) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
            await client.call_tool("add", {"a": "z"})
            await client.call_tool("boom", {})
            await client.call_tool("impatient", {})
            await client.call_tool("refuses", {})
            await client.call_tool("nobody", {})
            assert (await refused(client.call_tool("protocol", {}))).code == -32050
            await refused(client.call_tool("forwards", {}))

    assert ends(operations(tmp_path, "tools/call")) == [
        ("add", "success", None, None),
        ("add", "error", "ValidationError", None),
        ("boom", "error", "RuntimeError", None),
        ("impatient", "timeout", "TimeoutError", None),
        ("refuses", "error", "ToolError", None),
        ("nobody", "error", "ToolError", None),
        ("protocol", "error", "-32050", -32050),
        ("forwards", "error", "KeyError", -32603),
    ]


@pytest.mark.requirement("002:handler:error")
async def test_a_low_level_server_ends_in_the_same_ways(tmp_path: Path, mode: str) -> None:
    with recording(tmp_path) as monitor:
        async with Client(instrument(low_toy(), monitor), mode=mode) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
            await refused(client.call_tool("add", {}))
            await refused(client.call_tool("boom", {}))
            await refused(client.call_tool("impatient", {}))
            await client.call_tool("refuses", {})
            await refused(client.call_tool("protocol", {}))
            await refused(client.session.send_request(*_malformed_call()))

    assert ends(operations(tmp_path, "tools/call")) == [
        ("add", "success", None, None),
        ("add", "error", "KeyError", None),
        ("boom", "error", "RuntimeError", None),
        ("impatient", "timeout", "TimeoutError", None),
        ("refuses", "error", "tool_error", None),
        ("protocol", "error", "-32050", -32050),
        (None, "error", "ValidationError", -32602),
    ]


def _malformed_call() -> tuple[Any, Any]:
    request = types.CallToolRequest(params=types.CallToolRequestParams(name="add"))
    request.params.name = None  # type: ignore[assignment]
    return request, types.CallToolResult


async def test_resources_and_prompts_fail_with_the_class_of_what_they_raised(
    tmp_path: Path, mode: str
) -> None:
    with recording(tmp_path) as monitor:
        async with Client(instrument(high_toy(), monitor), mode=mode) as client:
            await client.read_resource("note://today")
            await refused(client.read_resource("note://broken"))
            await refused(client.read_resource("nope://x?token=secret#here"))
            await client.get_prompt("greet", {"who": "you"})
            await refused(client.get_prompt("stumble"))

    assert ends(operations(tmp_path, "resources/read")) == [
        ("note://today", "success", None, None),
        ("note://broken", "error", "OSError", -32603),
        ("nope://x", "error", "ResourceNotFoundError", -32602),
    ]
    assert ends(operations(tmp_path, "prompts/get")) == [
        ("greet", "success", None, None),
        ("stumble", "error", "LookupError", None),
    ]


@pytest.mark.requirement("spine:instrument:once", "spine:shown:memory-eras")
async def test_each_message_is_recorded_once_notifications_and_unknown_methods_too(
    tmp_path: Path, mode: str
) -> None:
    class Ask(types.Request[types.RequestParams | None, str]):
        method: str = "toy/unknown"
        params: types.RequestParams | None = None

    progress = types.ProgressNotificationParams(progress_token="t", progress=0.5)
    note = types.ProgressNotification(params=progress)
    with recording(tmp_path) as monitor:
        async with Client(instrument(low_toy(), monitor), mode=mode) as client:
            await client.list_tools()
            refusal = await refused(
                client.session.send_request(Ask(), types.EmptyResult)  # type: ignore[arg-type]
            )
            await client.session.send_notification(note)
            assert refusal.code == -32601

    start = {
        "auto": [("server/discover", "request", "success", None)],
        "legacy": [
            ("initialize", "request", "success", None),
            ("notifications/initialized", "notification", "success", None),
        ],
    }
    progress_goes_out = {
        "auto": [],
        "legacy": [("notifications/progress", "notification", "success", None)],
    }
    assert [(o.operation_type, o.kind, o.status, o.error_type) for o in operations(tmp_path)] == [
        *start[mode],
        ("tools/list", "request", "success", None),
        ("toy/unknown", "request", "error", "-32601"),
        *progress_goes_out[mode],
    ]


async def test_a_model_that_a_middleware_answers_with_is_judged_like_a_result(
    tmp_path: Path, mode: str
) -> None:
    async def shortcut(ctx: Any, call_next: Any) -> Any:
        if ctx.method != "tools/call":
            return await call_next(ctx)
        return types.CallToolResult(content=[], is_error=ctx.params["name"] == "bad")

    with recording(tmp_path) as monitor:
        server = instrument(low_toy(), monitor)
        server.middleware.append(shortcut)
        async with Client(server, mode=mode) as client:
            await client.call_tool("good", {})
            await client.call_tool("bad", {})

    found = operations(tmp_path, "tools/call")
    assert ends(found) == [("good", "success", None, None), ("bad", "error", "tool_error", None)]
    assert [o.result_size for o in found] == [54, 53]


@pytest.mark.requirement("spine:privacy:bounded", "spine:privacy:masked")
async def test_error_texts_are_stored_only_when_asked_for_and_then_masked(
    tmp_path: Path, mode: str
) -> None:
    for folder, settings in (("off", {}), ("on", {"store_error_texts": True})):
        with recording(tmp_path / folder, **settings) as monitor:
            async with Client(instrument(high_toy(), monitor), mode=mode) as client:
                await client.call_tool("boom", {})
                await client.call_tool("refuses", {})
                await refused(client.call_tool("protocol", {}))

    assert [o.error for o in operations(tmp_path / "off", "tools/call")] == [None] * 3
    assert [o.error for o in operations(tmp_path / "on", "tools/call")] == [
        "[masked] is wrong",
        "not today",
        "no such thing",
    ]


async def test_a_failed_tool_of_a_low_level_server_says_its_own_text(
    tmp_path: Path, mode: str
) -> None:
    with recording(tmp_path, store_error_texts=True) as monitor:
        async with Client(instrument(low_toy(), monitor), mode=mode) as client:
            await client.call_tool("refuses", {})

    assert [o.error for o in operations(tmp_path, "tools/call")] == ["no"]


async def test_completions_are_about_what_they_complete(tmp_path: Path, mode: str) -> None:
    async def complete(_ctx: Any, _params: Any) -> types.CompleteResult:
        return types.CompleteResult(completion=types.Completion(values=[]))

    with recording(tmp_path) as monitor:
        server = instrument(Server("toy", version="1", on_completion=complete), monitor)
        async with Client(server, mode=mode) as client:
            for ref in (
                types.PromptReference(type="ref/prompt", name="greet"),
                types.ResourceTemplateReference(type="ref/resource", uri="note://{day}"),
            ):
                await client.complete(ref, {"name": "who", "value": "y"})

    assert [o.target for o in operations(tmp_path, "completion/complete")] == [
        "greet",
        "note://{day}",
    ]


async def test_parallel_calls_show_in_the_peak_of_active_operations(
    tmp_path: Path, mode: str
) -> None:
    arrived, go = 0, anyio.Event()

    async def meet(ctx: Any, call_next: Any) -> Any:
        nonlocal arrived
        if ctx.method == "tools/call":
            arrived += 1
            if arrived == 5:
                go.set()
            await go.wait()
        return await call_next(ctx)

    with recording(tmp_path) as monitor:
        server = instrument(low_toy(), monitor)
        server.middleware.append(meet)
        with anyio.fail_after(10):
            async with Client(server, mode=mode) as client, anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(client.call_tool, "add", {"a": 1, "b": 2})
        header = writers(tmp_path)[0].header
        assert header is not None
        assert header.gauges[:2] == (0, 5)

    assert len(operations(tmp_path, "tools/call")) == 5


@pytest.mark.parametrize("toy", [high_toy, low_toy])
async def test_the_short_way_of_a_plain_success_records_what_the_long_way_does(
    tmp_path: Path, mode: str, toy: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def comparable(store: Path) -> list[OperationRecord]:
        return [
            msgspec.structs.replace(
                found,
                time_us=0,
                duration_ms=0.0,
                operation_id=(found.operation_id or "")[20:],
                origin=msgspec.structs.replace(found.origin, session_id=None),
            )
            for found in operations(store)
        ]

    for folder, late_ns in (("short", 10**12), ("long", -1)):
        monkeypatch.setattr(middleware, "_LATE_NS", late_ns)
        with recording(tmp_path / folder) as monitor:
            async with Client(instrument(toy(), monitor), mode=mode) as client:
                for number in range(10):
                    await client.call_tool("add", {"a": number, "b": 10**number})
                    await client.call_tool("add", {"a": 1, "b": 2}, meta={"agent_id": "a"})
                await client.list_tools()

    assert comparable(tmp_path / "short") == comparable(tmp_path / "long")
