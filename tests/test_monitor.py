"""`Monitor` end to end: what an application tells it stands in the tables, and reports say it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lance
import lancedb
import pytest

from contextframe_monitoring import Monitor, MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError, NotFoundError, UnknownKeyError
from contextframe_monitoring.store.schemas import METRIC_TABLES
from tests.clocks import NOW_US, ManualClock

START = dt.datetime.fromtimestamp(NOW_US / 1e6, dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def monitor(tmp_path: Path, clock: ManualClock) -> Iterator[Monitor]:
    store = str(tmp_path / "store")
    with Monitor.open(store=store, name="app", start_keeper=False, clock=clock) as opened:
        yield opened


async def usage(monitor: Monitor, **question: Any) -> dict[str, Any]:
    query = monitor.reports.question("usage", **{"since": "1h", **question})
    report = await monitor.in_thread(lambda: monitor.reports.usage(query))
    return json.loads(report.json_text())


# -- opening


@pytest.mark.requirement("spine:config:toml-and-environment", "001:arch:injection")
def test_a_file_the_environment_and_the_caller_say_how_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "monitoring.toml"
    file.write_text('environment = "file"\nserver = "file"\ntimezone = "Asia/Tokyo"\n')
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_ENVIRONMENT", "variable")
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_SERVER", "variable")
    store = str(tmp_path / "store")
    with Monitor.open(file, store=store, server="caller") as monitor:
        config = monitor.config
    assert (config.store, config.server) == (store, "caller")
    assert (config.environment, config.timezone) == ("variable", "Asia/Tokyo")
    assert monitor.name == "caller"
    with Monitor.open(MonitoringConfig(store=store, environment="own"), name="x") as monitor:
        assert (monitor.config.environment, monitor.name) == ("own", "x")
    with Monitor.open(monitor.config, environment="other") as monitor:
        assert (monitor.config.store, monitor.config.environment) == (store, "other")


def test_a_bad_configuration_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownKeyError, match=r"stroe.*did you mean 'store'"):
        Monitor.open(stroe="x")
    with pytest.raises(UnknownKeyError, match=r"stroe.*did you mean 'store'"):
        Monitor.open(MonitoringConfig(), stroe="x")
    with pytest.raises(InvalidError, match="metrics_retention_days = 0 is not allowed"):
        Monitor.open(metrics_retention_days=0)
    with pytest.raises(NotFoundError, match=r"no-such\.toml"):
        Monitor.open(tmp_path / "no-such.toml")


@pytest.mark.requirement("001:config:no-redis-start")
def test_it_opens_without_any_settings_and_needs_no_server(tmp_path: Path) -> None:
    with Monitor.open(name="app", start_keeper=False) as monitor:
        monitor.usage.track_event("started")
        assert monitor.drain() == 1
    [table] = Path(monitor.store.uri).glob("usage_metrics.lance")
    assert table.is_dir()


# -- every kind of fact, to the tables and back


@pytest.mark.requirement(
    "002:test:integration",
    "001:test:integration",
    "000:event:server-instance",
    "003:tables:id-created",
    "spine:record:operation-id",
    "004:test:accuracy",
)
async def test_every_kind_of_fact_reaches_its_table_once(monitor: Monitor) -> None:
    monitor.usage.track_document_access("doc-1", "read", "agent-1")
    monitor.usage.track_query("SELECT 1", "sql", 1, 2.5, "agent-1")
    monitor.usage.track_event("routed", category="llm")
    monitor.performance.record_metric("queue", 3)
    with monitor.performance.operation("tool_call", "add"):
        pass
    monitor.performance.start_operation("own-id", "tool_call")
    monitor.performance.end_operation("own-id", "success")
    await monitor.cost.track_llm_usage("openai", "gpt-4", 1000, 500, "own-id", "agent-1")
    writer = monitor.recorder.writer
    assert await monitor.flush() == 7
    assert (await monitor.verify()).model_dump(exclude={"findings"}) == {
        "complete": True, "recorded": 7, "stored": 7, "waiting": 0, "expired": 0, "duplicates": 0,
        "gaps": 0, "lost": {},
    }  # fmt: skip
    rows = {name: _rows(monitor.store.uri, name) for name in METRIC_TABLES}
    assert [r["metric_type"] for r in rows["usage_metrics"]] == [
        "document_access", "query", "event", "custom",
    ]  # fmt: skip
    assert [r["operation_id"] for r in rows["performance_metrics"]] == [f"{writer}-o1", "own-id"]
    assert [r["operation_id"] for r in rows["cost_metrics"]] == ["own-id"]
    together = [row for table in rows.values() for row in table]
    assert sorted(row["seq"] for row in together) == [1, 2, 3, 4, 5, 6, 7]
    assert {(r["writer"], r["server"], r["timestamp"]) for r in together} == {
        (writer, "app", START)
    }


def _every_byte_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _rows(store: str, table: str) -> list[dict[str, Any]]:
    rows = lancedb.connect(store).open_table(table).to_arrow().to_pylist()
    assert lance.dataset(f"{store}/{table}.lance").to_table().to_pylist() == rows
    return sorted(rows, key=lambda row: row["seq"])


@pytest.mark.requirement("002:perf:custom-read-back", "spine:python:metric-kinds")
async def test_a_custom_metric_is_read_back_by_tag_and_by_time(
    monitor: Monitor, clock: ManualClock
) -> None:
    for queue, depth in (("mail", 3), ("mail", 5), ("sms", 9)):
        monitor.performance.record_metric("queue_depth", depth, {"queue": queue}, unit="jobs")
        clock.pass_ms(60_000)
    monitor.performance.record_metric("sent", 2, kind="counter")
    monitor.performance.record_metric("sent", 3, kind="counter")
    monitor.performance.record_metric("size", 10, kind="histogram", unit="By")
    found = await usage(monitor, where={"queue": "mail"})
    assert found["metrics"] == [
        {"metric": "queue_depth", "kind": "gauge", "unit": "jobs", "count": 2, "last": 5.0,
         "mean": 4.0, "min": 3.0, "max": 5.0},
    ]  # fmt: skip
    by_tag = await usage(monitor, group_by=("queue",), where={"metric": "queue_depth"})
    assert [(row["category"], row["count"], row["value"]) for row in by_tag["breakdown"]] == [
        ("mail", 2, 8.0),
        ("sms", 1, 9.0),
    ]
    first_minute = await usage(
        monitor, since=START.isoformat(), until=(START + dt.timedelta(seconds=59)).isoformat()
    )
    assert [(m["metric"], m["count"], m["last"]) for m in first_minute["metrics"]] == [
        ("queue_depth", 1, 3.0)
    ]
    everything = {m["metric"]: m for m in (await usage(monitor))["metrics"]}
    assert (everything["sent"]["kind"], everything["sent"]["sum"]) == ("counter", 5.0)
    assert (everything["size"]["kind"], everything["size"]["p99"]) == ("histogram", 10.0)


@pytest.mark.requirement("spine:events:track-event", "spine:events:report")
async def test_events_give_shares_means_and_percentiles(monitor: Monitor) -> None:
    for number in range(10):
        monitor.usage.track_event(
            "tier_selected",
            category="rule_based" if number < 7 else "llm",
            outcome="ok" if number else "failed",
            duration_ms=10 * number,
            numbers={"quality": number / 10},
            attributes={"specialty": "cardiology"},
            operation_id=f"bundle-{number}",
        )
    found = await usage(monitor)
    spread = {"count": 10, "mean": 0.45, "min": 0.0, "p50": 0.45, "p90": 0.81, "p95": 0.855,
              "p99": 0.891, "max": 0.9}  # fmt: skip
    in_ms = {name: round(value * 100, 1) for name, value in spread.items()} | {"count": 10}
    assert found["events"] == [
        {
            "event": "tier_selected",
            "count": 10,
            "categories": [
                {"label": "rule_based", "count": 7, "share": 0.7},
                {"label": "llm", "count": 3, "share": 0.3},
            ],
            "outcomes": [
                {"label": "ok", "count": 9, "share": 0.9},
                {"label": "failed", "count": 1, "share": 0.1},
            ],
            "duration_ms": in_ms,
            "numbers": [{"number": "quality", **spread}],
        }
    ]
    by_specialty = await usage(monitor, group_by=("specialty",))
    assert [(r["category"], r["count"]) for r in by_specialty["breakdown"]] == [("cardiology", 10)]


@pytest.mark.requirement(
    "002:core:usage-tracker",
    "002:usage:click-through",
    "002:usage:collections",
    "002:usage:frequency",
)
async def test_documents_say_how_often_where_and_whether_hits_were_read(
    monitor: Monitor, clock: ManualClock
) -> None:
    for document in ("doc-1", "doc-2", "doc-3", "doc-4"):
        monitor.usage.track_document_access(document, "search_hit", "a", {"collection": "notes"})
    clock.pass_ms(1000)
    monitor.usage.track_document_access("doc-1", "read", "a", collection="notes")
    monitor.usage.track_document_access("doc-1", "update", "a", collection="notes")
    monitor.usage.track_document_access("doc-9", "delete", "b", collection="papers")
    found = await usage(monitor)
    assert found["click_through"] == {
        "search_hits": 4, "clicked": 1, "rate": 0.25, "within_minutes": 30,
    }  # fmt: skip
    assert found["collections"] == [
        {"collection": "notes", "count": 6},
        {"collection": "papers", "count": 1},
    ]
    assert found["top_documents"][0] == {
        "document": "doc-1", "count": 3, "reads": 1, "search_hits": 1, "updates": 1, "deletes": 0,
    }  # fmt: skip
    assert (found["unique_agents"], found["unique_resources"]) == (2, 5)


@pytest.mark.requirement("002:usage:query-patterns", "spine:usage:hashes")
async def test_queries_are_told_apart_by_hash_and_type_and_never_by_text(
    monitor: Monitor, tmp_path: Path
) -> None:
    secret = "SELECT title FROM books WHERE author = 'Eliot'"
    monitor.usage.track_query(secret, "sql", 3, 40.0)
    monitor.usage.track_query(secret, "sql", 5, 50.0)
    monitor.usage.track_query("who wrote Middlemarch?", "vector", 2, 10.0)
    found = await usage(monitor, group_by=("query_type",))
    assert [(row["category"], row["count"]) for row in found["breakdown"]] == [
        ("sql", 2),
        ("vector", 1),
    ]
    most = found["top_queries"][0]
    assert (most["count"], most["avg_duration_ms"], most["avg_results"]) == (2, 45.0, 4.0)
    assert most["shape"] == "SELECT title FROM books WHERE author = ?"
    await monitor.flush()
    stored = _every_byte_below(tmp_path)
    assert b"Eliot" not in stored
    assert b"Middlemarch" not in stored


@pytest.mark.requirement(
    "002:usage:get-usage-stats", "002:usage:group-by", "002:usage:time-patterns"
)
async def test_usage_statistics_are_given_by_hour_day_and_week(
    monitor: Monitor, clock: ManualClock
) -> None:
    start = dt.datetime.fromtimestamp(clock.us / 1e6, dt.UTC)
    for _ in range(9):  # every day for nine days, at the same hour
        monitor.usage.track_document_access("doc-1", "read")
        clock.pass_days(1)
    end = dt.datetime.fromtimestamp(clock.us / 1e6, dt.UTC)
    by_hour = await monitor.usage.get_usage_stats(start, end)
    by_day = await monitor.usage.get_usage_stats(start, end, "day")
    by_week = await monitor.usage.get_usage_stats(start, end, group_by="week")
    assert len(by_hour.breakdown) == len(by_day.breakdown) == 9
    assert by_hour.breakdown[0].category.startswith(f"{START:%Y-%m-%dT%H}:00")
    assert (by_day.breakdown[0].category, by_day.breakdown[0].count) == (f"{START:%Y-%m-%d}", 1)
    assert sum(row.count for row in by_week.breakdown) == 9
    assert [dt.date.fromisoformat(row.category).weekday() for row in by_week.breakdown] == [0, 0]
    assert by_day.pattern.hour_of_day[START.hour] == 9


# -- operations


@pytest.mark.requirement(
    "002:core:performance-monitor",
    "002:perf:operation-types",
    "003:ok:performance-collected",
    "004:ac:performance",
    "004:svc:response-aggregation",
    "004:perf:service-timing",
)
async def test_operations_of_every_type_are_timed_and_counted(
    monitor: Monitor, clock: ManualClock
) -> None:
    for kind in ("tool_call", "resource_read", "subscription"):
        for number in range(4):
            context = await monitor.performance.start_operation(f"{kind}-{number}", kind, "agent-1")
            clock.pass_ms(10 * (number + 1))
            error = "boom" if number == 3 else None
            status = "error" if error else "success"
            await monitor.performance.end_operation(context.operation_id, status, 2048, error)
    query = monitor.reports.question("performance", since="1h", group_by=("operation",))
    report = monitor.reports.performance(query)
    assert (report.total_operations, report.errors, report.error_rate) == (12, 3, 0.25)
    assert [(row.category, row.count, row.avg_ms, row.errors) for row in report.breakdown] == [
        ("resource_read", 4, 25.0, 1),
        ("subscription", 4, 25.0, 1),
        ("tool_call", 4, 25.0, 1),
    ]
    assert report.throughput_per_second == round(12 / 3600, 8)
    summary = await monitor.performance.get_performance_summary("1h")
    assert summary.model_dump() == {
        "total_requests": 12, "avg_response_time": 25.0, "p50": 25.0, "p95": 40.0, "p99": 40.0,
        "errors": 3, "slow_requests": 0,
    }  # fmt: skip


@pytest.mark.requirement("spine:python:unmatched")
async def test_unmatched_operations_are_listed_in_status(monitor: Monitor) -> None:
    monitor.performance.end_operation("never-started", "success")
    monitor.performance.start_operation("a", "tool_call")
    monitor.performance.end_operation("a", "success")
    monitor.performance.end_operation("a", "error")
    monitor.performance.start_operation("b", "tool_call")
    assert (await monitor.status()).active_operations == 1
    monitor.close()
    status = await monitor.status()
    assert status.unmatched_operations == {
        "end_without_start": 1, "never_ended": 1, "second_end": 1,
    }  # fmt: skip
    assert status.active_operations == 0
    report = monitor.reports.performance(monitor.reports.question("performance", since="1h"))
    assert (report.total_operations, report.errors) == (1, 0)


@pytest.mark.requirement("002:perf:resource-utilization")
async def test_use_of_resources_is_a_gauge_with_its_peak(
    monitor: Monitor, clock: ManualClock
) -> None:
    for share in (0.25, 0.75, 0.5):
        monitor.performance.record_metric("process.cpu.utilization", share, unit="1")
        clock.pass_ms(1000)
    [metric] = (await usage(monitor))["metrics"]
    assert (metric["last"], metric["mean"], metric["max"]) == (0.5, 0.5, 0.75)


@pytest.mark.requirement("002:handler:own-class")
async def test_a_hand_written_handler_is_watched_with_one_block(
    monitor: Monitor, clock: ManualClock
) -> None:
    class Handler:
        async def handle_message(self, message: dict[str, Any]) -> dict[str, Any]:
            async with monitor.performance.operation(
                message["method"], message["params"]["name"], agent_id=message["agent"]
            ) as operation:
                clock.pass_ms(20)
                answer = {"sum": 6 / message["params"]["by"]}
                operation.result_size = len(json.dumps(answer))
                return answer

    handler = Handler()
    call = {"method": "tools/call", "agent": "agent-1", "params": {"name": "divide", "by": 2}}
    assert await handler.handle_message(call) == {"sum": 3.0}
    with pytest.raises(ZeroDivisionError):
        await handler.handle_message({**call, "params": {"name": "divide", "by": 0}})
    await monitor.flush()
    columns = ("operation_type", "target", "agent_id", "status", "error_type", "duration_ms",
               "result_size")  # fmt: skip
    rows = _rows(monitor.store.uri, "performance_metrics")
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("tools/call", "divide", "agent-1", "success", None, 20.0, 12),
        ("tools/call", "divide", "agent-1", "error", "ZeroDivisionError", 20.0, None),
    ]


# -- switches


@pytest.mark.requirement("spine:config:disabled-is-said", "002:config:enabled")
async def test_switched_off_it_takes_everything_records_nothing_and_says_so(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    with Monitor.open(store=str(store), enabled=False) as monitor:
        monitor.usage.track_document_access("doc-1", "read")
        with monitor.performance.operation("tool_call"):
            pass
        assert await monitor.cost.track_llm_usage("openai", "gpt-4", 1000, 500)
        status = await monitor.status()
    assert (status.status, status.enabled, status.recorded) == ("disabled", False, 0)
    assert not store.exists()


@pytest.mark.requirement("spine:config:no-cost-rows", "002:config:track-costs")
async def test_without_cost_tracking_prices_are_told_and_no_row_is_written(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    with Monitor.open(store=store, track_costs=False, start_keeper=False) as monitor:
        cost = await monitor.cost.track_llm_usage("openai", "gpt-4", 1000, 500)
        await monitor.cost.track_storage_usage("read", 2**30)
        monitor.cost.track_known_cost("openai", "chat", 1)
        monitor.usage.track_event("routed")
        assert await monitor.flush() == 1
        verified = await monitor.verify()
    assert str(cost) == "0.06"
    assert not (tmp_path / "store" / "cost_metrics.lance").exists()
    assert (verified.complete, verified.recorded, verified.lost) == (True, 1, {})


@pytest.mark.requirement("spine:fault:undisturbed", "001:arch:fallbacks", "001:test:edge")
async def test_a_store_that_can_not_be_written_disturbs_nobody_and_counts(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    with Monitor.open(store=str(file), start_keeper=False) as monitor:
        monitor.usage.track_event("routed")
        with monitor.performance.operation("tool_call") as operation:
            operation.result_size = 1
        assert await monitor.cost.track_llm_usage("openai", "gpt-4", 1000, 500)
    assert monitor.recorder.losses == {"unavailable": 3}
    assert monitor.recorder.last_error is not None
    assert file.read_text() == "in the way"


async def test_two_monitors_in_one_process_keep_apart(tmp_path: Path) -> None:
    first = Monitor.open(store=str(tmp_path / "a"), name="first", start_keeper=False)
    second = Monitor.open(store=str(tmp_path / "b"), name="second", start_keeper=False)
    shared = Monitor.open(store=str(tmp_path / "a"), name="third", start_keeper=False)
    for monitor, count in ((first, 1), (second, 2), (shared, 3)):
        for _ in range(count):
            monitor.usage.track_event("x")
        monitor.close()
    assert await first.flush() == 4
    assert await second.flush() == 2
    assert {row["server"] for row in _rows(first.store.uri, "usage_metrics")} == {"first", "third"}
    assert {row["server"] for row in _rows(second.store.uri, "usage_metrics")} == {"second"}


@pytest.mark.requirement("spine:input:attributes", "spine:privacy:bounded")
@pytest.mark.parametrize(
    "value", ["x" * 1_000_000, "a\0b", "lone\ud800"], ids=["1 MB", "NUL", "lone surrogate"]
)
async def test_texts_of_any_size_and_kind_are_stored_bounded_and_read_back(
    monitor: Monitor, value: str
) -> None:
    usage, performance = monitor.usage, monitor.performance
    usage.track_event(value, category=value, attributes={value: value})
    usage.track_document_access(value, "read", value, {value: value})
    usage.track_query(value, "text", 1, 1, value)
    performance.record_metric(value, 1, {value: value})
    with performance.operation(value, value, attributes={value: value}):
        pass
    await monitor.cost.track_llm_usage(
        "openai", "gpt-4", 1, 1, value, value, purpose=value, metadata={value: value}
    )
    assert await monitor.flush() == 6
    proof = await monitor.verify()
    assert (proof.complete, proof.stored, proof.lost) == (True, 6, {})
    for kind in ("usage", "performance", "cost"):
        query = monitor.reports.question(kind, since="1h")
        assert len(getattr(monitor.reports, kind)(query).json_text()) < 20_000
    for subject in ("usage", "performance", "cost"):
        assert len(monitor.export(subject, "json", since="1h").content or "") < 20_000
