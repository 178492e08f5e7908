"""Prometheus' remote write 1.0: the samples that a scrape would give, pushed.

The body is the protobuf message `prometheus.WriteRequest`, written by hand (it has three fields at
each of three levels), in the block format of Snappy.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.core.target_settings import RemoteWriteTarget
from contextframe_monitoring.export import exposition
from contextframe_monitoring.export.exposition import Named
from contextframe_monitoring.export.prometheus import PrometheusExposition
from contextframe_monitoring.export.targets.credentials import headers_of, revealed
from contextframe_monitoring.export.targets.exporter import Delivered, Setting
from contextframe_monitoring.export.targets.post import Post, Trust
from contextframe_monitoring.export.targets.step import Step
from contextframe_monitoring.store.machine import SystemClock

SAMPLES_MAX = 5000
"""Of one request."""
_US_PER_MS = 1000
_Sample = tuple[dict[str, str], float]


class RemoteWriteExporter:
    """Pushes the totals of a store, under the names that Prometheus scrapes."""

    def __init__(self, setting: Setting) -> None:
        """Raises `InvalidError` for bad settings, `UnavailableError` without the extra."""
        try:
            from cramjam import snappy
        except ImportError as error:
            raise UnavailableError(
                "targets of type remote_write need the extra: "
                "pip install contextframe-monitoring[remote-write]"
            ) from error
        self._compress = snappy.compress_raw
        target = cast("RemoteWriteTarget", setting.target)
        key = f"targets.{setting.name}"
        protocol = {"Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
        self._post = Post(
            revealed(target.url, f"{key}.url", setting.environ),
            key=f"{key}.url",
            headers=protocol | headers_of(target.headers, f"{key}.headers", setting.environ),
            timeout_seconds=target.timeout_seconds,
            trust=Trust(ca_file=target.ca_file),
        )
        self._exposition: PrometheusExposition | None = None

    def export(self, step: Step) -> Delivered:
        """Push everything as it stands at the end of a step. Raises `TargetError`."""
        if self._exposition is None:  # kept: it remembers which metric has which name
            self._exposition = PrometheusExposition(
                step.store, clock=SystemClock(), totals=step.everything
            )
        samples = [s for named in self._exposition.named() for s in _samples(named)]
        for start in range(0, len(samples), SAMPLES_MAX):
            body = request(samples[start : start + SAMPLES_MAX], step.end_us // _US_PER_MS)
            self._post.send(bytes(self._compress(body)), "application/x-protobuf")
        return Delivered(sent=len(samples))

    def close(self) -> None:
        """Nothing is held open."""


def _samples(named: Named) -> Iterator[_Sample]:
    family, name = named.family, named.name
    bounds = [*map(exposition.number, family.bounds), "+Inf"]
    for point, labels in zip(family.points, named.labels, strict=True):
        if family.kind == "counter":
            yield {"__name__": f"{name}_total", **labels}, point.value
        elif family.kind == "gauge":
            yield {"__name__": name, **labels}, point.value
        else:
            if family.kind == "histogram":
                for bound, count in zip(bounds, itertools.accumulate(point.counts), strict=True):
                    yield {"__name__": f"{name}_bucket", **labels, "le": bound}, count
            yield {"__name__": f"{name}_count", **labels}, sum(point.counts)
            yield {"__name__": f"{name}_sum", **labels}, point.value


def request(samples: Iterable[_Sample], time_ms: int) -> bytes:
    """Return a WriteRequest with one sample for each series."""
    return b"".join(_field(1, _series(labels, value, time_ms)) for labels, value in samples)


def _series(labels: Mapping[str, str], value: float, time_ms: int) -> bytes:
    pairs = (
        _field(1, _field(1, key.encode()) + _field(2, labels[key].encode()))
        for key in sorted(labels)
        if labels[key]
    )
    sample = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(time_ms)
    return b"".join(pairs) + _field(2, sample)


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
