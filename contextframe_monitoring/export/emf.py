"""Families as lines of CloudWatch's embedded metric format: JSON that a log agent takes along.

A line holds the metrics of one label set. A histogram is an object of values, counts, minimum,
maximum, number and sum, as the OpenTelemetry exporter for CloudWatch writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from contextframe_monitoring.export.cloudwatch_words import (
    dimensions_of,
    name_of,
    unit_of,
    value_of,
    values_and_counts,
)
from contextframe_monitoring.export.metrics.instruments import Family, Point

METRICS_MAX = 100
"""Of one line."""
VALUES_MAX = 100
"""Of one histogram."""
_US_PER_MS = 1000

_Named = tuple[str, str, Any]
"""Name, unit and value of one metric."""


def lines(families: Iterable[Family], namespace: str, time_us: int) -> Iterator[bytes]:
    """Yield the lines, each with its end."""
    by_labels: dict[tuple[tuple[str, str], ...], list[_Named]] = {}
    for family in families:
        for point in family.points:
            labels = tuple(sorted(dimensions_of(point.labels).items()))
            by_labels.setdefault(labels, []).extend(_metrics(family, point))
    encode = msgspec.json.encode
    for labels, metrics in by_labels.items():
        for start in range(0, len(metrics), METRICS_MAX):
            line = _line(dict(labels), metrics[start : start + METRICS_MAX], namespace, time_us)
            yield encode(line) + b"\n"


def _line(
    labels: dict[str, str], metrics: list[_Named], namespace: str, time_us: int
) -> dict[str, Any]:
    directive = {
        "Namespace": namespace,
        "Dimensions": [list(labels)],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit, _ in metrics],
    }
    head = {"Timestamp": time_us // _US_PER_MS, "CloudWatchMetrics": [directive]}
    return {"_aws": head, **labels, **{name: value for name, _, value in metrics}}


def _metrics(family: Family, point: Point) -> Iterator[_Named]:
    name = name_of(family.name)
    unit = unit_of(family.unit, counted=family.kind == "counter")
    if family.kind == "summary":
        yield f"{name}.count", "Count", sum(point.counts)
        yield f"{name}.sum", unit, value_of(point.value)
    elif point.distribution is None:
        yield name, unit, value_of(point.value)
    else:
        fine = point.distribution()
        values, counts = values_and_counts(fine, VALUES_MAX)
        if values:
            yield (
                name,
                unit,
                {
                    "Values": values,
                    "Counts": counts,
                    "Min": value_of(fine.low),
                    "Max": value_of(fine.high),
                    "Count": sum(point.counts),
                    "Sum": value_of(point.value),
                },
            )
