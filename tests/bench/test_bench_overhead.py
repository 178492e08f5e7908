"""`bench overhead` measures what it says, in a small run."""

from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.bench import in_memory
from contextframe_monitoring.bench.overhead import render, run
from contextframe_monitoring.core.errors import ConflictError
from contextframe_monitoring.monitor import Monitor

COMBINATIONS = [
    ("MCPServer", "2026-07-28"),
    ("MCPServer", "2025-11-25"),
    ("lowlevel Server", "2026-07-28"),
    ("lowlevel Server", "2025-11-25"),
]


@pytest.mark.requirement("spine:speed:bench", "spine:speed:server-8mb", "002:test:overhead")
def test_a_small_run_has_every_figure_and_is_rendered() -> None:
    result = run(10)

    assert [(row["server"], row["era"]) for row in result["in_memory"]] == COMBINATIONS
    assert [(row["transport"], row["era"]) for row in result["over_the_wire"]] == [
        ("stdio", "2026-07-28"),
        ("stdio", "2025-11-25"),
        ("http", "2026-07-28"),
        ("http", "2025-11-25"),
    ]
    assert [(row["server"], row["era"]) for row in result["tracing"]] == COMBINATIONS
    for row in result["in_memory"]:
        for lane in ("default", "kept", "bare"):
            spread = row[f"{lane}_added_us"]
            assert spread["q1"] <= spread["median"] <= spread["q3"]
            assert row[f"{lane}_ratio"] == pytest.approx(
                row[f"{lane}_us"] / row["base_us"], abs=0.01
            )
    for row in result["over_the_wire"]:
        assert row["growth_mb"] <= result["targets"]["growth_mb"]
    text = render(result)
    assert len(text.splitlines()) == 28
    assert "None" not in text
    assert "memory unknown" not in text


def test_without_the_sdk_of_opentelemetry_the_rest_is_shown() -> None:
    spread = {"q1": -1.0, "median": 0.0, "q3": 1.0}
    row: dict[str, Any] = {"base_us": 1.0}
    for lane in ("default", "kept", "bare", "monitored"):
        row |= {f"{lane}_us": 1.0, f"{lane}_ratio": 1.0, f"{lane}_added_us": spread}
    result = {
        "calls": 1,
        "cores": 2,
        "in_memory": [{"server": "MCPServer", "era": "2026-07-28", **row}],
        "over_the_wire": [
            {"transport": "stdio", "era": "2026-07-28", "growth_mb": None, **row},
        ],
        "tracing": None,
    }
    assert render(result).splitlines()[-2:] == [
        "  stdio 2026-07-28: base 1.0  monitored     1.0  1.000     +0.0 [-1.0..+1.0]"
        "  (target: <= 15)  memory unknown",
        "beside it: the SDK's spans need opentelemetry-sdk (the extra `bench`)",
    ]


@pytest.mark.anyio
async def test_a_monitor_that_misses_a_call_stops_the_benchmark(tmp_path: Path) -> None:
    def forgetful(server: Any, store: Path) -> Monitor:
        del server
        return Monitor.open(store=str(store), start_keeper=False)

    lanes: dict[str, in_memory.Prepare] = {"base": in_memory.plain, "forgetful": forgetful}
    with pytest.raises(ConflictError, match="forgetful: 10 calls, 0 recorded"):
        await in_memory.took_ns("MCPServer", "2026-07-28", lanes, 10, tmp_path)
