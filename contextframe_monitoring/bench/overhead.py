"""`bench overhead`: what `instrument` adds to a call, beside what the SDK's tracing costs.

In memory every round makes one call of each lane, in random order:

- `base`: the server as the SDK makes it, with its OpenTelemetry middleware and no provider;
- `default`: monitored, that middleware stood in for;
- `kept`: monitored, that middleware kept;
- `bare`: not monitored, that middleware taken out: what it costs with no provider.

Over stdio and streamable HTTP a plain server and a monitored one are called in turn. What counts
is the difference within a round. Every monitor must have recorded exactly what was called.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio

from contextframe_monitoring.bench import in_memory, over_the_wire
from contextframe_monitoring.bench.pairs import cores, differences, spread
from contextframe_monitoring.bench.toys import SERVERS

_LANES: dict[str, in_memory.Prepare] = {
    "base": in_memory.plain,
    "default": in_memory.monitored,
    "kept": in_memory.monitored_beside_tracing,
    "bare": in_memory.without_tracing,
}
_KEPT_US_MAX, _RATIO_MAX, _WIRE_US_MAX, _GROWTH_MB_MAX = 10, 1.0, 15, 8


def run(calls: int) -> dict[str, Any]:
    """Measure `calls` rounds of each combination; times in us, memory in MB."""
    with cores(one=True), tempfile.TemporaryDirectory(prefix="contextframe-bench-") as folder:
        memory = anyio.run(_in_memory, calls, Path(folder))
        wire = [
            _over_the_wire(transport, era, calls, Path(folder))
            for transport in ("stdio", "http")
            for era in in_memory.ERAS
        ]
        return {
            "calls": calls,
            "cores": os.cpu_count(),
            "in_memory": memory,
            "over_the_wire": wire,
            "tracing": _tracing(calls),
            "targets": {
                "kept_added_us": _KEPT_US_MAX,
                "default_ratio": _RATIO_MAX,
                "wire_added_us": _WIRE_US_MAX,
                "growth_mb": _GROWTH_MB_MAX,
            },
        }


async def _in_memory(calls: int, folder: Path) -> list[dict[str, Any]]:
    rows = []
    for server in SERVERS:
        for era in in_memory.ERAS:
            took = await in_memory.took_ns(server, era, _LANES, calls, folder / server / era)
            rows.append({"server": server, "era": era, **_row(took)})
    return rows


def _over_the_wire(transport: str, era: str, calls: int, folder: Path) -> dict[str, Any]:
    took, memory = over_the_wire.took_ns(transport, era, calls, folder / transport / era)
    plain, monitored = memory["base"], memory["monitored"]
    growth = None if plain is None or monitored is None else round(monitored - plain, 1)
    return {"transport": transport, "era": era, **_row(took), "growth_mb": growth}


def _row(took: dict[str, list[int]]) -> dict[str, Any]:
    base = statistics.median(took["base"])
    row: dict[str, Any] = {"base_us": round(base / 1000, 1)}
    for lane, times in took.items():
        if lane != "base":
            median = statistics.median(times)
            row[f"{lane}_us"] = round(median / 1000, 1)
            row[f"{lane}_ratio"] = round(median / base, 3)
            row[f"{lane}_added_us"] = differences(times, took["base"], 1000)
    return row


def _tracing(calls: int) -> list[dict[str, Any]] | None:
    """Return what a span with a batch processor adds to a call; None without opentelemetry-sdk."""
    if importlib.util.find_spec("opentelemetry.sdk") is None:
        return None
    module = "contextframe_monitoring.bench.tracing_peer"
    command = [sys.executable, "-m", module, str(calls)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def render(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines for a terminal."""
    lines = [
        f"overhead, {result['calls']} interleaved calls, {result['cores']} cores (one used)",
        "in memory, us: median, ratio of medians, median [quartiles] of paired differences to base",
    ]
    for row in result["in_memory"]:
        lines.append(f"  {row['server']}, {row['era']}: base {row['base_us']:.1f}")
        lines += [
            f"    {'default':<8} {_lane(row, 'default')}  (target: ratio <= {_RATIO_MAX:.2f})",
            f"    {'kept':<8} {_lane(row, 'kept')}  (target: <= {_KEPT_US_MAX})",
            f"    {'bare':<8} {_lane(row, 'bare')}",
        ]
    lines.append("over the wire, us: the same; memory that the monitored server holds more, MB")
    lines += [
        f"  {row['transport']:<5} {row['era']}: base {row['base_us']:.1f}"
        f"  monitored {_lane(row, 'monitored')}  (target: <= {_WIRE_US_MAX})"
        f"  {_growth(row['growth_mb'])}"
        for row in result["over_the_wire"]
    ]
    if result["tracing"] is None:
        lines.append("beside it: the SDK's spans need opentelemetry-sdk (the extra `bench`)")
        return "\n".join(lines)
    lines.append("beside it: a span of the SDK with a batch processor, added to a bare call, us")
    lines += [
        f"  {row['server']}, {row['era']}: {spread(row['span_added_us'])}"
        for row in result["tracing"]
    ]
    return "\n".join(lines)


def _lane(row: dict[str, Any], lane: str) -> str:
    ratio, added = row[f"{lane}_ratio"], spread(row[f"{lane}_added_us"])
    return f"{row[f'{lane}_us']:>7.1f}  {ratio:.3f}  {added}"


def _growth(megabytes: float | None) -> str:
    if megabytes is None:
        return "memory unknown"
    return f"{megabytes:+.1f} MB (target: <= {_GROWTH_MB_MAX})"
