"""The servers that `make servers` installs: where they are, and a client that speaks bare JSON."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.mcp.relay_support import ENVIRONMENT, REPOSITORY

SERVERS = REPOSITORY / ".servers"
_BIN = "Scripts" if os.name == "nt" else "bin"


def installed(*parts: str) -> str:
    """Return the path of something that `make servers` installs; skip (in CI: fail) without it."""
    path = SERVERS.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{Path(*parts)} is not installed: run `make servers`")
    return str(path)


def node_server(name: str, *arguments: str) -> list[str]:
    """Return the command of an MCP server in Node."""
    package = ("node", "node_modules", "@modelcontextprotocol", name, "dist", "index.js")
    return [installed("node", "bin", "node"), installed(*package), *arguments]


def program(environment: str, name: str) -> str:
    """Return a program of one of the environments."""
    return installed(environment, _BIN, name)


def handshake() -> list[dict[str, Any]]:
    """Return how a client of the handshake era begins."""
    info = {"name": "raw", "version": "1"}
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {"sampling": {}},
        "clientInfo": info,
    }
    return [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ]


def requests(calls: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return requests with ids of their own."""
    return [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(calls, 1)
    ]


class Told(NamedTuple):
    """What a server said in a conversation."""

    answers: list[bytes]
    asked: list[bytes]
    """Its own requests."""
    notices: Counter[bytes]


def converse(command: list[str], messages: list[dict[str, Any]], answer: Any = None) -> Told:
    """Send each message, wait for its answer, and answer whatever the server asks meanwhile."""
    told = Told([], [], Counter())
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for message in messages:
            server.stdin.write(json.dumps(message).encode() + b"\n")
            server.stdin.flush()
            while "id" in message:
                line = server.stdout.readline()
                assert line, f"the server ended before its answer to {message}"
                said = json.loads(line)
                if "method" not in said:
                    told.answers.append(line)
                    assert said["id"] == message["id"]
                    break
                if "id" not in said:
                    told.notices[line] += 1
                    continue
                told.asked.append(line)
                reply = {"jsonrpc": "2.0", "id": said["id"], "result": answer}
                server.stdin.write(json.dumps(reply).encode() + b"\n")
                server.stdin.flush()
        server.stdin.close()
        server.stdout.read()
    return told


def status_of(answer: bytes) -> str:
    """Return how an answer says that its call ended."""
    message = json.loads(answer)
    failed = "error" in message or message["result"].get("isError", False)
    return "error" if failed else "success"
