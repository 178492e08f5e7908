"""Reports over a real store with more rows than are read raw: rollups, kept ones, late rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contextframe_monitoring.bench.filled_store import fill
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.cost import cost_report
from contextframe_monitoring.query.performance import performance_report
from contextframe_monitoring.query.usage import usage_report
from contextframe_monitoring.store.schemas import RAW_TABLES
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.query.test_rolled_up import QUANTILES, assert_same

START_US = 20_000 * US_PER_DAY
ROWS, DAYS = 120_000, 5
WINDOW = Window(START_US + 3_725_000_123, START_US + DAYS * US_PER_DAY - 7_000_001)
CONFIG = MonitoringConfig()
MOVED = ("resolution", "note", "active_peak", "connections", "slowest", "slow", "previous",
         "unique_resources", "top_documents", "top_queries", "click_through",
         "tokens_estimated")  # fmt: skip
REPORTS = {
    "target": performance_report,
    "model": cost_report,
    "collection": usage_report,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    found = Store(str(tmp_path_factory.mktemp("rolled") / "store"))
    fill(found, ROWS, DAYS, START_US)
    return found


def without(report: Any) -> Any:
    if isinstance(report, dict):
        return {name: without(found) for name, found in report.items() if name not in MOVED}
    return tuple(map(without, report)) if isinstance(report, tuple) else report


def asked(
    store: Store, report: Callable[..., Any], key: str, window: Window = WINDOW
) -> tuple[Any, Any]:
    """The answer, and the exact one."""
    query = ReportQuery(window=window, group_by=(key,))
    exactly = ReportQuery(window=window, group_by=(key,), exact=True)
    return report(Snapshot(store), query, CONFIG), report(Snapshot(store), exactly, CONFIG)


def assert_right(store: Store) -> None:
    for key, report in REPORTS.items():
        for _ in range(2):  # the second time from what was kept
            found, exact = asked(store, report, key)
            assert (found.resolution.source, exact.resolution.source) == ("both", "raw")
            assert_same(without(exact.model_dump()), without(found.model_dump()), QUANTILES)


def test_answers_from_rollups_say_so_and_are_those_of_the_raw_rows(store: Store) -> None:
    assert_right(store)
    found, exact = asked(store, performance_report, "target")
    assert (found.resolution.exact, found.resolution.quantile_error) == (False, 0.0109)
    assert exact.resolution.exact
    assert found.resolution.raw_since == exact.resolution.raw_since
    assert abs(found.slow - exact.slow) <= 0.02 * exact.slow + 2
    assert found.note == (
        "slow operations are counted from histograms, 1.1 % around the threshold; "
        "active_peak and connections need raw rows: ask for an exact answer or a shorter window"
    )


def test_a_short_window_is_answered_from_raw_rows(store: Store) -> None:
    hour = Window(START_US + 5, START_US + 3_600_000_000)
    found, exact = asked(store, performance_report, "target", hour)
    assert found == exact
    assert found.resolution.source == "raw"
    assert found.active_peak is not None


def test_late_rows_are_in_the_next_answer(store: Store) -> None:
    before = asked(store, cost_report, "model")[0].total_cost
    fill(store, ROWS // 10, DAYS, START_US, seed=2)
    after = asked(store, cost_report, "model")[0].total_cost
    assert before < after
    assert_right(store)


def test_what_only_rollups_hold_is_answered_from_them(store: Store) -> None:
    window = Window(START_US, START_US + DAYS * US_PER_DAY)
    kept = asked(store, cost_report, "model", window)[0].total_cost
    for table in RAW_TABLES:
        store.tables.delete(table, "batch > 0")
    found, exact = asked(store, cost_report, "model", window)
    assert (found.total_cost, exact.total_cost) == (kept, 0)
    assert (found.resolution.source, found.resolution.raw_since) == ("rollup", None)
