"""Calls in memory, one lane beside another: the shortest way through an MCP server."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from mcp import Client

from contextframe_monitoring.bench.toys import ARGUMENTS, SERVERS, TOOL
from contextframe_monitoring.core.errors import ConflictError
from contextframe_monitoring.mcp.adapter import opentelemetry_index
from contextframe_monitoring.mcp.instrument import instrument
from contextframe_monitoring.monitor import Monitor

ERAS = {"2026-07-28": "auto", "2025-11-25": "legacy"}
_FRESH_STARTS_MAX, _CALLS_A_START_MIN = 5, 50
"""New servers, clients and spools so often: where objects come to lie in memory moves a lane by
1 to 2 us.
"""
_WARM_UP_CALLS_MAX = 60

Prepare = Callable[[Any, Path], Monitor | None]
"""Changes a new server into that of a lane; returns the monitor that records its calls."""


def plain(_server: Any, _store: Path) -> None:
    """Leave the server as the SDK makes it."""


def without_tracing(server: Any, _store: Path) -> None:
    """Take the SDK's OpenTelemetry middleware out."""
    index = opentelemetry_index(server.middleware)
    if index is not None:
        del server.middleware[index]


def monitored(server: Any, store: Path) -> Monitor:
    """Instrument it as anybody would."""
    monitor = Monitor.open(store=str(store), start_keeper=False)
    instrument(server, monitor)
    return monitor


def monitored_beside_tracing(server: Any, store: Path) -> Monitor:
    """Instrument it, with the SDK's OpenTelemetry middleware kept."""
    monitor = Monitor.open(store=str(store), start_keeper=False)
    instrument(server, monitor, keep_opentelemetry=True)
    return monitor


async def took_ns(
    server: str, era: str, lanes: Mapping[str, Prepare], calls: int, folder: Path
) -> dict[str, list[int]]:
    """Return how long each call took, lane by lane; the calls of a round stand at one index.

    Every round makes one call of each lane, in random order. Raises `ConflictError` when a monitor
    did not record exactly the calls that were made.
    """
    took: dict[str, list[int]] = {name: [] for name in lanes}
    starts = max(1, min(_FRESH_STARTS_MAX, calls // _CALLS_A_START_MIN))
    for start in range(starts):
        share = calls // starts + (start < calls % starts)
        recorded = await _one_start(server, era, lanes, share, folder / str(start), took)
        for name, (count, losses) in recorded.items():
            if count != share or losses:
                raise ConflictError(f"{name}: {share} calls, {count} recorded, lost {losses}")
    return took


async def _one_start(
    server: str,
    era: str,
    lanes: Mapping[str, Prepare],
    calls: int,
    folder: Path,
    took: dict[str, list[int]],
) -> dict[str, tuple[int, dict[str, int]]]:
    """Return how many records each monitor took and lost."""
    dice = random.Random(calls)  # noqa: S311 - an order, not a secret
    clock = time.perf_counter_ns
    async with AsyncExitStack() as stack:
        clients: dict[str, Client] = {}
        monitors: dict[str, Monitor] = {}
        for name, prepare in lanes.items():
            made = SERVERS[server]()
            monitor = prepare(made, folder / name)
            if monitor is not None:
                monitors[name] = monitor
                stack.callback(monitor.close)
            client = Client(made, mode=ERAS[era])
            clients[name] = await stack.enter_async_context(client)
            for _ in range(min(calls, _WARM_UP_CALLS_MAX)):
                await client.call_tool(TOOL, ARGUMENTS)
        before = {name: monitor.recorder.recorded for name, monitor in monitors.items()}
        gc.collect()
        names = list(lanes)
        for _ in range(calls):
            dice.shuffle(names)
            for name in names:
                client, started = clients[name], clock()
                await client.call_tool(TOOL, ARGUMENTS)
                took[name].append(clock() - started)
        return {
            name: (monitor.recorder.recorded - before[name], monitor.recorder.losses)
            for name, monitor in monitors.items()
        }
