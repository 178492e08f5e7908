"""A reverse proxy for one MCP server over streamable HTTP: a socket to it for each of a client's.

Chunks go on as they come, in both directions, as fast as the slower side takes them. When either
socket closes, the other one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Callable

from contextframe_monitoring.mcp.ending import (
    CANCELLED,
    RELAY_STOPPED,
    SERVER_DISCONNECTED,
    UNREACHABLE,
    Ending,
)
from contextframe_monitoring.mcp.http_conversation import Conversation, Upstream
from contextframe_monitoring.mcp.http_exchange import Client
from contextframe_monitoring.mcp.http_head import HttpError
from contextframe_monitoring.mcp.http_sessions import Sessions

LINKS_MAX = 1024
"""Sockets of clients at a time; one more is closed at once."""
CONNECT_SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 3.0
"""After a signal: how long calls under way may go on."""


class HttpRelay:
    """Relays every request that comes in to one server."""

    def __init__(self, upstream: Upstream, sessions: Sessions) -> None:
        """Record into `sessions`."""
        self.upstream, self.sessions = upstream, sessions
        self.tls = ssl.create_default_context() if upstream.scheme == "https" else None
        self.links: set[Link] = set()
        self._none_left = asyncio.Event()

    async def run(self, host: str, port: int, listening: Callable[[], None]) -> None:
        """Listen until a signal asks to end. Raises OSError when it can't listen."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for name in ("SIGINT", "SIGTERM"):
            signal.signal(getattr(signal, name), lambda *_: loop.call_soon_threadsafe(stop.set))
        server = await loop.create_server(lambda: Link(self), host, port)
        listening()
        await stop.wait()
        server.close()
        await self._stop()

    def opened(self, link: Link) -> bool:
        """Count a link in; False when there are too many."""
        if len(self.links) >= LINKS_MAX:
            return False
        self.links.add(link)
        return True

    def closed(self, link: Link) -> None:
        """Count a link out."""
        self.links.discard(link)
        if not self.links:
            self._none_left.set()

    async def _stop(self) -> None:
        for link in list(self.links):
            link.finish()
        if self.links:
            self._none_left.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS_MAX):
                    await self._none_left.wait()
        for link in list(self.links):
            link.abort()
        self.sessions.close()


class Link(asyncio.Protocol):
    """A client's socket, and the server's that belongs to it."""

    def __init__(self, relay: HttpRelay) -> None:
        """Wait for the client."""
        self._relay = relay
        self._conversation = Conversation(Client(relay.sessions), relay.upstream)
        self._client: asyncio.Transport
        self._server: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._early: list[bytes] = []
        self._reason = ""
        self._refusing = self._finishing = self._over = False

    # -- the client's socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hear from the loop that the client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._client = transport
        if not self._relay.opened(self):
            self._over = True
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hear from the loop what the client sent."""
        if self._server is not None or self._refusing:
            self._forward(data)
            return
        self._early.append(data)
        if self._connecting is None:
            self._client.pause_reading()
            self._connecting = asyncio.create_task(self._connect())

    def pause_writing(self) -> None:
        """Hear that the client takes nothing more for now."""
        if self._server is not None:
            self._server.pause_reading()

    def resume_writing(self) -> None:
        """Hear that it takes more again."""
        if self._server is not None:
            self._server.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's way
        """Hear that the client is gone: the server learns it at once."""
        self._close(CANCELLED)

    # -- the server's socket

    async def _connect(self) -> None:
        upstream, loop = self._relay.upstream, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await loop.create_connection(
                    lambda: _ServerSide(self), upstream.host, upstream.port, ssl=self._relay.tls
                )
        except (OSError, TimeoutError) as error:
            self._refusing, self._reason = True, _reason(error)
        early, self._early = self._early, []
        for data in early:
            self._forward(data)
        if not self._over:
            self._client.resume_reading()

    def server_is(self, transport: asyncio.Transport) -> None:
        """Take the socket to the server."""
        self._server = transport
        if self._over:
            transport.abort()

    def server_sent(self, data: bytes) -> None:
        """Pass on what the server sent, after a look."""
        self._conversation.from_server(data)
        self._client.write(data)
        if self._finishing:
            self.finish()

    def server_takes(self, more: bool) -> None:
        """Read from the client only as fast as the server takes."""
        if self._over:
            return
        if more:
            self._client.resume_reading()
        else:
            self._client.pause_reading()

    def server_gone(self) -> None:
        """Let the client's socket end as the server's did, after everything that came."""
        self._conversation.server_closed(SERVER_DISCONNECTED)
        self._client.close()

    # -- both

    def finish(self) -> None:
        """End as soon as no call is under way; streams without one are cut."""
        self._finishing = True
        if not self._conversation.waits_for("POST"):
            self._close(RELAY_STOPPED)

    def abort(self) -> None:
        """End at once."""
        self._close(RELAY_STOPPED)

    def _forward(self, data: bytes) -> None:
        if self._over:
            return
        try:
            out = self._conversation.from_client(data)
        except HttpError as error:
            self._answer(self._conversation.refused(error))
            return
        if self._server is not None:
            self._server.write(out)
            return
        answer = self._conversation.unreachable(UNREACHABLE, self._reason)
        if answer is not None:
            self._answer(answer)

    def _answer(self, answer: bytes) -> None:
        self._client.write(answer)
        self._close(CANCELLED)

    def _close(self, ending: Ending) -> None:
        if self._over:
            return
        self._over = True
        self._conversation.client_closed(ending)
        if self._server is not None:
            self._server.abort()
        self._client.close()
        self._relay.closed(self)


def _reason(error: OSError) -> str:
    """Return why a server can't be reached, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "it speaks no TLS that we understand"
    if isinstance(error, TimeoutError):
        return f"no connection within {CONNECT_SECONDS_MAX:g} s"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return os.strerror(error.errno) if error.errno else "no connection"


class _ServerSide(asyncio.Protocol):
    """Hands what happens on the server's socket to the link."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._link.server_is(transport)

    def data_received(self, data: bytes) -> None:
        self._link.server_sent(data)

    def pause_writing(self) -> None:
        self._link.server_takes(more=False)

    def resume_writing(self) -> None:
        self._link.server_takes(more=True)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's way
        self._link.server_gone()
