"""Families as OTLP metrics: sums, gauges, exponential histograms (scale 5).

A summary (number and sum of values) is a histogram with a single bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from contextframe_monitoring.core.histogram import SCALE
from contextframe_monitoring.export.metrics.instruments import Family, Point
from contextframe_monitoring.store.machine import own_version

SCOPE = "contextframe-monitoring"
POINTS_MAX = 2000
"""Of one request."""
_NS_PER_US = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that values are for, in microseconds, and whether they are for it alone."""

    start_us: int
    end_us: int
    delta: bool

    @property
    def times(self) -> dict[str, Any]:
        """The two times as OTLP has them."""
        return {
            "start_time_unix_nano": self.start_us * _NS_PER_US,
            "time_unix_nano": self.end_us * _NS_PER_US,
        }

    @property
    def temporality(self) -> AggregationTemporality.ValueType:
        """The same in OTLP's word."""
        if self.delta:
            return AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
        return AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


def requests(
    parts: Sequence[tuple[Span, Sequence[Family]]], resource: Mapping[str, str]
) -> Iterator[tuple[int, bytes]]:
    """Yield request after request: the number of its points, and its bytes."""
    metrics: list[Metric] = []
    points = 0
    for span, families in parts:
        for family in families:
            for start in range(0, len(family.points), POINTS_MAX):
                some = family.points[start : start + POINTS_MAX]
                if points and points + len(some) > POINTS_MAX:
                    yield points, _request(metrics, resource)
                    metrics, points = [], 0
                metrics.append(_metric(family, some, span))
                points += len(some)
    if points:
        yield points, _request(metrics, resource)


def _request(metrics: Iterable[Metric], resource: Mapping[str, str]) -> bytes:
    scope = InstrumentationScope(name=SCOPE, version=own_version())
    found = ResourceMetrics(
        resource=Resource(attributes=attributes(resource)),
        scope_metrics=[ScopeMetrics(scope=scope, metrics=metrics)],
    )
    body: bytes = ExportMetricsServiceRequest(resource_metrics=[found]).SerializeToString()
    return body


def attributes(values: Mapping[str, Any]) -> list[KeyValue]:
    """Return attributes: texts and whole numbers."""
    return [
        KeyValue(
            key=key,
            value=AnyValue(int_value=value)
            if isinstance(value, int)
            else AnyValue(string_value=value),
        )
        for key, value in values.items()
    ]


def _metric(family: Family, points: Sequence[Point], span: Span) -> Metric:
    metric = Metric(name=family.name, description=family.text, unit=family.unit)
    if family.kind == "gauge":
        metric.gauge.data_points.extend(_number(point, span) for point in points)
    elif family.kind == "counter":
        metric.sum.data_points.extend(_number(point, span) for point in points)
        metric.sum.is_monotonic = True
        metric.sum.aggregation_temporality = span.temporality
    elif family.kind == "histogram":
        metric.exponential_histogram.data_points.extend(_exponential(p, span) for p in points)
        metric.exponential_histogram.aggregation_temporality = span.temporality
    else:
        metric.histogram.data_points.extend(_single(point, span) for point in points)
        metric.histogram.aggregation_temporality = span.temporality
    return metric


def _number(point: Point, span: Span) -> NumberDataPoint:
    named = attributes(point.labels)
    if isinstance(point.value, int) or (point.value.is_integer() and abs(point.value) < 1 << 53):
        return NumberDataPoint(attributes=named, as_int=int(point.value), **span.times)
    return NumberDataPoint(attributes=named, as_double=point.value, **span.times)


def _single(point: Point, span: Span) -> HistogramDataPoint:
    count = sum(point.counts)
    return HistogramDataPoint(
        attributes=attributes(point.labels),
        count=count,
        sum=point.value,
        bucket_counts=[count],
        **span.times,
    )


def _exponential(point: Point, span: Span) -> ExponentialHistogramDataPoint:
    found = ExponentialHistogramDataPoint(
        attributes=attributes(point.labels),
        count=sum(point.counts),
        sum=point.value,
        scale=SCALE,
        **span.times,
    )
    if point.distribution is None:
        return found
    fine = point.distribution()
    found.zero_count = fine.zeros
    buckets = fine.buckets
    if buckets:
        low, high = buckets[0][0], buckets[-1][0]
        counts = [0] * (high - low + 1)
        for bucket, count in buckets:
            counts[bucket - low] = count
        found.positive.offset = low
        found.positive.bucket_counts.extend(counts)
    if fine.low <= fine.high:
        found.min, found.max = fine.low, fine.high
    for exemplar in point.exemplars.values():
        found.exemplars.add(
            trace_id=bytes.fromhex(exemplar.trace_id),
            as_double=exemplar.value,
            time_unix_nano=exemplar.time_us * _NS_PER_US,
        )
    return found
