"""`bench wrap`: what `wrap` adds to a call, to the memory of the machine and to the first answer.

Each child runs three times side by side: direct, behind the relay alone (recording switched off)
and under `wrap`. Every round makes one call of each, in random order; what counts is the
difference to the direct call of the same round. On several cores the scheduler decides whether a
hop wakes a sleeping core, which costs more than all our work; so it is measured once on one core,
where the difference is work, and once on all. `wrap --http` is measured likewise, on connections
that stay open, before a server that answers at once.
"""

from __future__ import annotations

import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from contextframe_monitoring.bench import wrap_http
from contextframe_monitoring.bench.pairs import cores, differences, process_mb, spread
from contextframe_monitoring.core.config import ENVIRONMENT_PREFIX
from contextframe_monitoring.core.errors import UnavailableError

_HERE = Path(__file__).parent
_CHILDREN = {
    "echo child": [sys.executable, str(_HERE / "echo_child.py")],
    "Python server": [sys.executable, str(_HERE / "python_server.py")],
}
_TARGETS_US = {"echo child": 40, "Python server": 200}
_RSS_MB_MAX, _FIRST_ANSWER_MS_MAX = 32, 150
_LANES = wrap_http.LANES
_WARM_UP_CALLS = 20
_STARTS = 7
_REQUEST = (
    b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"add","arguments":'
    b'{"a":1,"b":2},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    b'"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},'
    b'"io.modelcontextprotocol/clientCapabilities":{}}}}\n'
)


class _Lane:
    """One running child, direct or behind us, and the client's end of its streams."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._number = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self) -> int:
        """Make one call and return how long it took, in nanoseconds."""
        self._number += 1
        request, answer = _REQUEST % self._number, b""
        read, source = os.read, self._stdout.fileno()
        started = time.perf_counter_ns()
        self._stdin.write(request)
        while not answer.endswith(b"\n"):
            chunk = read(source, 1 << 16)
            if not chunk:
                raise UnavailableError("a child of the benchmark ended in the middle of a call")
            answer += chunk
        return time.perf_counter_ns() - started

    def close(self) -> None:
        self._stdin.close()
        self._stdout.close()
        self._process.wait()


def run(calls: int, *, starts: int = _STARTS) -> dict[str, Any]:
    """Measure `calls` rounds per child and core setting, and `starts` starts (2 or more) of each;
    times in us and ms, memory in MB.
    """
    with tempfile.TemporaryDirectory() as store:
        rows: list[dict[str, Any]] = []
        memory: dict[str, float | None] = {}
        for child in _CHILDREN:
            for one_core in (True, False):
                row, memory = _added(child, calls, store, one_core=one_core)
                rows.append(row)
        rows += [_added_http(calls, store, one_core=one_core) for one_core in (True, False)]
        return {
            "calls": calls,
            "cores": os.cpu_count(),
            "added": rows,
            "memory": {**memory, "target_mb": _RSS_MB_MAX},
            "first_answer": [_first_answer(child, store, starts) for child in _CHILDREN],
        }


def _added(
    child: str, calls: int, store: str, *, one_core: bool
) -> tuple[dict[str, Any], dict[str, float | None]]:
    dice = random.Random(calls)  # noqa: S311 - an order, not a secret
    took: dict[str, list[int]] = {lane: [] for lane in _LANES}
    with cores(one=one_core), contextlib.ExitStack() as stack:
        lanes = {lane: _Lane(*_command(lane, child, store)) for lane in _LANES}
        for lane in lanes.values():
            stack.callback(lane.close)
            for _ in range(_WARM_UP_CALLS):
                lane.call()
        for _ in range(calls):
            for name in dice.sample(_LANES, len(_LANES)):
                took[name].append(lanes[name].call())
        memory = _memory_mb(lanes["wrap"].pid)
    return _row(child, took, _TARGETS_US[child], one_core=one_core), memory


def _added_http(calls: int, store: str, *, one_core: bool) -> dict[str, Any]:
    with cores(one=one_core):
        took = wrap_http.measure(calls, store)
    return _row("HTTP server", took, wrap_http.TARGET_US, one_core=one_core)


def _row(
    child: str, took: dict[str, list[int]], target_us: int, *, one_core: bool
) -> dict[str, Any]:
    row: dict[str, Any] = {"child": child, "one_core": one_core, "target_us": target_us}
    for name in _LANES:
        row[f"{name}_us"] = round(statistics.median(took[name]) / 1000, 1)
    row["relay_added_us"] = differences(took["relay"], took["direct"], 1000)
    row["wrap_added_us"] = differences(took["wrap"], took["direct"], 1000)
    row["ratio"] = round(row["wrap_us"] / row["direct_us"], 3)
    return row


def _first_answer(child: str, store: str, count: int) -> dict[str, Any]:
    took: dict[str, list[int]] = {"direct": [], "wrap": []}
    for _ in range(count):
        for name, starts in took.items():
            started = time.perf_counter_ns()
            lane = _Lane(*_command(name, child, store))
            lane.call()
            starts.append(time.perf_counter_ns() - started)
            lane.close()
    return {
        "child": child,
        "direct_ms": round(statistics.median(took["direct"]) / 1e6, 1),
        "wrap_ms": round(statistics.median(took["wrap"]) / 1e6, 1),
        "wrap_added_ms": differences(took["wrap"], took["direct"], 1e6),
        "target_ms": _FIRST_ANSWER_MS_MAX,
    }


def _command(lane: str, child: str, store: str) -> tuple[list[str], dict[str, str]]:
    environment = {
        **os.environ,
        ENVIRONMENT_PREFIX + "ENABLED": "true" if lane == "wrap" else "false",
        ENVIRONMENT_PREFIX + "START_KEEPER": "false",
    }
    wrap = [sys.executable, "-m", "contextframe_monitoring", "wrap", "--store", store, "--"]
    return [*([] if lane == "direct" else wrap), *_CHILDREN[child]], environment


def _memory_mb(pid: int) -> dict[str, float | None]:
    """Return what a process holds in memory, and its share of what it shares; None: unknown."""
    return {
        "resident_mb": process_mb(pid, "status", "VmRSS:"),
        "proportional_mb": process_mb(pid, "smaps_rollup", "Pss:"),
    }


def render(result: dict[str, Any]) -> str:
    """Return the result of `run` as lines for a terminal."""
    lines = [f"wrap, {result['calls']} interleaved calls, {result['cores']} cores"]
    lines.append("added to a call, us: median [quartiles] of paired differences to the direct call")
    for row in result["added"]:
        cores = "one core" if row["one_core"] else "all cores"
        lines.append(
            f"  {row['child']:<13} {cores:<9} direct {row['direct_us']:>7.1f}"
            f"  relay alone {spread(row['relay_added_us'])}  wrap {spread(row['wrap_added_us'])}"
            f"  ratio {row['ratio']:.3f}  (target <= {row['target_us']})"
        )
    memory = result["memory"]
    lines.append(
        f"memory of wrap: {_mb(memory['resident_mb'])} resident (target <= {memory['target_mb']}),"
        f" {_mb(memory['proportional_mb'])} proportional"
    )
    lines.append("first answer after the start, ms")
    lines += [
        f"  {row['child']:<13} direct {row['direct_ms']:>7.1f}  wrap {row['wrap_ms']:>7.1f}"
        f"  added {spread(row['wrap_added_ms'])}  (target <= {row['target_ms']})"
        for row in result["first_answer"]
    ]
    return "\n".join(lines)


def _mb(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} MB"
