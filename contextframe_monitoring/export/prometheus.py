"""The exposition that Prometheus scrapes: text and OpenMetrics, from the truth at scrape time."""

from __future__ import annotations

import dataclasses
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
from contextframe_monitoring.export.metrics.instruments import NEGATIVE, Exemplar, Family, Point
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
_TWIN = "_negative"
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
        totals: Totals | None = None,
    ) -> None:
        """Nothing is read yet. `subject` is usage, performance, cost, or all: those, and the
        monitor's own metrics, which know no window. Other `totals` may be shown instead.
        """
        self._totals = totals or Totals(
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
        return map(_metric, self.named())

    def text(self) -> str:
        """Return the text format 0.0.4. Raises `StoreError` when the store can't be read."""
        return exposition.text(self.named())

    def openmetrics(self) -> str:
        """Return OpenMetrics 1.0.0, with exemplars. Raises `StoreError`."""
        return exposition.openmetrics(self.named())

    def exposition(self, accept: str = "") -> tuple[str, bytes]:
        """Return (content type, body) of the format that an Accept header asks for."""
        if exposition.wants_openmetrics(accept):
            return exposition.OPENMETRICS_TYPE, self.openmetrics().encode()
        return exposition.TEXT_TYPE, self.text().encode()

    def named(self) -> Iterator[Named]:
        """Yield every family under the name that it has here. Raises `StoreError`."""
        for family in self._totals.families(self._clock.now_us()):
            name, unit = self._names.of(family)
            labels = tuple(
                {_label_name(key): value for key, value in point.labels.items()}
                for point in family.points
            )
            yield Named(family, name, unit, labels)


@dataclasses.dataclass(frozen=True, slots=True)
class _Name:
    """The name of a family and of its twin, and the unit that ends both."""

    name: str
    twin: str
    unit: str


class _Names:
    """The names of families, each used once: names of custom metrics may come out alike.

    A family and its twin get their names together, so that they don't depend on when something
    negative comes.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._names: dict[tuple[str, str, str], _Name] = {}

    def of(self, family: Family) -> tuple[str, str]:
        """Return name and unit of a family; the same as long as the process lives."""
        name = family.name.removesuffix(NEGATIVE) if family.negative else family.name
        key = (name, family.kind, family.unit)
        if key not in self._names:
            self._names[key] = self._new(*key)
        found = self._names[key]
        return found.twin if family.negative else found.name, found.unit

    def _new(self, name: str, kind: str, unit: str) -> _Name:
        stem, word = metric_name(name), unit_word(unit)
        if kind == "counter":
            stem = stem.removesuffix("_total") or "_"
        for candidate in itertools.chain([_with_unit(stem, word)], _with_kind(stem, kind)):
            every = {f"{n}{suffix}" for n in (candidate.name, candidate.twin)
                     for suffix in _SUFFIXES}  # fmt: skip
            if not every & self._taken:
                break
        self._taken |= every
        return candidate


def _with_unit(stem: str, unit: str) -> _Name:
    twin = f"{stem}{_TWIN}"
    if not unit:
        return _Name(stem, twin, "")
    if stem.endswith(f"_{unit}"):
        return _Name(stem, f"{stem.removesuffix(f'_{unit}')}{_TWIN}_{unit}", unit)
    return _Name(f"{stem}_{unit}", f"{twin}_{unit}", unit)


def _with_kind(stem: str, kind: str) -> Iterator[_Name]:
    for number in itertools.count():
        name = f"{stem}_{kind}{number or ''}"
        yield _Name(name, f"{name}{_TWIN}", "")


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
