"""`bench scale` measures what it says, in a small run."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from contextframe_monitoring.bench.filled_year import DAYS_KEPT, fill_year
from contextframe_monitoring.bench.query import START_US
from contextframe_monitoring.bench.scale import questions, render, run
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.cost import cost_report
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store

EVENTS = 120_000
DAYS = 40


@pytest.mark.requirement("time:bench:scale")
def test_rollups_and_raw_rows_of_a_made_year_agree(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    filled = fill_year(store, EVENTS, START_US, DAYS)
    assert (filled.events, filled.days) == (EVENTS, DAYS)
    end_us = START_US + DAYS * US_PER_DAY
    month = Window(end_us - 30 * US_PER_DAY, end_us)
    snapshot, config = Snapshot(store), MonitoringConfig()
    folded, raw = (
        cost_report(snapshot, ReportQuery(window=month, group_by=("model",), exact=exact), config)
        for exact in (False, True)
    )
    assert (folded.resolution.source, raw.resolution.source) == ("rollup", "raw")
    assert folded.total_cost == raw.total_cost
    assert raw.total_cost
    for level in LEVELS[1:]:
        start_us = end_us - min(DAYS_KEPT[level.table], DAYS) * US_PER_DAY
        rows = snapshot.rollups(level, "cost", ["count"], start_us, end_us)
        counted = sum(sum(batch.column(0).to_pylist()) for batch in rows)
        assert counted == EVENTS // 3 // DAYS * min(DAYS_KEPT[level.table], DAYS), level


@pytest.mark.requirement("time:bench:scale")
def test_a_small_run_has_every_figure_and_says_what_was_kept_and_what_is_anew() -> None:
    result = run(2, rows=30_000)
    assert result["events"] == 30_000 // 365 // 3 * 3 * 365
    assert result["duckdb"] == (importlib.util.find_spec("duckdb") is not None)
    assert list(result["questions"]) == list(questions(365))
    for found in result["questions"].values():
        assert 0 < found["least_ms"] <= found["ours_ms"] <= found["max_ms"]
        assert 0 < found["anew_least_ms"] <= found["anew_ms"] <= found["anew_max_ms"]
    assert json.loads(json.dumps(result))["days"] == 365
    text = render(result)
    assert text.startswith("scale: 29,565 events over 365 days, 2 rounds\n")
    for way in ("kept, median", "kept, max", "anew, median", "anew, max"):
        assert f"\n{way} <= " in text
    assert "None" not in text
