"""What the seeds promise of speed, at the sizes that they name: wall time, best of three.

A year of 100 million events is measured by `bench scale`, not here.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from contextframe_monitoring.bench.filled_store import fill
from contextframe_monitoring.bench.query import START_US
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.cost import cost_report
from contextframe_monitoring.query.performance import performance_report
from contextframe_monitoring.query.usage import usage_report
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store

ROWS, DAYS = 10_000, 30
STATISTICS_SECONDS_MAX = 1.0
QUERY_SECONDS_MAX = 0.1
TRIES = 3


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Ten thousand operations, costs and uses over a month."""
    found = Store(str(tmp_path_factory.mktemp("seed_speed") / "store"))
    fill(found, ROWS, DAYS, START_US)
    return found


def best_seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(TRIES):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


@pytest.mark.requirement("003:test:query-speed", "003:ok:one-second")
def test_statistics_over_ten_thousand_costs_take_less_than_a_second(store: Store) -> None:
    window = Window(START_US, START_US + DAYS * US_PER_DAY)
    query = ReportQuery(window=window, group_by=("model",), detail=True)
    report = cost_report(Snapshot(store), query, MonitoringConfig())
    assert sum(row.count for row in report.breakdown) == ROWS
    seconds = best_seconds(lambda: cost_report(Snapshot(store), query, MonitoringConfig()))
    assert seconds < STATISTICS_SECONDS_MAX


@pytest.mark.requirement("002:ok:query-speed", "001:test:performance")
@pytest.mark.parametrize(
    ("report", "key"),
    [(performance_report, "target"), (cost_report, "model"), (usage_report, "collection")],
)
def test_a_query_of_ten_thousand_rows_takes_less_than_a_tenth_of_a_second(
    store: Store, report: Callable[..., object], key: str
) -> None:
    window = Window(START_US, START_US + DAYS * US_PER_DAY)
    query = ReportQuery(window=window, group_by=(key,), detail=False)
    seconds = best_seconds(lambda: report(Snapshot(store), query, MonitoringConfig()))
    assert seconds < QUERY_SECONDS_MAX
