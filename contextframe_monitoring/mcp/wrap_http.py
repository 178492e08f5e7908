"""`contextframe-monitoring wrap --http`: a reverse proxy before any streamable HTTP MCP server."""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import SplitResult, urlsplit

from contextframe_monitoring.core.address import loopback_address
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError, UnavailableError
from contextframe_monitoring.mcp.http_conversation import Upstream
from contextframe_monitoring.mcp.http_relay import HttpRelay
from contextframe_monitoring.mcp.http_sessions import Sessions
from contextframe_monitoring.mcp.recording import Recording

_PORTS = {"http": 80, "https": 443}
_EXPECTED = "expected the server's URL, for example http://127.0.0.1:3000/mcp"


def upstream_of(url: str) -> Upstream:
    """Return the server that a URL names. Raises `InvalidError`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidError("--http", _shown(url), _EXPECTED) from None
    host = parts.hostname
    if parts.scheme not in _PORTS or not host or port == 0 or not url.isascii():
        raise InvalidError("--http", _shown(url), _EXPECTED)
    if parts.username is not None or parts.query or parts.fragment:
        allowed = "expected a URL without user, query and fragment: the client sends its own"
        raise InvalidError("--http", _shown(url), allowed)
    return Upstream(
        scheme=parts.scheme,
        host=host,
        port=port or _PORTS[parts.scheme],
        authority=parts.netloc,
        path=parts.path or "/",
    )


def _shown(url: str) -> str:
    """Return a URL without what may be a credential."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0].rpartition("@")[2]
    bare = SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")
    return bare.geturl()


def run_http(config: MonitoringConfig, *, url: str, listen: str, name: str | None) -> int:
    """Relay until SIGINT or SIGTERM; return 0.

    Raises `InvalidError` for a URL or address that can't be used, `UnavailableError` when the
    address is taken.
    """
    upstream = upstream_of(url)
    host, port = loopback_address(listen, "--listen")
    if (upstream.host, upstream.port) == (host, port):
        raise InvalidError("--listen", listen, "expected an address other than the server's")
    recording = Recording(config, name=name, known_as=upstream.authority)

    def listening() -> None:
        here = f"http://{listen}{upstream.path}"
        sys.stderr.write(f"contextframe-monitoring wrap: {here} -> {_shown(url)}\n")
        sys.stderr.flush()

    try:
        asyncio.run(HttpRelay(upstream, Sessions(recording)).run(host, port, listening))
    except OSError as error:
        reason = f"{listen} can't be used ({error.strerror or error})"
        raise UnavailableError(f"{reason}: is another server listening there?") from None
    finally:
        recording.close()
    return 0
