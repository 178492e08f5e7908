"""Who wants to hear of which alert, in both protocol eras, and how it reaches them.

In the modern era a subscriber is a stream that the SDK's own handler of `subscriptions/listen`
serves from the server's bus; in the handshake era it is a connection that asked by
`resources/subscribe`, and is sent notifications. A notification says only that something changed:
what waits for one subscriber is at most each of its URIs once.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from contextframe_monitoring.core.errors import InvalidError, LimitedError
from contextframe_monitoring.mcp.resources import ALERTS_URI

SUBSCRIBERS_MAX = 1_000
URIS_MAX = 100
"""Resources of one subscriber."""
URI_CHARS_MAX = 120
SEND_SECONDS_MAX = 10.0
"""A subscriber that takes nothing for so long is dropped."""
UPDATED = "notifications/resources/updated"


class Peer(Protocol):
    """A connection that takes notifications."""

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send one; a connection that is gone takes it silently."""
        ...


@dataclasses.dataclass(eq=False, slots=True)
class _Mailbox:
    peer: Peer
    uris: set[str] = dataclasses.field(default_factory=set)
    waiting: dict[str, None] = dataclasses.field(default_factory=dict)
    is_busy: bool = False


class AlertSubscribers:
    """The subscribers of one server."""

    def __init__(
        self, *, subscribers_max: int = SUBSCRIBERS_MAX, send_seconds_max: float = SEND_SECONDS_MAX
    ) -> None:
        """Nobody has subscribed yet."""
        self.subscribers_max, self.send_seconds_max = subscribers_max, send_seconds_max
        self._boxes: dict[int, _Mailbox] = {}
        self._streams = 0
        self._uris: Counter[str] = Counter()
        self._arrived = anyio.Event()

    def __len__(self) -> int:
        return self._streams + len(self._boxes)

    async def arrival(self) -> None:
        """Wait until somebody has subscribed."""
        while not len(self):
            self._arrived = anyio.Event()
            await self._arrived.wait()

    def wanted(self, uris: Iterable[str]) -> list[str]:
        """Return those of the URIs that somebody wants."""
        return [uri for uri in uris if uri in self._uris]

    def all_wanted(self) -> list[str]:
        """Return all URIs that somebody wants."""
        return list(self._uris)

    # -- the modern era

    @contextlib.contextmanager
    def stream(self, uris: Collection[str]) -> Iterator[None]:
        """Count a stream for these URIs as a subscriber. Raises `LimitedError`."""
        self._check_room()
        if len(uris) > URIS_MAX:
            raise _too_many(len(uris))
        self._streams += 1
        self._count(uris, 1)
        self._arrived.set()
        try:
            yield
        finally:
            self._streams -= 1
            self._count(uris, -1)

    # -- the handshake era

    def add(self, key: int, peer: Peer, uri: str) -> bool:
        """Let a connection hear of a URI; return whether it is a new subscriber. Raises
        `LimitedError`.
        """
        box = self._boxes.get(key)
        is_new = box is None
        if box is None:
            self._check_room()
            box = self._boxes[key] = _Mailbox(peer)
        if uri not in box.uris:
            if len(box.uris) >= URIS_MAX:
                raise _too_many(len(box.uris) + 1)
            box.uris.add(uri)
            self._count((uri,), 1)
        self._arrived.set()
        return is_new

    def remove(self, key: int, uri: str) -> None:
        """Let a connection hear of a URI no more."""
        box = self._boxes.get(key)
        if box is not None and uri in box.uris:
            box.uris.discard(uri)
            box.waiting.pop(uri, None)
            self._count((uri,), -1)
            if not box.uris:
                del self._boxes[key]

    def drop(self, key: int) -> None:
        """Forget a connection, which is gone or takes nothing."""
        box = self._boxes.pop(key, None)
        if box is not None:
            self._count(box.uris, -1)
            box.uris.clear()
            box.waiting.clear()

    def put(self, uri: str) -> None:
        """Leave word of a URI for the connections that want it."""
        for box in self._boxes.values():
            if uri in box.uris:
                box.waiting[uri] = None

    def deliver(self, tasks: TaskGroup) -> None:
        """Send what waits, each connection for itself: a slow one holds up nobody."""
        for key, box in self._boxes.items():
            if box.waiting and not box.is_busy:
                box.is_busy = True
                tasks.start_soon(self._send, key, box)

    async def _send(self, key: int, box: _Mailbox) -> None:
        try:
            while box.waiting:
                await self._send_one(box, next(iter(box.waiting)))
        except Exception:  # noqa: BLE001 - whatever is wrong with one must not reach the others
            self.drop(key)
        finally:
            box.is_busy = False

    async def _send_one(self, box: _Mailbox, uri: str) -> None:
        del box.waiting[uri]
        try:
            with anyio.fail_after(self.send_seconds_max):
                await box.peer.notify(UPDATED, {"uri": uri})
        except anyio.get_cancelled_exc_class():
            box.waiting[uri] = None  # whoever delivers after us sends it
            raise

    def _check_room(self) -> None:
        if len(self) >= self.subscribers_max:
            hint = "ask again when another has left, or pull with get_alerts since="
            raise LimitedError("alert subscribers", len(self) + 1, self.subscribers_max, hint)

    def _count(self, uris: Iterable[str], by: int) -> None:
        for uri in uris:
            self._uris[uri] += by
            if not self._uris[uri]:
                del self._uris[uri]


def check_uri(uri: str) -> str:
    """Return a URI that can be subscribed. Raises `InvalidError`."""
    if not is_alert_uri(uri) or len(uri) > URI_CHARS_MAX:
        allowed = f"only {ALERTS_URI} and {ALERTS_URI}/ALERT_ID can be subscribed"
        raise InvalidError("uri", uri, allowed)
    return uri


def is_alert_uri(uri: str) -> bool:
    """Return whether a URI names the alerts or one of them."""
    return uri == ALERTS_URI or uri.startswith(f"{ALERTS_URI}/")


def _too_many(number: int) -> LimitedError:
    hint = f"subscribe to {ALERTS_URI}: it hears of all"
    return LimitedError("alert resources of one subscriber", number, URIS_MAX, hint)
