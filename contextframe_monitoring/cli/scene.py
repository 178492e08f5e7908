"""What the demo plays: a real client, a real server under `wrap`, a SIGKILL between two acts."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TextIO

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import Implementation

from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.store.machine import kill_at_once, spool_folder
from contextframe_monitoring.store.spool.reader import is_alive, read_spool

SERVER = "mcp_server_time"
CALLS = 30
_ZONES = ("Europe/Berlin", "Asia/Tokyo", "America/New_York", "No/Such_Zone")
_SECONDS_MAX = 30

Advance = Callable[[str], None]


def play(store: str, advance: Advance) -> int:
    """Return how many answers the client got from the tool, before and after the kill."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # the server's own log
        first = anyio.run(_first_act, store, advance, nowhere)
        return first + anyio.run(_second_act, store, advance, nowhere)


@asynccontextmanager
async def _client(store: str, log: TextIO) -> AsyncIterator[Client]:
    wrap = ["-m", "contextframe_monitoring", "wrap", "--name", "time", "--store", store, "--"]
    server = StdioServerParameters(
        command=sys.executable, args=[*wrap, sys.executable, "-m", SERVER], env=dict(os.environ)
    )
    me = Implementation(name="demo-agent", version="1")
    async with Client(stdio_client(server, errlog=log), client_info=me) as client:
        yield client


async def _ask(client: Client, advance: Advance, what: str) -> int:
    for number in range(CALLS):
        zone = _ZONES[number % len(_ZONES)]
        await client.call_tool("get_current_time", {"timezone": zone})
        advance(what)
    return CALLS


async def _first_act(store: str, advance: Advance, log: TextIO) -> int:
    """Use the server, then kill its monitor with SIGKILL while the client is connected."""
    answered = 0
    try:
        async with _client(store, log) as client:
            answered = await _ask(client, advance, "mcp-server-time under wrap")
            kill_at_once(_living_writer(store))
            with anyio.fail_after(_SECONDS_MAX):
                await client.call_tool("get_current_time", {"timezone": "UTC"})
    except (MCPError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        return answered  # the connection died with the process: that was the point
    except ExceptionGroup:
        return answered
    return answered


async def _second_act(store: str, advance: Advance, log: TextIO) -> int:
    async with _client(store, log) as client:
        return await _ask(client, advance, "killed with SIGKILL, and started again")


def _living_writer(store: str) -> int:
    for writer in read_spool(spool_folder(store, None)):
        if writer.header is not None and is_alive(writer.folder):
            return writer.header.pid
    raise UnavailableError("the wrapped server has no spool: nothing was recorded")
