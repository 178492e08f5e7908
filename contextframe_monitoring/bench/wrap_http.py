"""What `wrap --http` adds to a call on a connection that stays open, against calling directly."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from contextframe_monitoring.core.config import ENVIRONMENT_PREFIX
from contextframe_monitoring.core.errors import UnavailableError

TARGET_US = 400
LANES = ("direct", "relay", "wrap")
_CHILD = Path(__file__).parent / "http_child.py"
_WARM_UP_CALLS = 50
_START_SECONDS_MAX = 30
_BODY = (
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1}}}'
)
_REQUEST = (
    b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json, text/event-stream\r\n"
    b"content-type: application/json\r\nmcp-protocol-version: 2026-07-28\r\n"
    b"mcp-method: tools/call\r\nmcp-name: add\r\ncontent-length: %d\r\n\r\n" % len(_BODY)
) + _BODY


def measure(calls: int, store: str) -> dict[str, list[int]]:
    """Return how long each of `calls` interleaved calls took in each lane, in nanoseconds."""
    dice = random.Random(calls)  # noqa: S311 - an order, not a secret
    took: dict[str, list[int]] = {lane: [] for lane in LANES}
    with contextlib.ExitStack() as stack:
        direct = stack.enter_context(_server())
        ports = {"direct": direct}
        for lane in ("relay", "wrap"):
            ports[lane] = stack.enter_context(_relay(direct, store, recording=lane == "wrap"))
        sockets = {lane: stack.enter_context(_connected(port)) for lane, port in ports.items()}
        for number in range(_WARM_UP_CALLS + calls):
            for lane in dice.sample(LANES, len(LANES)):
                nanoseconds = _call(sockets[lane])
                if number >= _WARM_UP_CALLS:
                    took[lane].append(nanoseconds)
    return took


def _call(connection: socket.socket) -> int:
    started = time.perf_counter_ns()
    connection.sendall(_REQUEST)
    answer = b""
    while not answer.endswith(b"}"):
        part = connection.recv(1 << 16)
        if not part:
            raise UnavailableError("a server of the benchmark ended in the middle of a call")
        answer += part
    return time.perf_counter_ns() - started


@contextlib.contextmanager
def _server() -> Iterator[int]:
    with _process([sys.executable, str(_CHILD)], {}) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextlib.contextmanager
def _relay(upstream: int, store: str, *, recording: bool) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    wrap = [sys.executable, "-m", "contextframe_monitoring", "wrap", "--store", store]
    where = ["--http", f"http://127.0.0.1:{upstream}/mcp", "--listen", f"127.0.0.1:{port}"]
    environment = {
        ENVIRONMENT_PREFIX + "ENABLED": "true" if recording else "false",
        ENVIRONMENT_PREFIX + "START_KEEPER": "false",
    }
    with _process([*wrap, *where], environment):
        yield port


@contextlib.contextmanager
def _process(command: list[str], more: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **more},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    end = time.monotonic() + _START_SECONDS_MAX
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > end:
                raise UnavailableError(f"nothing listens on port {port}") from None
            time.sleep(0.02)
        else:
            break
    with connection:
        yield connection
