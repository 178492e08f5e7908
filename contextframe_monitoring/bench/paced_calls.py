"""The slowest calls of a server under steady load, monitored and not, with a keeper beside it.

1,000 calls a second, in turn to a plain server and to a monitored one, both in memory. What counts
is the ratio of the 99th percentiles, taken second by second: a machine that is slow for a while is
slow for both.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio
from mcp import Client

from contextframe_monitoring.bench import in_memory
from contextframe_monitoring.bench.toys import ARGUMENTS, TOOL, high

RATE = 1_000
_P99_RATIO_MAX = 1.02
_WARM_UP_CALLS = 200
_PREPARED: dict[str, in_memory.Prepare] = {
    "plain": in_memory.plain,
    "monitored": in_memory.monitored,
}


def run(seconds: int) -> dict[str, Any]:
    """Measure so many seconds of calls; times in us."""
    with tempfile.TemporaryDirectory(prefix="contextframe-bench-") as folder:
        store = Path(folder) / "monitored"
        command = [sys.executable, "-m", "contextframe_monitoring", "keep", "--store", str(store)]
        keeper = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            took = anyio.run(_took_ns, Path(folder), seconds)
        finally:
            keeper.terminate()
            keeper.wait()
    p99s = {name: [_p99(second) for second in found] for name, found in took.items()}
    ratios = [a / b for a, b in zip(p99s["monitored"], p99s["plain"], strict=True)]
    return {
        "seconds": seconds,
        "rate": RATE,
        "p99_us": {name: round(statistics.median(found), 1) for name, found in p99s.items()},
        "p99_ratio": round(statistics.median(ratios), 3),
        "p99_ratio_quartiles": [round(value, 3) for value in _quartiles(ratios)],
        "target": _P99_RATIO_MAX,
    }


async def _took_ns(folder: Path, seconds: int) -> dict[str, list[list[int]]]:
    took: dict[str, list[list[int]]] = {name: [] for name in _PREPARED}
    async with contextlib.AsyncExitStack() as stack:
        clients: dict[str, Client] = {}
        for name, prepare in _PREPARED.items():
            server = high()
            monitor = prepare(server, folder / name)
            if monitor is not None:
                stack.callback(monitor.close)
            clients[name] = await stack.enter_async_context(Client(server))
            for _ in range(_WARM_UP_CALLS):
                await clients[name].call_tool(TOOL, ARGUMENTS)
        begun, number = time.perf_counter(), 0
        for _ in range(seconds):
            for found in took.values():
                found.append([])
            for place in range(RATE):
                number += 1
                wait = begun + number / RATE - time.perf_counter()
                if wait > 0:
                    await anyio.sleep(wait)
                name = ("plain", "monitored")[place % 2]
                started = time.perf_counter_ns()
                await clients[name].call_tool(TOOL, ARGUMENTS)
                took[name][-1].append(time.perf_counter_ns() - started)
    return took


def _p99(times_ns: list[int]) -> float:
    return sorted(times_ns)[len(times_ns) * 99 // 100] / 1000


def _quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def render(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    p99, (low, high) = result["p99_us"], result["p99_ratio_quartiles"]
    return (
        f"calls: {result['rate']:,} a second for {result['seconds']} s, a keeper beside: p99 plain "
        f"{p99['plain']} us, monitored {p99['monitored']} us, ratio {result['p99_ratio']} "
        f"[{low}..{high}] (target: <= {_P99_RATIO_MAX})"
    )
