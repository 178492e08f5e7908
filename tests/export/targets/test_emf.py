"""Lines in the embedded metric format, as a format and as a target."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contextframe_monitoring.export.exporter import MetricsExporter
from tests.export.stores import NOW_US, Filled, cost, operation
from tests.export.targets.conftest import To

S = 1_000_000


@pytest.mark.requirement("export:cloudwatch:emf")
def test_an_export_of_lines_needs_no_target(filled: Filled, exporter: MetricsExporter) -> None:
    filled.drain(operation(), operation(duration_ms=0.0), cost())
    content = exporter.export("performance", "emf", end_us=NOW_US + S).content
    assert content is not None
    lines = [json.loads(line) for line in content.splitlines()]
    assert lines[0] == {
        "_aws": {
            "Timestamp": NOW_US // 1000 + 1000,
            "CloudWatchMetrics": [
                {
                    "Namespace": "ContextFrame/MCP",
                    "Dimensions": [["gen_ai.tool.name", "mcp.method.name", "server"]],
                    "Metrics": [
                        {"Name": "mcp.server.operation.duration", "Unit": "Seconds"},
                        {"Name": "contextframe_monitoring.request.size", "Unit": "Bytes"},
                        {"Name": "contextframe_monitoring.result.size", "Unit": "Bytes"},
                    ],
                }
            ],
        },
        "gen_ai.tool.name": "git_log",
        "mcp.method.name": "tools/call",
        "server": "git",
        "mcp.server.operation.duration": {
            "Values": [0.0, 0.01244642305736146],
            "Counts": [1, 1],
            "Min": 0.0,
            "Max": 0.0125,
            "Count": 2,
            "Sum": 0.0125,
        },
        "contextframe_monitoring.request.size": 240.0,
        "contextframe_monitoring.result.size": 8192.0,
    }


def test_a_target_appends_what_is_new_and_rotates(filled: Filled, to: To, tmp_path: Path) -> None:
    path = tmp_path / "metrics.log"
    told = {"type": "emf", "path": str(path), "size_bytes_max": 65_536}
    filled.drain(operation(), operation())
    to(**told).run(NOW_US)
    filled.drain(operation())
    to(**told).run(NOW_US + 61 * S)
    counted = [
        line["contextframe_monitoring.operations"]
        for line in map(json.loads, path.read_text().splitlines())
        if "contextframe_monitoring.operations" in line
    ]
    assert counted == [2, 1]
    assert {line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in map(
        json.loads, path.read_text().splitlines())} == {"Test/Ns"}  # fmt: skip
    before = path.read_text() + "x" * 65_536
    path.write_text(before)
    filled.drain(operation())
    to(**told).run(NOW_US + 122 * S)
    assert path.with_name("metrics.log.1").read_text() == before
    assert 0 < path.stat().st_size < 65_536


@pytest.mark.parametrize("place", ["/dev/stdout", "link", "folder"])
def test_a_place_that_is_no_file_is_refused(
    filled: Filled, to: To, tmp_path: Path, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/dev/null")
    filled.drain(operation())
    state = to(type="emf", path=str(tmp_path / place)).run(NOW_US)  # an absolute place wins
    assert state is not None
    assert (state.failures, state.batch) == (1, 0)
