"""What the tests of the HTTP relay share: servers, one that says what it is told, the relay."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contextframe_monitoring.core.records import OperationRecord
from tests.mcp.relay_support import ENVIRONMENT, SERVERS, recorded
from tests.processes import DEADLINE_SECONDS, free_port, listens, started, until

Speaker = Callable[[socket.socket], None]
JSON = b"Content-Type: application/json"


@contextmanager
def running(command: list[str], port: int, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block, with more in its environment."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**ENVIRONMENT, **more},
    )
    try:
        until(lambda: listens(port))
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def busy(*kinds: str) -> Iterator[str]:
    """Run the busy server over HTTP and return its URL."""
    port = free_port()
    with running([sys.executable, str(SERVERS / "busy_server.py"), str(port), *kinds], port):
        yield f"http://127.0.0.1:{port}/mcp"


class Scripted:
    """A server of one thread that reads what comes on each socket, and does what it is told."""

    def __init__(self, speak: Speaker) -> None:
        """`speak` gets each socket that connects, one after the other."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._speak = speak
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(ConnectionError):
                self._speak(connection)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def scripted(speak: Speaker) -> Iterator[Scripted]:
    server = Scripted(speak)
    try:
        yield server
    finally:
        server.close()


class Relayed:
    """A relay that runs, and its store."""

    def __init__(self, store: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.store, self.port, self.process = store, port, process
        self.url = f"http://127.0.0.1:{port}/mcp"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS)

    def records(self) -> list[OperationRecord]:
        return recorded(self.store)

    def records_when(self, count: int) -> list[OperationRecord]:
        """Return the records when there are so many."""
        until(lambda: len(self.records()) >= count)
        return self.records()


@contextmanager
def relayed(store: Path, url: str, *options: str) -> Iterator[Relayed]:
    """Run `wrap --http` before a URL."""
    port = free_port()
    arguments = ["wrap", "--http", url, "--listen", f"127.0.0.1:{port}", "--store", str(store)]
    with started(*arguments, *options) as process:
        until(lambda: listens(port) or process.poll() is not None)
        yield Relayed(store, port, process)


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """Read until what came ends like this, or nothing more comes."""
    connection.settimeout(DEADLINE_SECONDS)
    got, deadline = b"", time.monotonic() + DEADLINE_SECONDS
    while not got.endswith(end):
        assert time.monotonic() < deadline, got
        part = connection.recv(1 << 16)
        if not part:
            break
        got += part
    return got


def post(body: bytes, *headers: bytes, path: bytes = b"/mcp") -> bytes:
    """Return a request in bytes."""
    lines = [
        b"POST " + path + b" HTTP/1.1",
        b"Host: localhost:9",
        b"Content-Type: application/json",
        b"Accept: application/json, text/event-stream",
        *headers,
        b"Content-Length: %d" % len(body),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """Return an answer in bytes."""
    lines = [b"HTTP/1.1 " + status, *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def call(number: int | str, name: str = "add", method: str = "tools/call") -> bytes:
    params = {"name": name, "arguments": {"text": "some words to count"}}
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode()


def result(number: int | str, **members: object) -> bytes:
    members = members or {"content": [{"type": "text", "text": "three words more"}]}
    return json.dumps({"jsonrpc": "2.0", "id": number, "result": members}).encode()
