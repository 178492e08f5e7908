"""The contract with the SDK: what we use of it that it does not promise. A failure here means that
the SDK has moved, and that `contextframe_monitoring.mcp.adapter` has to follow.
"""

from __future__ import annotations

import contextvars
import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server import MCPServer, Server
from mcp.server import runner as sdk_runner
from mcp.server import stdio as sdk_stdio
from mcp.server._otel import OpenTelemetryMiddleware
from mcp.shared import _otel as sdk_otel
from mcp.shared._context_streams import create_context_streams
from mcp.shared.message import SessionMessage
from opentelemetry import propagate, trace
from opentelemetry.trace import ProxyTracer

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.mcp import adapter
from tests.mcp.toys import CLIENT, MODES, VERSIONS, Gate, high_toy, low_toy

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("spine:instrument:contract")]

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def messages(server: Any, mode: str, *, clients: int = 1) -> list[list[adapter.Context]]:
    """Return the contexts that a middleware sees of clients that list the tools twice."""
    found: list[list[adapter.Context]] = []

    async def spy(ctx: adapter.Context, call_next: adapter.CallNext) -> adapter.Result:
        found[-1].append(ctx)
        return await call_next(ctx)

    server.middleware.append(spy)
    for _ in range(clients):
        found.append([])
        async with Client(server, mode=mode, client_info=CLIENT) as client:
            await client.list_tools()
            await client.list_tools()
    return found


@pytest.mark.requirement("doors:shown:contract")
def test_the_chain_starts_with_the_middleware_that_we_stand_in_for() -> None:
    for server in (high_toy(), low_toy()):
        assert adapter.opentelemetry_index(server.middleware) == 0
        assert type(server.middleware[0]) is OpenTelemetryMiddleware
    assert adapter.opentelemetry_index([]) is None


def test_a_server_is_found_in_itself_or_behind_its_holder() -> None:
    low, high = low_toy(), high_toy()

    class Holder:
        _mcp_server = low

    assert adapter.lowlevel_server(low) is low
    assert adapter.lowlevel_server(Holder()) is low
    assert adapter.lowlevel_server(high).middleware is high.middleware
    assert adapter.lowlevel_server(high).name == "toy"
    with pytest.raises(InvalidError) as refusal:
        adapter.lowlevel_server(object())
    assert str(refusal.value) == (
        "server = 'builtins.object' is not allowed: expected an MCPServer or a low-level Server of "
        "mcp 2.x (or a fastmcp server built on it); any other server, also one of mcp 1.x, can be "
        "watched from outside: contextframe-monitoring wrap -- COMMAND"
    )


@pytest.mark.parametrize("mode", MODES)
async def test_an_anchor_is_the_same_within_a_connection_and_another_in_the_next(mode: str) -> None:
    first, second = await messages(low_toy(), mode, clients=2)
    one = {id(adapter.anchor_of(ctx)) for ctx in first}
    two = {id(adapter.anchor_of(ctx)) for ctx in second}
    assert (len(one), len(two), len(one & two)) == (1, 1, 0)


@pytest.mark.parametrize("mode", MODES)
async def test_what_a_context_tells_about_its_connection(mode: str) -> None:
    ((*_, ctx),) = await messages(low_toy(), mode)
    assert ctx.protocol_version == VERSIONS[mode]
    assert ctx.session.client_params is not None
    assert ctx.session.client_params.client_info.name == "agent-7"
    assert adapter.transport_of(ctx) == "memory"
    assert adapter.http_session_id(ctx) is None
    assert adapter.is_direct(ctx) is (mode == "auto")
    assert adapter.peer_cancelled(ctx) is False
    assert (adapter.teardown_of(ctx) is None) is (mode == "auto")


def test_stdio_claims_the_standard_descriptors() -> None:
    assert sdk_stdio._claims == {}


async def test_a_client_that_gives_up_is_seen_by_the_handler() -> None:
    gate, seen = Gate(), []

    async def spy(ctx: adapter.Context, call_next: adapter.CallNext) -> adapter.Result:
        try:
            return await call_next(ctx)
        finally:
            if ctx.method == "tools/call":
                seen.append(adapter.peer_cancelled(ctx))

    server = low_toy(gate)
    server.middleware.append(spy)
    async with Client(server, mode="legacy") as client, anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "endless", {})
        await gate.begun.wait()
        group.cancel_scope.cancel()
    assert seen == [True]


async def test_a_cancellation_by_a_deadline_says_so() -> None:
    caught: list[BaseException] = []

    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        except BaseException as error:
            caught.append(error)
            raise

    with anyio.move_on_after(0.01):
        await wait()
    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert [adapter.deadline_passed(error) for error in caught] == [True, False]


