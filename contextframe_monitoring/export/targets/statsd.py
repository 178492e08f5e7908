"""StatsD over UDP: counters, gauges, and histograms as timings with a sample rate."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import cast

from contextframe_monitoring.core.histogram import middle_of
from contextframe_monitoring.core.target_settings import StatsdTarget
from contextframe_monitoring.export.metrics.instruments import Family, Point
from contextframe_monitoring.export.targets.exporter import Delivered, Setting, TargetError
from contextframe_monitoring.export.targets.step import Step

DATAGRAM_BYTES_MAX = 1400
"""Fits into an Ethernet frame."""
_MS = {"s": 1000.0, "ms": 1.0, "us": 1e-3}


class StatsdExporter:
    """Sends what a step added up to. Nobody answers, so what is lost on the way is lost."""

    def __init__(self, setting: Setting) -> None:
        """Nothing is opened yet."""
        self._target = cast("StatsdTarget", setting.target)

    def export(self, step: Step) -> Delivered:
        """Send a step. Raises `TargetError` where the name is unknown or the network refuses."""
        target = self._target
        found = [
            line
            for families, delta in ((step.deltas(), True), (step.monitor(), False))
            for family in families
            for line in self._lines(family, delta=delta)
        ]
        try:
            infos = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = infos[0]
            with socket.socket(family, kind, protocol) as sender:
                sender.settimeout(target.timeout_seconds)
                for datagram in _datagrams(found):
                    sender.sendto(datagram, address)
        except OSError as error:
            where = f"statsd {target.host}:{target.port}"
            raise TargetError(where, error.strerror or type(error).__name__) from None
        return Delivered(sent=len(found))

    def _lines(self, family: Family, *, delta: bool) -> Iterator[bytes]:
        for point in family.points:
            name, end = self._name(family.name, point)
            if family.kind == "summary":
                yield f"{name}.count:{sum(point.counts)}|c{end}".encode()
                yield f"{name}.sum:{point.value:.15g}|c{end}".encode()
            elif family.kind == "histogram":
                yield from _timings(name, end, family.unit, point)
            else:
                kind = "c" if family.kind == "counter" and delta else "g"
                if kind == "g" and point.value < 0:
                    yield f"{name}:0|g{end}".encode()  # a sign alone would mean a change
                yield f"{name}:{point.value:.15g}|{kind}{end}".encode()

    def _name(self, name: str, point: Point) -> tuple[str, str]:
        """Return the name of a line and what stands at its end."""
        full = _plain(self._target.prefix + name)
        if self._target.tags:
            pairs = (f"{_plain(k)}:{_plain(v)}" for k, v in sorted(point.labels.items()))
            tags = ",".join(pairs)
            return full, f"|#{tags}" if tags else ""
        values = (_plain(v).replace(".", "_") for _, v in sorted(point.labels.items()))
        return ".".join([full, *values]), ""


def _timings(name: str, end: str, unit: str, point: Point) -> Iterator[bytes]:
    """Yield a line for each fine bucket: its middle, and how many such there are as sample rate."""
    if point.distribution is None:
        return
    fine = point.distribution()
    scale = _MS.get(unit, 1.0)
    kind = "ms" if unit in _MS else "h"
    found = [(0.0, fine.zeros)] if fine.zeros else []
    found += [(float(middle_of(bucket)), count) for bucket, count in fine.buckets]
    for value, count in found:
        bounded = min(max(value, fine.low), fine.high) * scale
        rate = "" if count == 1 else f"|@{1 / count:.12g}"
        yield f"{name}:{bounded:.6g}|{kind}{rate}{end}".encode()


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.\-/]", "_", text)[:200]


def _datagrams(lines: list[bytes]) -> Iterator[bytes]:
    some: list[bytes] = []
    size = 0
    for line in lines:
        if some and size + len(line) > DATAGRAM_BYTES_MAX:
            yield b"\n".join(some)
            some, size = [], 0
        some.append(line)
        size += len(line) + 1
    if some:
        yield b"\n".join(some)
