"""`PerformanceMonitor`: operations with any end, custom metrics, HTTP requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.records import (
    OWN_SERVER,
    UNMATCHED_EVENT,
    EventRecord,
    MetricRecord,
    OperationRecord,
    Origin,
    Record,
)
from contextframe_monitoring.ingest import performance as module
from contextframe_monitoring.ingest.origins import Origins
from contextframe_monitoring.ingest.performance import PerformanceMonitor
from contextframe_monitoring.ingest.recorder import Recorder
from tests.clocks import NOW_US, ManualClock

Records = Callable[[], list[Record]]


@pytest.fixture
def performance(
    recorder: Recorder, origins: Origins, config: MonitoringConfig, clock: ManualClock
) -> PerformanceMonitor:
    return PerformanceMonitor(recorder, origins, config, clock)


@pytest.mark.requirement("002:perf:start-operation", "002:perf:end-operation")
async def test_an_operation_is_one_record_with_its_monotonic_duration(
    performance: PerformanceMonitor, clock: ManualClock, records: Records
) -> None:
    context = await performance.start_operation("op-1", "tool_call", "agent-1")
    clock.pass_ms(12.5)
    clock.us -= 3_600_000_000  # the wall clock steps back: durations don't care
    await performance.end_operation("op-1", "error", 10, "failed with password=hunter2")
    assert context.operation_id == "op-1"
    assert records() == [
        OperationRecord(
            time_us=NOW_US,
            operation_type="tool_call",
            status="error",
            duration_ms=12.5,
            operation_id="op-1",
            error="failed with [masked]",
            result_size=10,
            origin=Origin(
                server="app",
                agent_id="agent-1",
                agent_source="application",
                environment="test",
            ),
        )
    ]


@pytest.mark.requirement("spine:python:operation-block", "002:perf:status")
@pytest.mark.parametrize(
    ("error", "status", "error_type"),
    [
        (None, "success", None),
        (ValueError("secret"), "error", "ValueError"),
        (TimeoutError(), "timeout", "TimeoutError"),
        (asyncio.CancelledError(), "cancelled", None),
        (KeyboardInterrupt(), "cancelled", None),
    ],
)
async def test_leaving_a_block_ends_its_operation(
    performance: PerformanceMonitor,
    records: Records,
    error: BaseException | None,
    status: str,
    error_type: str | None,
) -> None:
    def leave() -> None:
        if error is not None:
            raise error

    try:
        with performance.operation("resource_read", "doc-1"):
            leave()
    except BaseException as caught:  # noqa: BLE001 - the very exception must come through
        assert caught is error
    try:
        async with performance.operation("resource_read", "doc-1"):
            leave()
    except BaseException as caught:  # noqa: BLE001 - the very exception must come through
        assert caught is error
    found = [r for r in records() if isinstance(r, OperationRecord)]
    assert [(r.status, r.error_type, r.error, r.target) for r in found] == [
        (status, error_type, None, "doc-1")
    ] * 2


def test_a_block_may_say_its_own_result(performance: PerformanceMonitor, records: Records) -> None:
    with performance.operation("tool_call") as operation:
        operation.status, operation.result_size = "input_required", 7
    [record] = records()
    assert isinstance(record, OperationRecord)
    assert (record.status, record.result_size) == ("input_required", 7)
    assert record.operation_id is not None


def test_error_texts_of_blocks_are_stored_only_when_allowed(
    recorder: Recorder, origins: Origins, clock: ManualClock, records: Records
) -> None:
    config = MonitoringConfig(store_error_texts=True)
    performance = PerformanceMonitor(recorder, origins, config, clock)
    with pytest.raises(ValueError, match="token"), performance.operation("x"):
        raise ValueError("token=abc is wrong")
    [record] = records()
    assert isinstance(record, OperationRecord)
    assert record.error == "[masked] is wrong"


@pytest.mark.requirement("spine:python:unmatched")
def test_unmatched_ends_and_starts_are_counted_listed_and_harmless(
    performance: PerformanceMonitor, recorder: Recorder, records: Records
) -> None:
    performance.end_operation("never", "success")
    performance.start_operation("twice", "x")
    performance.end_operation("twice", "success")
    performance.end_operation("twice", "success")
    performance.start_operation("restarted", "x")
    performance.start_operation("restarted", "x")
    performance.start_operation("open", "x")
    assert performance.active == 2
    performance.close()
    events = [r for r in records() if isinstance(r, EventRecord)]
    assert [(e.name, e.category, e.operation_id, e.origin.server) for e in events] == [
        (UNMATCHED_EVENT, "end_without_start", "never", OWN_SERVER),
        (UNMATCHED_EVENT, "second_end", "twice", OWN_SERVER),
        (UNMATCHED_EVENT, "never_ended", "restarted", OWN_SERVER),
        (UNMATCHED_EVENT, "never_ended", "restarted", OWN_SERVER),
        (UNMATCHED_EVENT, "never_ended", "open", OWN_SERVER),
    ]
    assert performance.unmatched == {"end_without_start": 1, "second_end": 1, "never_ended": 3}
    assert performance.active == 0


def test_operations_that_never_end_are_bounded(
    performance: PerformanceMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PENDING_MAX", 3)
    for number in range(5):
        performance.start_operation(f"op-{number}", "x")
    assert performance.active == 3
    assert performance.unmatched == {"never_ended": 2}


@pytest.mark.requirement("002:perf:record-metric")
def test_a_custom_metric_is_recorded_with_kind_unit_and_tags(
    performance: PerformanceMonitor, records: Records
) -> None:
    performance.record_metric("queue_depth", 3, {"queue": "mail"}, "gauge", "{item}")
    assert records() == [
        MetricRecord(
            time_us=NOW_US,
            name="queue_depth",
            value=3.0,
            kind="gauge",
            unit="{item}",
            attributes=("queue=mail",),
            origin=Origin(server="app", environment="test"),
        )
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p: p.record_metric("x", -1, kind="counter"),
            "value = -1 is not allowed: expected 0 or more",
        ),
        (
            lambda p: p.record_metric("x", 1, kind="summary"),
            "kind = 'summary' is not allowed: expected one of gauge, counter, histogram",
        ),
        (
            lambda p: p.end_operation("x", "fine"),
            "status = 'fine' is not allowed: "
            "expected one of success, error, timeout, cancelled, input_required",
        ),
        (
            lambda p: p.start_operation("x", ""),
            "operation_type = '' is not allowed: expected a string that is not empty",
        ),
    ],
)
def test_a_wrong_argument_is_refused_by_name(
    performance: PerformanceMonitor, call: Callable[[PerformanceMonitor], object], message: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        call(performance)
    assert str(caught.value) == message


def _request(path: str, route: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(
        method="GET",
        url=SimpleNamespace(path=path),
        scope={} if route is None else {"route": SimpleNamespace(path=route)},
        state=SimpleNamespace(user_id=7),
    )


@pytest.mark.requirement(
    "003:perf:track-request",
    "003:ptab:name",
    "003:ptab:endpoint",
    "003:ptab:method",
    "003:ptab:status-code",
    "003:ptab:response-time",
    "003:ptab:user-id",
)
def test_an_http_request_is_an_operation(performance: PerformanceMonitor, records: Records) -> None:
    ok, broken = SimpleNamespace(status_code=200), SimpleNamespace(status_code=503)
    performance.track_request(_request("/books/12", "/books/{id}"), ok, 0.25)
    performance.track_request(_request("/books?q=secret"), broken, 3)
    found = [r for r in records() if isinstance(r, OperationRecord)]
    assert [
        (r.operation_type, r.target, r.status, r.status_code, r.duration_ms, r.origin.user_id)
        for r in found
    ] == [
        ("http GET", "/books/{id}", "success", 200, 250.0, "7"),
        ("http GET", "/books", "error", 503, 3000.0, "7"),
    ]
    assert found[1].time_us == NOW_US - 3_000_000


def test_operations_in_flight_are_shown_in_the_spool(
    performance: PerformanceMonitor, recorder: Recorder, tmp_path: object
) -> None:
    del tmp_path
    first = performance.operation("x")
    performance.operation("x")
    assert recorder.spool is not None
    with first:
        assert performance.active == 2
    assert performance.active == 1
