"""`bench record` measures what it says, in a small run."""

from __future__ import annotations

import json

import pytest

from contextframe_monitoring.bench.record import render, run

WAYS = [
    "record(), mapped",
    "record(), written",
    "OpenTelemetry span, batch processor",
    "prometheus_client counter + histogram",
    "sqlite insert, WAL, NORMAL",
    "logging, a JSON line",
    "list.append, the floor",
]


@pytest.mark.requirement(
    "spine:speed:record-3us",
    "spine:speed:record-tenth",
    "spine:speed:bench",
    "000:rel:under-10ms",
    "000:test:event-completeness",
)
def test_a_small_run_has_every_figure_and_is_rendered() -> None:
    result = run(100)

    assert (result["rounds"], result["calls_per_round"], result["missing"]) == (10, 10, [])
    assert [way["name"] for way in result["ways"]] == WAYS
    for way in result["ways"]:
        low, high = way["us_quartiles"]
        assert 0 < low <= way["us"] <= high
        if way["name"].startswith("OpenTelemetry"):
            assert way["ratio"] is None
        else:
            middle, below, above = way["ratio"]
            assert 0 < below <= middle <= above
    assert result["drain"]["records"] == 200
    assert result["drain"]["records_per_second"] > 0
    assert json.loads(json.dumps(result))["ways"][0]["name"] == WAYS[0]
    lines = render(result).splitlines()
    assert len(lines) == 1 + len(WAYS) + 2
    assert lines[0] == "one tool call noted, median of 10 interleaved rounds of 10:"
    assert lines[-2] == "targets: record(), mapped <= 3.0 us, <= 0.1 x span"
    assert "None" not in render(result)
