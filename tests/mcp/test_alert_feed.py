"""Alerts pushed to subscribers of both eras: in memory, over stdio and over HTTP."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, types
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from contextframe_monitoring import Monitor, instrument
from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.mcp.alert_feed import CHANGED_MAX, attach_feed
from contextframe_monitoring.mcp.alert_reading import AlertReading
from contextframe_monitoring.mcp.alert_subscribers import AlertSubscribers
from contextframe_monitoring.mcp.server import build_server
from tests.processes import free_port, listens, started, until

ALERTS = "monitoring://alerts"
ERAS = ["auto", "legacy"]
RULE = {"name": "errors", "signal": "error_rate", "threshold": 0.1}
SECONDS = 20

pytestmark = pytest.mark.filterwarnings(
    "ignore:resources/:mcp.shared.exceptions.MCPDeprecationWarning"  # the older era is the point
)


class Heard:
    """The URIs that a client was told of, in either era."""

    def __init__(self) -> None:
        self.uris: list[str] = []
        self._taken = 0
        self._more = anyio.Event()

    async def message(self, message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            self.add(str(message.params.uri))

    def add(self, uri: str) -> None:
        self.uris.append(uri)
        self._more.set()

    async def next(self) -> str:
        with anyio.fail_after(SECONDS):
            while self._taken == len(self.uris):
                self._more = anyio.Event()
                await self._more.wait()
        self._taken += 1
        return self.uris[self._taken - 1]


@asynccontextmanager
async def subscriber(target: Any, era: Any, *uris: str) -> AsyncIterator[tuple[Client, Heard]]:
    """Connect, subscribe in the way of the era, and listen until the block ends."""
    heard = Heard()
    handler = heard.message if era == "legacy" else None
    async with Client(target, mode=era, message_handler=handler) as client:
        if era == "legacy":
            for uri in uris:
                await client.subscribe_resource(uri)
            yield client, heard
            return
        async with (
            client.listen(resource_subscriptions=list(uris)) as subscription,
            anyio.create_task_group() as tasks,
        ):

            async def listen() -> None:
                async for event in subscription:
                    heard.add(str(event.uri))

            tasks.start_soon(listen)
            yield client, heard
            tasks.cancel_scope.cancel()


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Monitor]:
    with Monitor.open(store=str(tmp_path / "store"), name="app", start_keeper=False) as monitor:
        yield monitor


def serving(app: Monitor) -> MCPServer:
    return build_server(Monitor.open(app.config, name="contextframe-monitoring"))


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.requirement("alerts:agents:subscribe")
async def test_a_subscriber_to_all_hears_of_every_change(app: Monitor, era: Any) -> None:
    async with subscriber(serving(app), era, ALERTS) as (client, heard):
        alert_id = await app.alerts.trigger_alert(RULE)
        assert await heard.next() == ALERTS
        await app.alerts.acknowledge_alert(alert_id)
        assert await heard.next() == ALERTS
        await app.alerts.resolve_alert(alert_id)
        assert await heard.next() == ALERTS
        answer = await client.call_tool("get_alerts", {"since": 2})
        assert [row["status"] for row in answer.structured_content["alerts"]] == ["resolved"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.requirement("alerts:agents:subscribe")
async def test_a_subscriber_to_one_alert_hears_of_that_one_only(app: Monitor, era: Any) -> None:
    one, other = [await app.alerts.trigger_alert({**RULE, "name": name}) for name in ("a", "b")]
    async with subscriber(serving(app), era, f"{ALERTS}/{one}") as (_, heard):
        await app.alerts.acknowledge_alert(other)
        await app.alerts.acknowledge_alert(one)
        await app.alerts.comment_on_alert(one, "second")
        assert await heard.next() == f"{ALERTS}/{one}"
    assert set(heard.uris) == {f"{ALERTS}/{one}"}


async def test_who_unsubscribes_hears_no_more(app: Monitor) -> None:
    server = serving(app)
    async with subscriber(server, "legacy", ALERTS) as (client, heard):
        await app.alerts.trigger_alert({**RULE, "name": "first"})
        await heard.next()
        one = await app.alerts.trigger_alert({**RULE, "name": "second"})
        await heard.next()
        await client.subscribe_resource(f"{ALERTS}/{one}")
        await client.unsubscribe_resource(ALERTS)
        await app.alerts.acknowledge_alert(one)
        assert await heard.next() == f"{ALERTS}/{one}"
        assert heard.uris == [ALERTS, ALERTS, f"{ALERTS}/{one}"]


@pytest.mark.parametrize(
    "uri", ["monitoring://status", "file:///etc/passwd", f"{ALERTS}/{'x' * 200}"]
)
async def test_what_never_changes_by_itself_is_refused(app: Monitor, uri: str) -> None:
    async with Client(serving(app), mode="legacy") as client:
        with pytest.raises(MCPError, match="only monitoring://alerts and"):
            await client.subscribe_resource(uri)


async def test_the_older_era_is_told_that_it_may_subscribe(app: Monitor) -> None:
    async with Client(serving(app), mode="legacy") as client:
        assert client.server_capabilities.resources is not None
        assert client.server_capabilities.resources.subscribe is True


class Fed:
    """A server with a feed of small bounds."""

    def __init__(self, app: Monitor, **bounds: Any) -> None:
        self.server = MCPServer("fed", log_level="CRITICAL")
        self.feed = attach_feed(self.server, AlertReading(app), AlertSubscribers(**bounds))

    @property
    def subscribers(self) -> int:
        return len(self.feed.subscribers)


@pytest.mark.parametrize("era", ERAS)
async def test_who_leaves_leaves_nothing_behind(app: Monitor, era: Any) -> None:
    fed = Fed(app)
    async with subscriber(fed.server, era, ALERTS, f"{ALERTS}/a-1"):
        assert fed.subscribers == 1
    gc.collect()
    assert fed.subscribers == 0
    assert fed.feed.subscribers.all_wanted() == []


@pytest.mark.parametrize("era", ERAS)
async def test_one_subscriber_too_many_is_refused(app: Monitor, era: Any) -> None:
    fed = Fed(app, subscribers_max=1)
    async with subscriber(fed.server, "legacy", ALERTS):
        with pytest.raises((MCPError, ExceptionGroup)) as refused:
            async with subscriber(fed.server, era, ALERTS):
                pytest.fail("it was let in")
    assert "alert subscribers = 2 is above its limit of 1" in str(_leaf(refused.value))


@pytest.mark.parametrize("era", ERAS)
async def test_one_subscriber_has_at_most_so_many_resources(app: Monitor, era: Any) -> None:
    uris = [f"{ALERTS}/a-{number}" for number in range(101)]
    with pytest.raises((MCPError, ExceptionGroup)) as refused:
        async with subscriber(Fed(app).server, era, *uris):
            pytest.fail("it was let in")
    assert "= 101 is above its limit of 100: subscribe to" in str(_leaf(refused.value))


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
OPENING: dict[Any, list[dict[str, Any]]] = {
    "auto": [
        {
            "id": 1,
            "method": "subscriptions/listen",
            "params": {"notifications": {"resourceSubscriptions": [ALERTS]}, "_meta": ENVELOPE},
        }
    ],
    "legacy": [
        {
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "slow", "version": "1"},
            },
        },
        {"method": "notifications/initialized"},
        {"id": 2, "method": "resources/subscribe", "params": {"uri": ALERTS}},
    ],
}


@asynccontextmanager
async def never_reads(server: MCPServer, era: Any) -> AsyncIterator[None]:
    """Subscribe by hand, read what answers that, and nothing more."""
    low = server._lowlevel_server
    there, inbox = anyio.create_memory_object_stream[Any](10)
    outbox, back = anyio.create_memory_object_stream[Any](0)
    async with there, inbox, outbox, back, anyio.create_task_group() as tasks:
        tasks.start_soon(low.run, inbox, outbox, low.create_initialization_options())
        for frame in OPENING[era]:
            message = jsonrpc_message_adapter.validate_python({"jsonrpc": "2.0", **frame})
            await there.send(SessionMessage(message))
            if "id" in frame:
                await back.receive()
        yield
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.requirement("alerts:agents:thousand")
async def test_a_slow_subscriber_is_dropped_and_hurts_nobody(app: Monitor, era: Any) -> None:
    fed = Fed(app, send_seconds_max=0.1)
    async with (
        subscriber(fed.server, "legacy", ALERTS) as (_, one),
        subscriber(fed.server, "auto", ALERTS) as (_, other),
        never_reads(fed.server, era),
    ):
        assert fed.subscribers == 3
        for name in ("first", "second", "third"):
            await app.alerts.trigger_alert({**RULE, "name": name})
            assert [await one.next(), await other.next()] == [ALERTS, ALERTS]
        with anyio.fail_after(SECONDS):
            while fed.subscribers == 3:
                await anyio.lowlevel.checkpoint()
        await app.alerts.trigger_alert({**RULE, "name": "fourth"})
        assert [await one.next(), await other.next()] == [ALERTS, ALERTS]
        assert fed.subscribers == 2


@pytest.mark.requirement("alerts:agents:thousand")
async def test_a_thousand_subscribers_are_told(app: Monitor) -> None:
    fed = Fed(app)
    told = anyio.Event()
    count = 0

    async def listen(client: Client, ready: Any) -> None:
        nonlocal count
        async with client.listen(resource_subscriptions=[ALERTS]) as subscription:
            ready.set()
            async for _ in subscription:
                count += 1
                if count == 1000:
                    told.set()

    async with Client(fed.server) as client, anyio.create_task_group() as tasks:
        for _ in range(1000):
            ready = anyio.Event()
            tasks.start_soon(listen, client, ready)
            await ready.wait()
        assert fed.subscribers == 1000
        with pytest.raises(MCPError, match="limit of 1000"):
            async with client.listen(resource_subscriptions=[ALERTS]):
                pytest.fail("it was let in")
        await app.alerts.trigger_alert(RULE)
        with anyio.fail_after(SECONDS):
            await told.wait()
        tasks.cancel_scope.cancel()
    assert count == 1000


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_of_ones_own_tells_of_alerts_too(app: Monitor, era: Any) -> None:
    server = instrument(MCPServer("library", log_level="CRITICAL"), app, tools=True)
    async with subscriber(server, era, ALERTS) as (_, heard):
        await app.alerts.trigger_alert(RULE)
        assert await heard.next() == ALERTS


async def test_a_server_that_is_closed_to_streams_still_tells_the_older_era(app: Monitor) -> None:
    server = MCPServer("library", log_level="CRITICAL", subscriptions=False)
    instrument(server, app, tools=True)
    async with subscriber(server, "legacy", ALERTS) as (_, heard):
        await app.alerts.trigger_alert(RULE)
        assert await heard.next() == ALERTS
    async with Client(server) as client:
        with pytest.raises(MCPError):
            async with client.listen(resource_subscriptions=[ALERTS]):
                pytest.fail("it was let in")


CONFIG = """
[alerts]
evaluation_interval_seconds = 1
default_rules = false
[[alert_rules]]
name = "too many errors"
signal = "error_count"
threshold = 3
window = "1h"
"""


@asynccontextmanager
async def served(transport: str, era: Any, store: str, config: str) -> AsyncIterator[Any]:
    """Start a `serve` of its own that does not keep the store, and subscribe to all alerts."""
    options = ["--store", store, "--config", config]
    if transport == "stdio":
        command = ["-m", "contextframe_monitoring", "serve", *options]
        target: Any = StdioServerParameters(command=sys.executable, args=command)
        async with subscriber(target, era, ALERTS) as found:
            yield found
        return
    port = free_port()
    with started("serve", "--http", f"127.0.0.1:{port}", *options):
        until(lambda: listens(port))
        async with subscriber(f"http://127.0.0.1:{port}/mcp", era, ALERTS) as found:
            yield found


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.requirement("alerts:agents:every-process", "alerts:agents:in-time")
async def test_a_fact_reaches_a_subscriber_of_a_process_that_keeps_nothing(
    tmp_path: Path, transport: str, era: Any
) -> None:
    store, config = str(tmp_path / "store"), tmp_path / "monitoring.toml"
    config.write_text(CONFIG)
    async with AsyncExitStack() as stack:
        stack.enter_context(started("keep", "--store", store, "--config", str(config)))
        app = stack.enter_context(Monitor.open(store=store, name="app", start_keeper=False))
        until(lambda: app.alerts.desk.report().evaluated_at is not None)
        client, heard = await stack.enter_async_context(served(transport, era, store, str(config)))
        status = await client.call_tool("get_monitoring_status", {})
        assert status.structured_content["keeper"]["alive"] is True
        began = time.monotonic()
        for _ in range(5):
            app.performance.start_operation("op", "tool_call", target="add")
            app.performance.end_operation("op", "error")
        assert await heard.next() == ALERTS
        took = time.monotonic() - began
        alerts = await client.call_tool("get_alerts", {})
    assert [row["rule"] for row in alerts.structured_content["alerts"]] == ["too many errors"]
    print(f"{transport} {era}: told {took:.2f} s after the fact")
    assert took <= 1 + 1


class Book:
    """A book that a test turns over, and that can't always be read."""

    def __init__(self, revision: int = 5) -> None:
        self.now, self.ids = revision, ["a-1"]
        self.is_bad, self.refused = False, 0
        self.asked: list[int] = []

    def revision(self) -> int:
        if self.is_bad:
            self.refused += 1
            raise StoreError("s", "it is locked", "try again")
        return self.now

    def changed(self, after: int, limit: int) -> list[str]:
        self.asked.append(after)
        return self.ids[:limit]


