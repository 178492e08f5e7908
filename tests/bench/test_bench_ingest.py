"""`bench ingest` measures what it says, in a small run."""

from __future__ import annotations

import json

import pytest

from contextframe_monitoring.bench import ingest
from contextframe_monitoring.bench.ingest import render, run


def test_a_small_run_loses_nothing_and_has_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "WRITERS", 2)
    monkeypatch.setattr(ingest, "RATE", 500)
    result = run(2)
    assert result["recorded"] == 2 * 2 * 500
    assert result["lag_seconds_max"] is not None
    for figure in ("size_ratio", "amplification", "keeper_mb_max", "writer_mb_max"):
        assert result[figure] > 0
    calls = result["calls"]
    assert (calls["seconds"], calls["rate"]) == (2, 1_000)
    assert 0 < calls["p99_ratio_quartiles"][0] <= calls["p99_ratio"]
    assert json.loads(json.dumps(result))["writers"] == 2
    lines = render(result).splitlines()
    assert len(lines) == 6
    assert lines[0] == (
        "ingest: 2 processes at 500 records a second each for 2 s: 2,000 stored, each once"
    )
    assert "None" not in render(result)
