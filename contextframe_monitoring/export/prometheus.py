"""The exposition that Prometheus scrapes: text and OpenMetrics, from the truth at scrape time."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import Exemplar as PrometheusExemplar
from prometheus_client.core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from contextframe_monitoring.core.clock import US_PER_SECOND, Clock
from contextframe_monitoring.export import exposition
from contextframe_monitoring.export.exposition import Named
from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.export.metrics.instruments import Exemplar, Family, Point
from contextframe_monitoring.export.metrics.totals import EVERYTHING, Totals
from contextframe_monitoring.store.machine import SystemClock
from contextframe_monitoring.store.store import Store

_NAME_CHARS_MAX = 150
_SUFFIXES = (
    "", "_total", "_created", "_bucket", "_sum", "_count", "_info", "_gsum", "_gcount",
)  # fmt: skip
"""What the formats may append to the name of a family."""
_UNITS = {
    "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds",
    "min": "minutes", "h": "hours", "d": "days", "By": "bytes", "KiBy": "kibibytes",
    "MiBy": "mebibytes", "GiBy": "gibibytes", "%": "percent", "1": "", "Cel": "celsius",
}  # fmt: skip
_PER = {"s": "second", "min": "minute", "h": "hour", "d": "day"}


class PrometheusExposition(Collector):
    """A collector over one store, on a registry of its own."""

    def __init__(
        self,
        store: Store,
        limits: Limits | None = None,
        *,
        subject: str = EVERYTHING,
        start_us: int | None = None,
        end_us: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Nothing is read yet. `subject` is usage, performance, cost, or all: those, and the
        monitor's own metrics, which know no window.
        """
        self._totals = Totals(
            store, limits or Limits(), subject=subject, start_us=start_us, end_us=end_us
        )
        self._clock = clock or SystemClock()
        self._names = _Names()
        self.registry = CollectorRegistry(auto_describe=False)
        """For what prometheus_client does with registries: pushing, its own servers."""
        self.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is to describe is known at scrape time."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family as prometheus_client has it. Raises `StoreError`."""
        return map(_metric, self._named())

    def text(self) -> str:
        """Return the text format 0.0.4. Raises `StoreError` when the store can't be read."""
        return exposition.text(self._named())

    def openmetrics(self) -> str:
        """Return OpenMetrics 1.0.0, with exemplars. Raises `StoreError`."""
        return exposition.openmetrics(self._named())

    def exposition(self, accept: str = "") -> tuple[str, bytes]:
        """Return (content type, body) of the format that an Accept header asks for."""
        if exposition.wants_openmetrics(accept):
            return exposition.OPENMETRICS_TYPE, self.openmetrics().encode()
        return exposition.TEXT_TYPE, self.text().encode()

    def _named(self) -> Iterator[Named]:
        for family in self._totals.families(self._clock.now_us()):
            name, unit = self._names.of(family)
            labels = tuple(
                {_label_name(key): value for key, value in point.labels.items()}
                for point in family.points
            )
            yield Named(family, name, unit, labels)


class _Names:
    """The names of families, each used once: names of custom metrics may come out alike."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._names: dict[tuple[str, str, str], tuple[str, str]] = {}

    def of(self, family: Family) -> tuple[str, str]:
        """Return name and unit of a family; the same as long as the process lives."""
        key = (family.name, family.kind, family.unit)
        if key not in self._names:
            self._names[key] = self._new(family)
        return self._names[key]

    def _new(self, family: Family) -> tuple[str, str]:
        unit = unit_word(family.unit)
        stem = metric_name(family.name)
        if family.kind == "counter":
            stem = stem.removesuffix("_total") or "_"
        name = stem if not unit or stem.endswith(f"_{unit}") else f"{stem}_{unit}"
        wished = itertools.chain(
            [name], (f"{stem}_{family.kind}{n or ''}" for n in itertools.count())
        )
        for candidate in wished:
            every = {candidate + suffix for suffix in _SUFFIXES}
            if not every & self._taken:
                self._taken |= every
                return candidate, unit if candidate == name else ""
        raise AssertionError("the candidates never end")


@functools.lru_cache(maxsize=4096)
def metric_name(name: str) -> str:
    """Return a metric's name in Prometheus' letters, without unit."""
    plain = re.sub(r"[^A-Za-z0-9_]+|__+", "_", name)[:_NAME_CHARS_MAX]
    return plain if re.match("[A-Za-z_]", plain) else f"_{plain}"


@functools.lru_cache(maxsize=4096)
def unit_word(unit: str) -> str:
    """Return a unit (UCUM, or any word) as the end of a name: `By/s` is bytes_per_second."""
    bare = re.sub(r"\{[^}]*\}", "", unit)
    over, _, under = bare.partition("/")
    words = [_UNITS.get(over, over)]
    if under:
        words += ["per", _PER.get(under, under)]
    plain = re.sub(r"[^a-z0-9]+", "_", "_".join(filter(None, words)).lower())
    return plain.strip("_")[:32].strip("_")


@functools.lru_cache(maxsize=4096)
def _label_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _metric(named: Named) -> Metric:
    family, name = named.family, named.name
    metric = Metric(name, family.text, family.kind, named.unit)
    bounds = [*map(exposition.number, family.bounds), "+Inf"]
    for point, labels in zip(family.points, named.labels, strict=True):
        if family.kind == "counter":
            metric.add_sample(f"{name}_total", dict(labels), point.value)
        elif family.kind == "gauge":
            metric.add_sample(name, dict(labels), point.value)
        else:
            if family.kind == "histogram":
                _add_buckets(metric, point, labels, bounds)
            metric.add_sample(f"{name}_count", dict(labels), sum(point.counts))
            metric.add_sample(f"{name}_sum", dict(labels), point.value)
    return metric


def _add_buckets(
    metric: Metric, point: Point, labels: Mapping[str, str], bounds: list[str]
) -> None:
    name = f"{metric.name}_bucket"
    for at, (bound, count) in enumerate(
        zip(bounds, itertools.accumulate(point.counts), strict=True)
    ):
        exemplar = point.exemplars.get(at)
        shown = None if exemplar is None else _exemplar(exemplar)
        metric.add_sample(name, {**labels, "le": bound}, count, exemplar=shown)


def _exemplar(exemplar: Exemplar) -> PrometheusExemplar:
    labels = {"trace_id": exemplar.trace_id}
    return PrometheusExemplar(labels, exemplar.value, exemplar.time_us / US_PER_SECOND)
