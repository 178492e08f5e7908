"""Alerts over real processes: a keeper evaluates, is killed, and another goes on."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from contextframe_monitoring.alerts.application import AlertManager
from contextframe_monitoring.alerts.history import HistoryQuery
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.store.machine import SystemClock
from contextframe_monitoring.store.spool.writer import Spool
from contextframe_monitoring.store.store import Store
from tests.processes import started, until

RULES = """
[alerts]
evaluation_interval_seconds = 1
default_rules = false

[[alert_rules]]
name = "HighCost"
signal = "cost"
threshold = 100
window = "1d"
"""
KILLS = 4


def spend(store: Store, usd: int) -> None:
    recorder = Recorder(Spool(store.spool_root, label="test"))
    assert recorder.record(
        CostRecord(
            time_us=time.time_ns() // 1000,
            cost_type="llm",
            provider="anthropic",
            amount_nano_usd=usd * 10**9,
            provenance="computed",
        )
    )
    recorder.close()


@pytest.fixture
def manager(tmp_path: Path) -> AlertManager:
    (tmp_path / "monitoring.toml").write_text(RULES, encoding="utf-8")
    store = Store(str(tmp_path / "store"))
    return AlertManager(store, MonitoringConfig(store=store.uri), SystemClock())


@pytest.mark.requirement("alerts:evaluator:kill")
def test_keepers_that_are_killed_raise_each_alert_once(
    tmp_path: Path, manager: AlertManager
) -> None:
    store = Store(str(tmp_path / "store"))
    keep = ("keep", "--store", store.uri, "--config", str(tmp_path / "monitoring.toml"))
    for number in range(KILLS):
        with started(*keep) as keeper:
            if number == 0:
                spend(store, 150)
                until(lambda: bool(manager.desk.report().alerts))
            before = manager.desk.report().evaluated_at
            until(lambda b=before: manager.desk.report().evaluated_at != b)  # type: ignore[misc]
            keeper.send_signal(signal.SIGKILL)
            keeper.wait()
    events = manager.history("1h", query=HistoryQuery(limit=100)).events
    assert Counter((event.rule, event.action) for event in events) == {("HighCost", "fired"): 1}
    [row] = manager.desk.report().alerts
    assert (row.rule, row.status, row.actual_value) == ("HighCost", "active", 150.0)


def test_a_cost_is_an_alert_within_the_interval_and_a_second(
    tmp_path: Path, manager: AlertManager
) -> None:
    store = Store(str(tmp_path / "store"))
    keep = ("keep", "--store", store.uri, "--config", str(tmp_path / "monitoring.toml"))
    with started(*keep):
        until(lambda: manager.desk.report().evaluated_at is not None)
        spend(store, 150)
        until(lambda: bool(manager.desk.report().alerts))
    [row] = manager.desk.report().alerts
    assert row.rule == "HighCost"
