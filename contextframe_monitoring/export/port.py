"""A loopback port with `/metrics` and nothing else: so stdio servers and `wrap` are scraped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from contextframe_monitoring.core.errors import MonitoringError, UnavailableError

HOST = "127.0.0.1"
PATH = "/metrics"

Exposition = Callable[[str], tuple[str, bytes]]
"""Returns content type and body for an Accept header."""


class MetricsPort:
    """Serves one exposition until it is closed."""

    def __init__(self, exposition: Exposition, port: int) -> None:
        """Listen on `127.0.0.1:port`. Raises `UnavailableError` when the port is taken."""
        try:
            self._server = ThreadingHTTPServer((HOST, port), _handler(exposition))
        except OSError as error:
            message = (
                f"prometheus_port {port} can't be used ({error.strerror}): is another exporter "
                "listening there? choose another port"
            )
            raise UnavailableError(message) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics port", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class PortDuty:
    """The port as a duty of the keeper: one that is taken is tried again."""

    def __init__(self, exposition: Exposition, port: int) -> None:
        """Nothing is opened yet."""
        self._exposition, self._number = exposition, port
        self._port: MetricsPort | None = None

    def tick(self, now_us: int) -> str | None:
        """Listen, from the first tick on. Raises `UnavailableError` while the port is taken."""
        del now_us
        if self._port is None:
            self._port = MetricsPort(self._exposition, self._number)
        return None

    def close(self) -> None:
        """Stop listening."""
        if self._port is not None:
            self._port.close()


def _handler(exposition: Exposition) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0] != PATH:
                self._answer(404, "text/plain; charset=utf-8", f"only {PATH} is here\n".encode())
                return
            try:
                kind, body = exposition(self.headers.get("Accept", ""))
            except MonitoringError as error:
                self._answer(503, "text/plain; charset=utf-8", f"{error}\n".encode())
                return
            self._answer(200, kind, body)

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Say nothing: stderr belongs to the program that keeps the store."""

    return Handler
