"""What alerts cost: 500 rules over 100 groups each, and a list out of 100,000 stored entries.

Run with -s to see the figures (nothing is asserted of them). ALERT_BENCH_ROWS is the number of rows
in all: 600,000 by default; 10,000,000 needs about 1 GB.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from contextframe_monitoring.alerts.evaluator import Evaluator
from contextframe_monitoring.alerts.history import HistoryQuery, history_report
from contextframe_monitoring.core.alert_settings import AlertSettings
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.store.alert_state import AlertState
from contextframe_monitoring.store.compaction import compact
from contextframe_monitoring.store.ledger import Ledger
from contextframe_monitoring.store.schemas import (
    ALERT_EVENTS,
    COST,
    PERFORMANCE,
    SCHEMAS,
    USAGE,
)
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.benchmarks.test_report_speed import cost, labels, many, performance, usage

ROWS = int(os.environ.get("ALERT_BENCH_ROWS", "600000"))
EVENTS = 100_000
PART = 1_000_000
DAYS = 30
NOW = 1_795_000_000_000_000
SPAN = DAYS * 86_400_000_000
ROUNDS = 7


def agents(rng: Any, rows: int) -> dict[str, Any]:
    return {"agent_id": labels(rng, rows, *many("agent", 100))}


def events(rng: Any, rows: int) -> dict[str, Any]:
    ids = np.array([f"a-{i:016x}" for i in range(rows // 3)])
    return {
        "alert_id": pa.array(ids[rng.integers(0, len(ids), rows)]),
        "revision": pa.array(np.arange(rows)),
        "action": labels(rng, rows, "fired", "acknowledged", "resolved"),
        "rule": labels(rng, rows, *many("rule", 50)),
        "signal": labels(rng, rows, "cost", "latency"),
        "severity": labels(rng, rows, "info", "warning", "error", "critical"),
        "state": labels(rng, rows, "firing", "resolved"),
        "message": pa.array(
            [f"rule_{i % 50}: cost of the last 1h is {i} USD" for i in range(rows)]
        ),
        "groups": pa.array([[f"agent=agent_{i % 100}"] for i in range(rows)]),
        "actual": pa.array(rng.random(rows)),
        "threshold": pa.array(rng.random(rows)),
        "batch": pa.array(np.ones(rows, np.int64)),
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    import lance

    found = Store(str(tmp_path_factory.mktemp("alert_speed") / "store"))
    Ledger(found.create()).adopt(1, {}, NOW)
    rng = np.random.default_rng(1)
    for table, columns, rows in (
        (PERFORMANCE, performance, ROWS // 3),
        (COST, cost, ROWS // 3),
        (USAGE, usage, ROWS // 3),
        (ALERT_EVENTS, events, EVENTS),
    ):
        parts = max(rows // PART, 1)
        for part in range(parts):
            some = rows // parts
            times = np.sort(rng.integers(0, SPAN // parts, some)) + NOW - SPAN
            times += part * (SPAN // parts)
            made = {"timestamp": pa.array(times), **columns(rng, some)}
            made |= {} if table == ALERT_EVENTS else agents(rng, some)
            schema = SCHEMAS[table]
            arrays = [
                made[f.name].cast(f.type) if f.name in made else pa.nulls(some, f.type)
                for f in schema
            ]
            lance.write_dataset(
                pa.Table.from_arrays(arrays, schema=schema),
                found.tables.uri(table),
                mode="append",
                data_storage_version="2.2",
            )
        compact(found.tables, table)
    return found


def rules() -> list[dict[str, Any]]:
    """Return 500 rules over agents: ten signals, five windows, a filter or none, five bounds."""
    signals: list[dict[str, Any]] = [
        {"signal": "error_rate", "threshold": 0.5},
        {"signal": "error_count", "threshold": 1e6},
        {"signal": "latency", "statistic": "p95", "threshold": 1e6},
        {"signal": "latency", "statistic": "mean", "threshold": 1e6},
        {"signal": "slow_count", "threshold": 1e6},
        {"signal": "throughput", "threshold": 1e6},
        {"signal": "cost", "threshold": 1e6},
        {"signal": "cost_rate", "threshold": 1e9},
        {"signal": "unknown_cost_share", "threshold": 0.9},
        {"signal": "usage_count", "threshold": 1e6},
    ]
    found = []
    for signal in signals:
        for window in ("5m", "15m", "1h", "6h", "1d"):
            for where in ({}, {"server": "server_1"}):
                for bound in range(5):
                    threshold = signal["threshold"] * (1 - bound / 100)
                    found.append(
                        {
                            **signal, "name": f"rule-{len(found)}", "window": window,
                            "filter": where, "group_by": ["agent"], "threshold": threshold,
                        }
                    )  # fmt: skip
    assert len(found) == 500
    return found


def test_500_rules_over_100_groups(store: Store) -> None:
    config = MonitoringConfig(
        store=store.uri, alert_rules=rules(), alerts=AlertSettings(default_rules=False)
    )
    evaluator = Evaluator(store, config)
    took = []
    for number in range(ROUNDS):
        started = time.perf_counter()
        evaluated = evaluator.evaluate(NOW + number * 60_000_000)
        took.append(time.perf_counter() - started)
    print(
        f"\n{ROWS:,} rows, {evaluated.rules} rules, {evaluated.groups:,} groups, "
        f"{evaluated.queries} questions: first {took[0] * 1e3:.0f} ms, median of the next "
        f"{sorted(took[1:])[len(took) // 2 - 1] * 1e3:.0f} ms"
    )


@pytest.mark.parametrize(
    "query",
    [
        HistoryQuery(limit=50),
        HistoryQuery(limit=50, rule="rule_7"),
        HistoryQuery(limit=50, severity="critical", rule="rule_7"),
        HistoryQuery(limit=50, alert_id="a-0000000000000007"),
    ],
    ids=["all", "of a rule", "of a rule and severity", "of an alert"],
)
def test_a_page_out_of_100000_entries(store: Store, query: HistoryQuery) -> None:
    state = AlertState.of(store)
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        found = history_report(Snapshot(store), state, query, NOW - SPAN, NOW)
        took.append(time.perf_counter() - started)
    median = sorted(took)[ROUNDS // 2] * 1e3
    print(f"\n{EVENTS:,} entries, {len(found.events)} listed of {found.total:,}: {median:.1f} ms")