def test_without_a_provider_tracing_is_idle_and_only_a_traceparent_is_carried() -> None:
    assert trace._TRACER_PROVIDER is None
    assert isinstance(sdk_otel._tracer, ProxyTracer)
    assert propagate.get_global_textmap() is propagate._HTTP_TEXT_FORMAT
    assert adapter.tracing_is_idle()
    assert adapter.is_untraced(None)
    assert adapter.is_untraced({"progressToken": 1})
    assert not adapter.is_untraced({"traceparent": TRACEPARENT})
    assert adapter.carried_span({"traceparent": "nonsense"}) is None
    span = adapter.carried_span({"traceparent": TRACEPARENT})
    assert span is not None
    assert f"{span.get_span_context().trace_id:032x}" == TRACEPARENT[3:35]


def test_another_propagator_makes_every_message_be_looked_at() -> None:
    before = propagate.get_global_textmap()
    try:
        propagate.set_global_textmap(propagate.composite.CompositePropagator([]))
        assert not adapter.is_untraced({"b3": "0"})
    finally:
        propagate.set_global_textmap(before)
    assert adapter.is_untraced({"b3": "0"})


async def test_streams_have_a_dispatcher_that_writes_to_a_stream_that_can_be_replaced() -> None:
    contexts = {mode: (await messages(low_toy(), mode))[0] for mode in MODES}
    assert adapter.dispatcher_of(contexts["auto"][-1]) is None
    dispatcher = adapter.dispatcher_of(contexts["legacy"][-1])
    assert dispatcher is contexts["legacy"][-1].session._connection.outbound
    assert dispatcher is not None
    assert adapter.tap_of(dispatcher) is None
    seen: list[Any] = []

    class Spy:
        def __init__(self, inner: Any, tap: Any) -> None:
            self.inner, self._tap = inner, tap

        async def send(self, item: Any) -> None:
            seen.append(item.message.method)

    class Ear:
        def resolved(self, request_id: Any, outcome: Any) -> None:
            seen.append((request_id, outcome))

    ear = Ear()
    adapter.tap_dispatcher(dispatcher, Spy, ear)
    assert adapter.tap_of(dispatcher) is ear
    await dispatcher._write(adapter.NotificationFrame(jsonrpc="2.0", method="notifications/x"))
    answer = adapter.ResponseFrame(jsonrpc="2.0", id=9, result={"a": 1})
    await dispatcher._dispatch(SessionMessage(answer), None, None, None)  # type: ignore[arg-type]
    assert seen == ["notifications/x", (9, {"a": 1})]


async def test_a_stream_of_the_sdk_is_received_with_the_context_of_its_sender() -> None:
    mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark")
    send, receive = create_context_streams[Any](1)
    raw_send, raw_receive = anyio.create_memory_object_stream[Any](1)
    async with send, receive, raw_send, raw_receive:
        for ours, theirs in ((send, receive), (raw_send, raw_receive)):
            mark.set("sender")
            await ours.send("item")
            mark.set("receiver")
            context, item = await adapter.receive_of(theirs)()
            wanted = "sender" if theirs is receive else "receiver"
            assert (context[mark], item) == (wanted, "item")


def test_the_sdk_keeps_a_few_frames_ahead_of_the_first_request() -> None:
    assert sdk_runner._PRE_REQUEST_REPLAY_LIMIT == adapter.LEADS_MAX == 8


def test_tools_of_an_mcpserver_go_through_its_public_method(tmp_path: Path) -> None:
    del tmp_path
    assert callable(MCPServer.call_tool)
    assert not hasattr(Server, "call_tool")


@pytest.mark.requirement("spine:instrument:one-module")
def test_no_other_module_uses_what_the_sdk_does_not_promise() -> None:
    room = Path(adapter.__file__).parent
    private = re.compile(
        r"SLF001|\b(?:from|import) (?:mcp|opentelemetry)[\w.]*(?:\._\w+| import _)"
    )
    others = [path for path in room.glob("*.py") if path.name != "adapter.py"]
    assert private.search(Path(adapter.__file__).read_text())
    assert [path.name for path in others if private.search(path.read_text())] == []


@pytest.mark.parametrize("mode", MODES)
async def test_a_peer_is_the_connection_and_takes_notifications_when_it_is_gone(mode: str) -> None:
    [[first, second]] = [found[-2:] for found in await messages(high_toy(), mode)]
    if mode == "legacy":
        assert adapter.peer_of(first) is adapter.peer_of(second)
        assert adapter.teardown_of(first) is adapter.peer_of(first).exit_stack
    else:
        assert adapter.teardown_of(first) is None
    await adapter.peer_of(first).notify("notifications/resources/updated", {"uri": "x://y"})


async def test_what_is_published_reaches_a_stream_of_the_modern_era() -> None:
    server = high_toy()
    publish = adapter.publisher_of(server)
    async with (
        Client(server) as client,
        client.listen(resource_subscriptions=["note://today"]) as subscription,
    ):
        await publish("note://tomorrow")
        await publish("note://today")
        with anyio.fail_after(5):
            assert (await anext(aiter(subscription))).uri == "note://today"
