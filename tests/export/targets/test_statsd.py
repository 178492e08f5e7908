"""StatsD lines over a real socket."""

from __future__ import annotations

import socket

from tests.export.stores import NOW_US, Filled, metric, operation
from tests.export.targets.conftest import To

S = 1_000_000


def test_lines_are_counters_gauges_and_timings(filled: Filled, to: To) -> None:
    filled.drain(
        operation(),
        operation(),
        operation(duration_ms=0.0),
        metric(value=-7.0),
        metric(name="a:b|c"),
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        port = server.getsockname()[1]
        told = {"type": "statsd", "port": port, "prefix": "cf."}
        state = to(**told).run(NOW_US)
        assert state is not None
        lines: list[str] = []
        while len(lines) < state.sent:
            datagram = server.recv(65_536)
            assert len(datagram) <= 1400
            lines += datagram.decode().split("\n")
        filled.drain(operation())
        before = state.sent
        state = to(**told | {"tags": False}).run(NOW_US + 61 * S)
        plain: list[str] = []
        assert state is not None
        while len(plain) < state.sent - before:
            plain += server.recv(65_536).decode().split("\n")
    who = "|#gen_ai.tool.name:git_log,mcp.method.name:tools/call,server:git"
    calls = [line for line in lines if line.startswith("cf.mcp.server.operation.duration")]
    assert calls == [
        f"cf.mcp.server.operation.duration:0|ms{who}",
        f"cf.mcp.server.operation.duration:12.4464|ms|@0.5{who}",
    ]
    assert [line for line in lines if line.startswith(("cf.queue", "cf.a"))] == [
        "cf.queue.depth:0|g|#server:git",
        "cf.queue.depth:-7|g|#server:git",
        "cf.a_b_c:7|g|#server:git",
    ]
    assert "cf.contextframe_monitoring.operations.in.tools/call.git.success:1|c" in plain
    assert "cf.contextframe_monitoring.stored:6|g" in plain
