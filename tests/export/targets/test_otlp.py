"""OTLP out: what a collector decodes is what stands in the store."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from contextframe_monitoring.core.histogram import bucket_of
from tests.export.stores import NOW_US, Filled, cost, event, metric, operation
from tests.export.targets.conftest import To
from tests.export.targets.receivers import receiver

TRACE = "0af7651916cd43dd8448eb211c80319c"
S = 1_000_000


def labels(point: Any) -> dict[str, str]:
    return {a.key: a.value.string_value for a in point.attributes}


@pytest.mark.requirement("export:otlp:metrics", "export:targets:custom")
def test_a_collector_decodes_sums_gauges_and_exponential_histograms(filled: Filled, to: To) -> None:
    filled.drain(
        operation(correlation_id=TRACE),
        operation(duration_ms=50.0),
        operation(duration_ms=0.0),
        cost(),
        cost(amount_nano_usd=-5),
        event(),
        metric(unit="1", attributes=("region=eu", "user=u1")),
        metric(name="orders", kind="counter", value=2.5),
    )
    with receiver() as collector:
        state = to(type="otlp", endpoint=collector.url).run(NOW_US)
        assert state is not None
        assert (state.failures, state.last_error) == (0, None)
        found = collector.metrics()
    [calls] = found["mcp.server.operation.duration"].exponential_histogram.data_points
    assert (calls.count, calls.sum, calls.scale, calls.zero_count) == (3, 0.0625, 5, 1)
    assert (calls.min, calls.max) == (0.0, 0.05)
    import numpy as np

    low, high = bucket_of(np.array([0.0125, 0.05])).tolist()
    assert calls.positive.offset == low
    assert list(calls.positive.bucket_counts) == [1, *([0] * (high - low - 1)), 1]
    assert [e.trace_id.hex() for e in calls.exemplars] == [TRACE]
    assert labels(calls) == {
        "server": "git", "mcp.method.name": "tools/call", "gen_ai.tool.name": "git_log",
    }  # fmt: skip
    amount = found["contextframe_monitoring.cost"]
    assert (amount.unit, amount.sum.is_monotonic) == ("USD", True)
    assert amount.sum.aggregation_temporality == (
        AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    )
    assert [point.as_double for point in amount.sum.data_points] == [0.06]
    twin = found["contextframe_monitoring.cost.negative"]
    assert [point.as_double for point in twin.sum.data_points] == [5e-9]
    [gauge] = found["queue.depth"].gauge.data_points
    assert (gauge.as_int, labels(gauge)) == (7, {"server": "git", "region": "eu"})
    assert [p.as_double for p in found["orders"].sum.data_points] == [2.5]
    numbers = found["contextframe_monitoring.event.number"].histogram.data_points
    assert [(p.count, p.sum, list(p.bucket_counts)) for p in numbers] == [(1, 0.75, [1])]
    assert [p.as_int for p in found["contextframe_monitoring.stored"].sum.data_points] == [8]


@pytest.mark.requirement("export:otlp:metrics", "export:targets:schedule")
def test_deltas_hold_what_is_new_and_go_on_in_another_process(filled: Filled, to: To) -> None:
    filled.drain(operation(), operation())
    with receiver() as collector:
        told = {"type": "otlp", "endpoint": collector.url, "temporality": "delta"}
        to(**told).run(NOW_US)
        first = collector.metrics()["contextframe_monitoring.operations"].sum
        filled.drain(operation(), operation(), operation())
        to(**told).run(NOW_US + 61 * S)
        second = collector.metrics()["contextframe_monitoring.operations"].sum
        to(**told).run(NOW_US + 122 * S)
        third = collector.metrics()
    assert first.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    [a], [b] = first.data_points, second.data_points
    assert [p.as_int for p in (a, b)] == [2, 3]
    assert b.start_time_unix_nano == a.time_unix_nano == NOW_US * 1000
    assert b.time_unix_nano == (NOW_US + 61 * S) * 1000
    assert "contextframe_monitoring.operations" not in third
    assert "contextframe_monitoring.stored" in third


@pytest.mark.requirement("export:otlp:away")
def test_while_the_collector_is_away_nothing_is_lost(filled: Filled, to: To) -> None:
    with receiver(status=503) as collector:
        told = {"type": "otlp", "endpoint": collector.url, "temporality": "delta"}
        now, counted = NOW_US, []
        for number in range(4):
            filled.drain(*(operation() for _ in range(number + 1)))
            state = to(**told).run(now)  # every try is another process
            now += 700 * S
            assert state is not None
            assert (state.failures, state.failing_since_us) == (number + 1, NOW_US)
        collector.status = 200
        while not (state and state.batch == 4):
            state = to(**told).run(now)
            points = collector.metrics()["contextframe_monitoring.operations"].sum.data_points
            counted += [point.as_int for point in points]
    assert counted == [1, 9]
    assert (state.failures, state.last_error, state.sent) == (0, None, state.sent)


def test_what_arrived_of_a_step_is_not_sent_again(
    filled: Filled, to: To, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contextframe_monitoring.export.targets.otlp_metrics.POINTS_MAX", 3)
    filled.drain(*(operation(target=f"tool{n}") for n in range(5)))
    with receiver(statuses=[200, 500]) as collector:
        delivery = to(type="otlp", endpoint=collector.url, temporality="delta")
        delivery.run(NOW_US)
        tried = len(collector.taken)
        delivery.run(NOW_US + 60 * S)
    assert tried == 1
    bodies = [taken.body for taken in collector.taken]
    assert len(set(bodies)) == len(bodies) > 3


@pytest.mark.requirement("export:otlp:spans")
@pytest.mark.requirement("001:obs:distributed-tracing")
def test_operations_are_spans_of_their_trace(filled: Filled, to: To) -> None:
    filled.drain(
        operation(correlation_id=TRACE, attributes=("parent_span_id=00f067aa0ba902b7", "a=b")),
        operation(operation_id="op-2", status="error", error_type="tool_error", direction="out"),
        operation(operation_type="summarise", target=None, operation_id="op-3"),
    )
    with receiver() as collector:
        to(type="otlp", endpoint=collector.url, signals=["traces"]).run(NOW_US)
        spans = collector.spans()
        assert [taken.path for taken in collector.taken] == ["/v1/traces"]
    assert {service for service, _ in spans} == {"git"}
    one, two, three = (span for _, span in spans)
    digest = hashlib.blake2b(b"op-1", digest_size=8).hexdigest()
    assert (one.trace_id.hex(), one.span_id.hex()) == (TRACE, digest)
    assert one.parent_span_id.hex() == "00f067aa0ba902b7"
    assert (one.name, one.kind) == ("tools/call git_log", 2)
    assert one.start_time_unix_nano == NOW_US * 1000
    assert one.end_time_unix_nano - one.start_time_unix_nano == 12_500_000
    assert labels(one) == {
        "mcp.method.name": "tools/call", "contextframe_monitoring.status": "success",
        "gen_ai.tool.name": "git_log", "gen_ai.operation.name": "execute_tool",
        "network.transport": "pipe", "gen_ai.agent.id": "claude", "mcp.session.id": "s1",
    }  # fmt: skip
    assert (two.status.code, labels(two)["error.type"], two.kind) == (2, "tool_error", 3)
    assert (three.name, three.kind, three.status.code) == ("summarise", 1, 0)
    assert len({span.trace_id for _, span in spans}) == 3


@pytest.mark.requirement("export:otlp:environment")
def test_the_standard_environment_is_honoured(filled: Filled, to: To) -> None:
    filled.drain(operation())
    with receiver() as collector:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.url}/own/metrics",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-a=b%20c, x-d=e",
            "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION": "none",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
            "OTEL_SERVICE_NAME": "mine",
        }
        state = to(environ, type="otlp").run(NOW_US)
        assert state is not None
        assert state.failures == 0
        [taken] = collector.taken
    assert taken.path == "/own/metrics"
    assert (taken.headers["x-a"], taken.headers["x-d"]) == ("b c", "e")
    assert "Content-Encoding" not in taken.headers
    assert b"mine" in taken.body


def test_points_that_the_collector_refuses_are_counted_and_said(filled: Filled, to: To) -> None:
    filled.drain(operation())
    partial = ExportMetricsPartialSuccess(rejected_data_points=2, error_message="too\nold" * 200)
    body = ExportMetricsServiceResponse(partial_success=partial).SerializeToString()
    with receiver(body=body) as collector:
        state = to(type="otlp", endpoint=collector.url).run(NOW_US)
    assert state is not None
    assert (state.rejected, state.failures) == (2, 0)
    assert state.last_error is not None
    assert len(state.last_error) == 300
    assert state.last_error.startswith(f"{collector.url}: too oldtoo old")


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "PROTOCOL = 'grpc' is not allowed: expected http",
        ),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "TIMEOUT = 'soon' is not allowed: expected milli"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "br"}, "COMPRESSION = 'br' is not allowed"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "hunter2"}, "HEADERS = (not shown) is not allowed"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://h"}, "endpoint = (not shown) is not allowed"),
        ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "none.pem"}, "ca_file = 'none.pem' is not allowed"),
        ({"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "x"}, "PREFERENCE = 'x' is not"),
    ],
)
def test_a_bad_environment_is_named(
    filled: Filled, to: To, environ: dict[str, str], message: str
) -> None:
    filled.drain(operation())
    state = to({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://h", **environ}, type="otlp").run(NOW_US)
    assert state is not None
    assert state.last_error is not None
    assert message in state.last_error
    assert "hunter2" not in state.last_error
