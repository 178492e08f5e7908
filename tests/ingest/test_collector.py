"""`MetricsCollector`: one object for every kind of fact, safe at once, switched while it runs."""

from __future__ import annotations

import datetime as dt
import inspect
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import lancedb
import pyarrow as pa
import pytest

from contextframe_monitoring import MetricsCollector, Monitor
from tests.clocks import NOW_US, ManualClock

START = dt.datetime.fromtimestamp(NOW_US / 1e6, dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    store = str(tmp_path / "store")
    with Monitor.open(store=store, name="app", start_keeper=False, clock=ManualClock()) as opened:
        yield opened


def _table(monitor: Monitor, name: str) -> pa.Table:
    return lancedb.connect(monitor.store.uri).open_table(name).to_arrow()


@pytest.mark.requirement("002:core:metrics-collector", "002:usage:collector-get-usage-stats")
async def test_it_takes_facts_of_every_kind_and_answers_for_usage(monitor: Monitor) -> None:
    collector = monitor.collector
    collector.usage.track_document_access("doc-1", "read")
    collector.performance.record_metric("queue", 3)
    await collector.cost.track_storage_usage("read", 1)
    await collector.track_cost("openai", "chat", 0.5)
    stats = await collector.get_usage_stats(START - HOUR, START + HOUR)
    assert (stats.total_document_accesses, [m.metric for m in stats.metrics]) == (1, ["queue"])
    assert monitor.recorder.recorded == 4


@pytest.mark.requirement("003:coll:track-cost", "003:test:cost")
async def test_a_known_cost_is_stored_exactly_with_all_its_dimensions(monitor: Monitor) -> None:
    cost = await monitor.collector.track_cost(
        "openai", "chat", Decimal("0.0456"), tokens_input=234, tokens_output=56, user_id="u-1",
        user_tier="pro", session_id="s-1", metadata={"book": "b-1"},
    )  # fmt: skip
    assert cost == Decimal("0.0456")
    await monitor.collector.flush_metrics()
    columns = ["provider", "operation", "amount_usd", "amount_nano_usd", "input_tokens",
               "output_tokens", "user_id", "session_id", "attributes", "provenance"]  # fmt: skip
    [row] = _table(monitor, "cost_metrics").select(columns).to_pylist()
    assert row == {
        "provider": "openai", "operation": "chat", "amount_usd": 0.0456,
        "amount_nano_usd": 45_600_000, "input_tokens": 234, "output_tokens": 56, "user_id": "u-1",
        "session_id": "s-1", "attributes": ["user_tier=pro"], "provenance": "reported",
    }  # fmt: skip


@pytest.mark.requirement("003:coll:track-dialogue")
async def test_a_dialogue_is_an_event_with_its_measures(monitor: Monitor) -> None:
    for rating in (4, 5):
        monitor.collector.track_dialogue(
            f"s-{rating}", "book-1", user_id="u-1", message_count=10, duration=60.0, rating=rating,
            model="gpt-4", dialogue_type="character",
        )  # fmt: skip
    stats = await monitor.collector.get_usage_stats(START - HOUR, START + HOUR)
    [event] = json.loads(stats.json_text())["events"]
    assert (event["event"], event["count"]) == ("dialogue", 2)
    assert event["categories"] == [{"label": "book-1", "count": 2, "share": 1.0}]
    assert {n["number"]: n["mean"] for n in event["numbers"]} == {
        "duration": 60.0, "messages": 10.0, "rating": 4.5,
    }  # fmt: skip


@pytest.mark.requirement(
    "003:coll:buffer", "003:coll:flush-metrics", "003:coll:flush-interval", "003:dep:redis",
    "002:ok:completeness",
)  # fmt: skip
async def test_what_waits_is_seen_already_and_written_in_one_batch(monitor: Monitor) -> None:
    collector = monitor.collector
    for number in range(250):
        collector.usage.track_event("x", category=str(number % 3))
    before = await monitor.status()
    stats = await collector.get_usage_stats(START - HOUR, START + HOUR)
    assert (before.undrained_frames, before.stored, stats.total_events) == (250, 0, 250)
    assert await collector.flush_metrics() == 250
    assert await collector.flush_metrics() == 0
    assert set(_table(monitor, "usage_metrics")["batch"].to_pylist()) == {1}
    assert collector.flush_interval <= 10
    after = await monitor.status()
    assert (after.undrained_frames, after.stored) == (0, 250)


@pytest.mark.requirement("003:coll:switch")
async def test_collection_is_switched_on_and_off_while_it_runs(
    monitor: Monitor, tmp_path: Path
) -> None:
    collector = monitor.collector
    assert collector.enabled
    collector.usage.track_event("seen")
    collector.enabled = False
    collector.usage.track_event("unseen")
    with collector.performance.operation("tool_call"):
        pass
    assert not collector.enabled
    collector.enabled = True
    collector.usage.track_event("seen")
    assert monitor.recorder.recorded == 2
    assert (await monitor.verify()).complete
    with Monitor.open(store=str(tmp_path / "other"), enabled=False) as off:
        off.collector.enabled = True  # there is no spool that could take anything
        assert not off.collector.enabled


@pytest.mark.requirement("spine:python:both-method-sets")
def test_classes_that_two_seeds_name_carry_both_method_sets(monitor: Monitor) -> None:
    sets = {
        MetricsCollector: ["get_usage_stats", "track_cost", "track_dialogue", "flush_metrics"],
        type(monitor.performance): [
            "start_operation", "end_operation", "record_metric",
            "track_request", "get_performance_summary",
        ],
    }  # fmt: skip
    for kind, methods in sets.items():
        for name in methods:
            assert inspect.isfunction(getattr(kind, name)), (kind, name)
    assert {"usage", "performance", "cost"} <= set(vars(monitor.collector))
