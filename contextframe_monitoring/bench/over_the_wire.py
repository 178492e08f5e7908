"""Calls over stdio and streamable HTTP: a plain server and a monitored one, side by side.

The client is as thin as it can be, and shares a core with both servers: the difference of a pair
is work, not the scheduler's choice of a core.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from contextframe_monitoring.bench.pairs import process_mb
from contextframe_monitoring.bench.toys import ARGUMENTS, TOOL
from contextframe_monitoring.core.errors import ConflictError, UnavailableError
from contextframe_monitoring.store.machine import spool_folder
from contextframe_monitoring.store.spool.reader import read_spool

_MODERN, _HANDSHAKE = "2026-07-28", "2025-11-25"
_CLIENT = {"name": "bench", "version": "1"}
_META = {
    "io.modelcontextprotocol/protocolVersion": _MODERN,
    "io.modelcontextprotocol/clientInfo": _CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_OPENING: list[dict[str, Any]] = [
    {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {"protocolVersion": _HANDSHAKE, "capabilities": {}, "clientInfo": _CLIENT},
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
]
_WARM_UP_CALLS = 20


class _Wire(Protocol):
    pid: int

    def call(self, message: dict[str, Any]) -> None: ...
    def close(self) -> None: ...


class _Stdio:
    """A child on pipes."""

    def __init__(self, command: list[str], _era: str) -> None:
        self._process = _child(command)
        self.pid = self._process.pid

    def call(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        if "id" in message and not self._process.stdout.readline():
            raise UnavailableError("a child of the benchmark ended in the middle of a call")

    def close(self) -> None:
        _close(self._process)
        self._process.wait()


class _Http:
    """A child on a loopback port, and a connection that stays open."""

    def __init__(self, command: list[str], era: str) -> None:
        self._process = _child(command)
        self.pid = self._process.pid
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline() or 0)
        if not port:
            raise UnavailableError("a child of the benchmark did not start")
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": era,
        }

    def call(self, message: dict[str, Any]) -> None:
        routing = {"Mcp-Method": message["method"], "Mcp-Name": TOOL}
        headers = {**self._headers, **(routing if "id" in message else {})}
        self._connection.request("POST", "/mcp", json.dumps(message), headers)
        answer = self._connection.getresponse()
        answer.read()
        session = answer.headers.get("Mcp-Session-Id")
        if session:
            self._headers["Mcp-Session-Id"] = session
        if answer.status >= 300:
            raise UnavailableError(f"a child of the benchmark answered {answer.status}")

    def close(self) -> None:
        self._connection.close()
        self._process.terminate()
        _close(self._process)
        self._process.wait()


_WIRES: dict[str, type[_Stdio | _Http]] = {"stdio": _Stdio, "http": _Http}


def took_ns(
    transport: str, era: str, calls: int, store: Path
) -> tuple[dict[str, list[int]], dict[str, float | None]]:
    """Return how long each call took, and what the servers hold in memory in MB at the end.

    Raises `ConflictError` when the monitored server did not record exactly the messages sent.
    """
    took: dict[str, list[int]] = {"base": [], "monitored": []}
    dice, clock, opening = random.Random(calls), time.perf_counter_ns, _opening(era)  # noqa: S311
    with ExitStack() as stack:
        wires: Mapping[str, _Wire] = {
            "base": _WIRES[transport](_command(transport), era),
            "monitored": _WIRES[transport](_command(transport, store), era),
        }
        for wire in wires.values():
            stack.callback(wire.close)
            for message in opening:
                wire.call(message)
        for number in range(-_WARM_UP_CALLS, calls):
            message = _message(era, number + _WARM_UP_CALLS + 1)
            for name in dice.sample(("base", "monitored"), 2):
                started = clock()
                wires[name].call(message)
                if number >= 0:
                    took[name].append(clock() - started)
        memory = {name: process_mb(w.pid, "status", "VmRSS:") for name, w in wires.items()}
    _check(store, calls + _WARM_UP_CALLS + len(opening))
    return took, memory


def _opening(era: str) -> list[dict[str, Any]]:
    return _OPENING if era == _HANDSHAKE else []


def _message(era: str, number: int) -> dict[str, Any]:
    params: dict[str, Any] = {"name": TOOL, "arguments": ARGUMENTS}
    if era == _MODERN:
        params["_meta"] = _META
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def _command(transport: str, store: Path | None = None) -> list[str]:
    command = [sys.executable, "-m", "contextframe_monitoring.bench.child_server", transport]
    return command if store is None else [*command, str(store)]


def _child(command: list[str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _check(store: Path, expected: int) -> None:
    recorded = sum(
        1
        for writer in read_spool(spool_folder(str(store), None))
        for segment in writer.segments
        for _ in segment.frames()
    )
    if recorded != expected:
        raise ConflictError(f"{expected} messages sent, {recorded} recorded")
