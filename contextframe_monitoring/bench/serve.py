"""`serve` beside a bare MCPServer: time to the first answer; and what an idle keeper costs."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROUNDS_MAX = 20
IDLE_SECONDS = 10.0
SETTLE_SECONDS = 4.0
RATIO_MAX, IDLE_PERCENT_MAX = 1.3, 0.5

_BARE = """
from mcp.server import MCPServer
server = MCPServer("bare")
@server.tool()
async def add(a: int, b: int) -> int:
    return a + b
server.run("stdio")
"""
_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    },
}


def run(
    rounds: int, *, settle_seconds: float = SETTLE_SECONDS, idle_seconds: float = IDLE_SECONDS
) -> dict[str, Any]:
    """Start both servers in turn, `rounds` times, then watch a keeper that has nothing to do."""
    with tempfile.TemporaryDirectory(prefix="contextframe-bench-") as folder:
        ours = [*_command(), "serve", "--store", folder]
        bare = [sys.executable, "-c", _BARE]
        _first_answer_ms(bare), _first_answer_ms(ours)  # bytecode is compiled once
        pairs = [
            (_first_answer_ms(bare), _first_answer_ms(ours)) for _ in range(min(rounds, ROUNDS_MAX))
        ]
        return {
            "bare_ms": statistics.median(first for first, _ in pairs),
            "serve_ms": statistics.median(second for _, second in pairs),
            "ratio": statistics.median(second / first for first, second in pairs),
            "rounds": len(pairs),
            "idle_keeper_percent": _idle_percent(folder, settle_seconds, idle_seconds),
            "targets": {"ratio": RATIO_MAX, "idle_keeper_percent": IDLE_PERCENT_MAX},
        }


def render(result: dict[str, Any]) -> str:
    """Return the figures as text."""
    idle = result["idle_keeper_percent"]
    shown = "not measured on this system" if idle is None else f"{idle:.2f} % of a core"
    return (
        f"first answer over stdio, {result['rounds']} interleaved rounds:\n"
        f"  bare MCPServer {result['bare_ms']:.0f} ms, serve {result['serve_ms']:.0f} ms, "
        f"ratio {result['ratio']:.2f}  (target <= {RATIO_MAX})\n"
        f"idle keeper: {shown}  (target <= {IDLE_PERCENT_MAX})"
    )


def _command() -> list[str]:
    return [sys.executable, "-m", "contextframe_monitoring"]


def _first_answer_ms(command: list[str]) -> float:
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(_INITIALIZE).encode() + b"\n")
    process.stdin.flush()
    process.stdout.readline()
    took_ms = (time.perf_counter() - begun) * 1000
    process.stdin.close()
    process.wait()
    process.stdout.close()
    return took_ms


def _idle_percent(store: str, settle_seconds: float, idle_seconds: float) -> float | None:
    """Return the share of a core that `keep` uses while nothing comes; None without /proc."""
    process = subprocess.Popen([*_command(), "keep", "--store", store], stderr=subprocess.DEVNULL)
    try:
        time.sleep(settle_seconds)
        before = _processor_seconds(process.pid)
        time.sleep(idle_seconds)
        after = _processor_seconds(process.pid)
    finally:
        process.terminate()
        process.wait()
    return None if before is None or after is None else 100 * (after - before) / idle_seconds


def _processor_seconds(pid: int) -> float | None:
    """Return user and system time of a process, to the nanosecond where the kernel tells."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, ValueError, IndexError):
        return None