@pytest.mark.parametrize("era", ERAS)
async def test_a_book_that_was_replaced_or_can_not_be_read_for_a_while_is_followed(
    era: Any,
) -> None:
    book, server = Book(), MCPServer("fed", log_level="CRITICAL")
    attach_feed(server, book)
    async with subscriber(server, era, ALERTS, f"{ALERTS}/a-1") as (_, heard):
        book.now = 2  # another book lies there
        assert {await heard.next(), await heard.next()} == {ALERTS, f"{ALERTS}/a-1"}
        book.is_bad = True
        book.now = 3
        with anyio.fail_after(SECONDS):
            while book.refused < 2:
                await anyio.lowlevel.checkpoint()
        book.is_bad = False
        assert {await heard.next(), await heard.next()} == {ALERTS, f"{ALERTS}/a-1"}
    assert book.asked == [2]
    assert len(heard.uris) == 4


async def test_too_much_at_once_is_told_to_everybody() -> None:
    book, server = Book(), MCPServer("fed", log_level="CRITICAL")
    attach_feed(server, book)
    async with subscriber(server, "auto", f"{ALERTS}/a-77") as (_, heard):
        book.ids = [f"b-{number}" for number in range(CHANGED_MAX)]
        book.now = 99_999
        assert await heard.next() == f"{ALERTS}/a-77"


