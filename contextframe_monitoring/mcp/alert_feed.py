"""The feed of alerts: every server process looks at the book's revision while somebody has
subscribed, and tells them what changed, whichever process evaluates the rules.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    EmptyResult,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.mcp import adapter
from contextframe_monitoring.mcp.alert_subscribers import (
    AlertSubscribers,
    check_uri,
    is_alert_uri,
)
from contextframe_monitoring.mcp.resources import ALERTS_URI

_log = logging.getLogger(__name__)
LOOK_SECONDS = 0.25
"""Between two looks at the revision, each one read of one row."""
CHANGED_MAX = 10_000
"""Alerts told by their ids after one look; of more, every alert subscribed is said to change."""
_LISTEN = "subscriptions/listen"
_SUBSCRIBE, _UNSUBSCRIBE = "resources/subscribe", "resources/unsubscribe"

_T = TypeVar("_T")
_Handler = Callable[[Any, Any], Awaitable[Any]]
_Lifespan = Callable[[Any], contextlib.AbstractAsyncContextManager[Any]]


class Changes(Protocol):
    """Where the feed looks. Both block, and raise a `MonitoringError`."""

    def revision(self) -> int:
        """Return the number of the last change."""
        ...

    def changed(self, after: int, limit: int) -> list[str]:
        """Return the ids of alerts that changed after a revision."""
        ...


class AlertFeed:
    """Tells the subscribers of one server."""

    def __init__(
        self,
        changes: Changes,
        publish: Callable[[str], Awaitable[None]],
        subscribers: AlertSubscribers | None = None,
    ) -> None:
        """`publish` tells the streams of the modern era that a resource changed."""
        self.subscribers = AlertSubscribers() if subscribers is None else subscribers
        self._changes, self._publish = changes, publish
        self._seen = 0
        self._turn = anyio.Lock()

    # -- looking

    def lifespan(self, inner: _Lifespan) -> _Lifespan:
        """Return a server's lifespan with the feed running in it.

        Some transports enter it once for each connection: one of them looks, and the next one
        goes on when that ends.
        """

        @contextlib.asynccontextmanager
        async def with_feed(server: Any) -> AsyncIterator[Any]:
            async with inner(server) as state, anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch)
                try:
                    yield state
                finally:
                    tasks.cancel_scope.cancel()

        return with_feed

    async def _watch(self) -> None:
        async with self._turn, anyio.create_task_group() as deliveries:
            while True:
                await self.subscribers.arrival()
                try:
                    await self._look(deliveries)
                except Exception:  # noqa: BLE001 - the server serves on, and we look again
                    _log.debug("alerts.look_failed", exc_info=True)
                await anyio.sleep(LOOK_SECONDS)

    async def _look(self, deliveries: TaskGroup) -> None:
        revision = await _in_thread(self._changes.revision)
        if revision != self._seen:
            uris = await self._changed_since(revision)
            for uri in uris:
                self.subscribers.put(uri)
            self.subscribers.deliver(deliveries)
            for uri in uris:
                await self._told_streams(uri)
            self._seen = revision  # last: whoever looks on after us tells it rather twice
        self.subscribers.deliver(deliveries)

    async def _told_streams(self, uri: str) -> None:
        try:
            await self._publish(uri)
        except Exception:  # noqa: BLE001 - a bus of the server's own must not stop the others
            _log.debug("alerts.publish_failed", exc_info=True)

    async def _changed_since(self, revision: int) -> list[str]:
        """Return the URIs to tell of: all that are wanted where the book was replaced, or too much
        happened.
        """
        if revision < self._seen:
            return self.subscribers.all_wanted()
        after = self._seen
        ids = await _in_thread(lambda: self._changes.changed(after, CHANGED_MAX))
        if len(ids) == CHANGED_MAX:
            return self.subscribers.all_wanted()
        uris = [f"{ALERTS_URI}/{alert_id}" for alert_id in ids]
        return self.subscribers.wanted([ALERTS_URI, *uris] if ids else [])

    async def _ready(self) -> None:
        """Before the first subscriber is answered, note where the book stands: what changes after
        the answer is told.
        """
        if len(self.subscribers):
            return
        try:
            found = await _in_thread(self._changes.revision)
        except MonitoringError:
            found = 0
        if not len(self.subscribers):
            self._seen = found

    # -- subscribing

    def listening(self, inner: _Handler) -> _Handler:
        """Return the handler of `subscriptions/listen` with the bounds of ours around it."""

        async def listen(ctx: Any, params: Any) -> Any:
            wanted = params.notifications.resource_subscriptions or ()
            uris = {str(uri) for uri in wanted if is_alert_uri(str(uri))}
            if not uris:
                return await inner(ctx, params)
            await self._ready()
            with _refusing(), self.subscribers.stream([check_uri(uri) for uri in uris]):
                session = _Impatient(ctx.session, self.subscribers.send_seconds_max)
                return await inner(dataclasses.replace(ctx, session=session), params)

        return listen

    def subscribing(self, inner: _Handler | None) -> _Handler:
        """Return the handler of `resources/subscribe`; what is not ours goes to `inner`."""

        async def subscribe(ctx: Any, params: SubscribeRequestParams) -> Any:
            uri = str(params.uri)
            if inner is not None and not is_alert_uri(uri):
                return await inner(ctx, params)
            peer, teardown = adapter.peer_of(ctx), adapter.teardown_of(ctx)
            if teardown is None:
                raise MCPError(INVALID_PARAMS, "a subscription needs a session: initialize first")
            await self._ready()
            with _refusing():
                if self.subscribers.add(id(peer), peer, check_uri(uri)):
                    teardown.callback(self.subscribers.drop, id(peer))
            return EmptyResult()

        return subscribe

    def unsubscribing(self, inner: _Handler | None) -> _Handler:
        """Return the handler of `resources/unsubscribe`."""

        async def unsubscribe(ctx: Any, params: UnsubscribeRequestParams) -> Any:
            uri = str(params.uri)
            if inner is not None and not is_alert_uri(uri):
                return await inner(ctx, params)
            self.subscribers.remove(id(adapter.peer_of(ctx)), uri)
            return EmptyResult()

        return unsubscribe


class _Impatient:
    """The session of a stream: one that takes nothing for too long is ended."""

    def __init__(self, session: Any, seconds_max: float) -> None:
        self._session, self._seconds_max = session, seconds_max

    async def send_notification(self, *arguments: Any, **named: Any) -> None:
        try:
            with anyio.fail_after(self._seconds_max):
                await self._session.send_notification(*arguments, **named)
        except TimeoutError:
            raise MCPError(INTERNAL_ERROR, "the stream is not read: listen again") from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


@contextlib.contextmanager
def _refusing() -> Any:
    try:
        yield
    except MonitoringError as error:
        code = INVALID_PARAMS if error.code == "invalid" else INTERNAL_ERROR
        raise MCPError(code, str(error)) from error


async def _in_thread(work: Callable[[], _T]) -> _T:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


def attach_feed(
    server: MCPServer, changes: Changes, subscribers: AlertSubscribers | None = None
) -> AlertFeed:
    """Let a server's clients subscribe to alerts, in both eras.

    A server made with `subscriptions=False` stays closed to the modern era. Handlers that it has
    for `resources/subscribe` go on serving what is not ours.
    """
    low = adapter.lowlevel_server(server)
    feed = AlertFeed(changes, adapter.publisher_of(server), subscribers)
    listen = low.get_request_handler(_LISTEN)
    if listen is not None:
        low.add_request_handler(_LISTEN, listen.params_type, feed.listening(listen.handler))
    for method, kind, wrapped in (
        (_SUBSCRIBE, SubscribeRequestParams, feed.subscribing),
        (_UNSUBSCRIBE, UnsubscribeRequestParams, feed.unsubscribing),
    ):
        known = low.get_request_handler(method)
        low.add_request_handler(method, kind, wrapped(None if known is None else known.handler))
    low.lifespan = feed.lifespan(low.lifespan)
    return feed
