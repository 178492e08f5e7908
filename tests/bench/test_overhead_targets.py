"""`bench overhead` puts every figure beside what was promised of it, in a small run."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from contextframe_monitoring.bench import in_memory, overhead

CALLS = 10


@pytest.mark.requirement(
    "spine:speed:call-10us",
    "spine:speed:call-ratio",
    "spine:speed:transports-15us",
    "spine:speed:server-8mb",
    "002:ok:overhead",
    "002:test:overhead",
    "003:ok:no-impact",
    "003:test:overhead",
)
def test_every_figure_stands_beside_its_target(tmp_path: Path) -> None:
    era = next(iter(in_memory.ERAS))
    memory = anyio.run(overhead._in_memory, CALLS, tmp_path)
    wire = [overhead._over_the_wire(name, era, CALLS, tmp_path) for name in ("stdio", "http")]
    for row in memory:
        assert row["default_ratio"] > 0
        assert row["kept_added_us"]["q1"] <= row["kept_added_us"]["median"]
    for row in wire:
        assert row["base_us"] > 0
        assert isinstance(row["monitored_added_us"]["median"], float)
    shown = overhead.render(
        {"calls": CALLS, "cores": 1, "in_memory": memory, "over_the_wire": wire, "tracing": None}
    ).splitlines()
    assert [line.split("(target: ")[1] for line in shown if line.startswith("    default")] == [
        "ratio <= 1.00)"
    ] * len(memory)
    assert [line.split("(target: ")[1] for line in shown if line.startswith("    kept")] == [
        "<= 10)"
    ] * len(memory)
    over_the_wire = [line for line in shown if line.startswith(("  stdio", "  http"))]
    assert [line.count("(target: <= 15)") for line in over_the_wire] == [1, 1]
    assert all(line.endswith(("MB (target: <= 8)", "memory unknown")) for line in over_the_wire)