async def test_the_one_who_looks_may_leave_first(app: Monitor) -> None:
    fed = Fed(app)
    looks, leave, left = anyio.Event(), anyio.Event(), anyio.Event()

    async def first() -> None:
        async with subscriber(fed.server, "legacy", ALERTS):
            looks.set()
            await leave.wait()
        left.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await looks.wait()
        async with subscriber(fed.server, "legacy", ALERTS) as (_, second):
            await app.alerts.trigger_alert({**RULE, "name": "a"})
            assert await second.next() == ALERTS
            leave.set()
            await left.wait()
            await app.alerts.trigger_alert({**RULE, "name": "b"})
            assert await second.next() == ALERTS


async def test_a_subscriber_outlives_the_process_that_evaluates(tmp_path: Path) -> None:
    store, config = str(tmp_path / "store"), tmp_path / "monitoring.toml"
    config.write_text(CONFIG)
    async with AsyncExitStack() as stack:
        keeper = stack.enter_context(started("keep", "--store", store, "--config", str(config)))
        app = stack.enter_context(Monitor.open(store=store, name="app", start_keeper=False))
        until(lambda: app.alerts.desk.report().evaluated_at is not None)
        client, heard = await stack.enter_async_context(served("stdio", "auto", store, str(config)))
        keeper.kill()
        for _ in range(5):
            app.performance.start_operation("op", "tool_call", target="add")
            app.performance.end_operation("op", "error")
        assert await heard.next() == ALERTS
        alerts = await client.call_tool("get_alerts", {})
    assert len(alerts.structured_content["alerts"]) == 1
