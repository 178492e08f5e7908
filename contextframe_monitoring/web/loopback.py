"""Loopback only: who may call what is served here.

A web page that a browser shows can send requests to this machine, under any name that its owner
lets point here (DNS rebinding). So a request must name a loopback host, and come from a page of one
if it comes from a page at all.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from contextframe_monitoring.core.address import is_loopback


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
