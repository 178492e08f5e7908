"""Loopback only: the address that is listened on, and who may call it.

A web page that a browser shows can send requests to this machine, under any name that its owner
lets point here (DNS rebinding). So a request must name a loopback host, and come from a page of one
if it comes from a page at all.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from contextframe_monitoring.core.errors import InvalidError


def loopback_address(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`. Raises `InvalidError`."""
    host, separator, text = address.rpartition(":")
    host = host.strip("[]")
    if not separator or not host or not text.isdigit() or not 0 < int(text) < 65_536:
        raise InvalidError("--http", address, "expected HOST:PORT, for example 127.0.0.1:8765")
    if not is_loopback(host):
        allowed = "expected a loopback address (127.0.0.1, ::1, localhost): others need keys"
        raise InvalidError("--http", address, allowed)
    return host, int(text)


def is_loopback(host: str | None) -> bool:
    """Return whether a host name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class LoopbackOnly:
    """Answers 421 to a foreign `Host` and 403 to a foreign `Origin`, before anything else runs."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` gets what passes."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        app = self._app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if not is_loopback(_host(f"//{headers.get('host', '')}")):
                text = "the Host header names another machine: only this one is served"
                app = PlainTextResponse(text, 421)
            elif origin is not None and not is_loopback(_host(origin)):
                app = PlainTextResponse("pages of other sites are not served", 403)
        await app(scope, receive, send)


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
