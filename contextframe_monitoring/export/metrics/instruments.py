"""Counters, gauges, histograms and summaries over many series at once.

Names, units and labels are OpenTelemetry's (`mcp.server.operation.duration`, `s`, `By`); an
exporter translates them. A counter never goes back: what is negative (a correction of a cost)
counts up in a twin family, `<name>.negative`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from contextframe_monitoring.export.metrics.distributions import Distribution, Distributions
from contextframe_monitoring.export.metrics.saved import SavedSeries
from contextframe_monitoring.export.metrics.series import Series, Shared
from contextframe_monitoring.export.metrics.sums import ExactSum, Sum, WholeSum, grown
from contextframe_monitoring.query.source import Integers

FamilyKind = Literal["counter", "gauge", "histogram", "summary"]
NEGATIVE = ".negative"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar(Shared):
    """One observation that a bucket points at."""

    trace_id: str
    value: float
    time_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One series: its value; of a histogram or summary the sum, and the counts (a histogram's per
    bucket, not cumulated, the last one above all bounds; a summary's single one). `distribution`
    says in fine buckets how a histogram's values lie.
    """

    labels: Mapping[str, str]
    value: float
    counts: tuple[int, ...] = ()
    exemplars: Mapping[int, Exemplar] = field(default_factory=dict)
    distribution: Callable[[], Distribution] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All series of one metric. `bounds` are the upper, inclusive ones of a histogram's buckets;
    `negative` marks the twin of another family, whose name ends with `.negative`.
    """

    name: str
    kind: FamilyKind
    unit: str
    text: str
    points: tuple[Point, ...]
    bounds: tuple[float, ...] = ()
    negative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition(Shared):
    """What a metric is called, and how its whole numbers become its unit."""

    name: str
    text: str
    unit: str = ""
    per_unit: int = 1
    bounds: tuple[float, ...] = ()
    negative: bool = False

    def twin(self) -> Definition:
        """Return the definition of the family of what is negative."""
        return dataclasses.replace(
            self, name=self.name + NEGATIVE, text=f"{self.text}: negative amounts", negative=True
        )


class Instrument(Protocol):
    """What adds up one metric, and can be put away and taken out again with nothing lost."""

    @property
    def series(self) -> Series:
        """Its label sets."""
        ...

    def families(self) -> Iterator[Family]:
        """Yield what was added up so far."""
        ...

    def save(self) -> list[SavedSeries]:
        """Return every series as it stands, exactly."""
        ...

    def load(self, saved: Iterable[SavedSeries]) -> None:
        """Add what `save` returned, perhaps of an earlier version with other labels."""
        ...


class _Seen:
    """Which series an instrument has."""

    def __init__(self) -> None:
        self.flags: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def add(self, at: Integers) -> None:
        self.flags = grown(self.flags, int(at.max()) + 1)
        self.flags[at] = True

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(self.flags).tolist())

    def __bool__(self) -> bool:
        return bool(self.flags.any())


def multiplied(values: Integers, times: Integers) -> Integers:
    """Return the products of numbers that are not negative, cut where int64 ends."""
    most = (1 << 62) // np.maximum(values, 1)
    product: Integers = values * np.minimum(np.maximum(times, 0), most)
    return product


class Counter:
    """A total per series."""

    def __init__(self, definition: Definition, series: Series, *, whole: bool = True) -> None:
        """`whole` counters take int64, others finite floats."""
        self.definition, self.series = definition, series
        self._sums: tuple[Sum, Sum] = (
            (WholeSum(), WholeSum()) if whole else (ExactSum(), ExactSum())
        )
        self._seen = (_Seen(), _Seen())

    def add(self, at: Integers, values: NDArray[Any]) -> None:
        """Add each value to the series at its index; a negative one leaves it where it is."""
        if not len(at):
            return
        self._seen[0].add(at)
        below = values < 0
        self._sums[0].add(at[~below], values[~below])
        if below.any():
            self._seen[1].add(at[below])
            self._sums[1].add(at[below], values[below])

    def families(self) -> Iterator[Family]:
        """Yield the family, and its twin where something negative came."""
        labels = self.series.label_sets
        definitions = (self.definition, self.definition.twin())
        for definition, sums, seen in zip(definitions, self._sums, self._seen, strict=True):
            if seen:
                yield Family(
                    name=definition.name,
                    kind="counter",
                    unit=definition.unit,
                    text=definition.text,
                    negative=definition.negative,
                    points=tuple(
                        Point(labels=labels[i], value=abs(sums.total(i)) / definition.per_unit)
                        for i in seen
                    ),
                )

    def save(self) -> list[SavedSeries]:
        """Return every series as it stands, exactly."""
        seen = sorted({*self._seen[0], *self._seen[1]})
        above, below = (set(flags) for flags in self._seen)
        return [
            SavedSeries(
                labels=self.series.label_sets[i],
                total=self._sums[0].exact(i) if i in above else None,
                negative=self._sums[1].exact(i) if i in below else None,
            )
            for i in seen
        ]

    def load(self, saved: Iterable[SavedSeries]) -> None:
        """Add what `save` returned."""
        for one in saved:
            at = self.series.id_of(one.labels)
            texts = (one.total, one.negative)
            for text, sums, seen in zip(texts, self._sums, self._seen, strict=True):
                if text is not None:
                    sums.add_exact(at, text)
                    seen.add(np.array([at]))


class _Exemplars(dict[tuple[int, int], Exemplar]):
    """The exemplar of each bucket of each series; a copy holds the same ones."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _Exemplars:
        return _Exemplars(self)


class Histogram:
    """Counts per series and bucket, and the sum. Observations are not negative."""

    def __init__(self, definition: Definition, series: Series, *, whole: bool = True) -> None:
        """`whole` histograms take int64 (`per_unit` of them a unit), others finite floats."""
        self.definition, self.series = definition, series
        bounds = np.array(definition.bounds) * definition.per_unit
        self._bounds = np.rint(bounds).astype(np.int64) if whole else bounds
        self._counts: Integers = np.zeros((0, len(bounds) + 1), np.int64)
        self._sum: Sum = WholeSum() if whole else ExactSum()
        self._fine = Distributions()
        self._seen = _Seen()
        self._exemplars = _Exemplars()

    def add(self, at: Integers, values: NDArray[Any], times: Integers | None = None) -> Integers:
        """Observe each value, or `times` of it, in the series at its index; return its buckets."""
        bucket: Integers = np.searchsorted(self._bounds, values, side="left").astype(np.int64)
        if len(at):
            self.touch(at)
            cell = at * self._counts.shape[1] + bucket
            np.add.at(self._counts.reshape(-1), cell, 1 if times is None else times)
            self._sum.add(at, values if times is None else multiplied(values, times))
            self._fine.add(at, values / self.definition.per_unit, times)
        return bucket

    def touch(self, at: Integers) -> None:
        """Let series be there, though nothing was observed in them."""
        if len(at):
            self._seen.add(at)
            self._counts = grown(self._counts, int(at.max()) + 1)

    def point_at(self, at: int, bucket: int, exemplar: Exemplar) -> None:
        """Let a bucket point at an observation; a later one takes its place."""
        self._exemplars[at, bucket] = exemplar

    def families(self) -> Iterator[Family]:
        """Yield the family when it has a series."""
        if not self._seen:
            return
        exemplars: dict[int, dict[int, Exemplar]] = {}
        for (at, bucket), exemplar in self._exemplars.items():
            exemplars.setdefault(at, {})[bucket] = exemplar
        definition, labels = self.definition, self.series.label_sets
        counts = self._counts.tolist()
        yield Family(
            name=definition.name,
            kind="histogram",
            unit=definition.unit,
            text=definition.text,
            bounds=definition.bounds,
            negative=definition.negative,
            points=tuple(
                Point(
                    labels=labels[i],
                    value=self._sum.total(i) / definition.per_unit,
                    counts=tuple(counts[i]),
                    exemplars=exemplars.get(i, {}),
                    distribution=functools.partial(self._fine.of, i),
                )
                for i in self._seen
            ),
        )

    def save(self) -> list[SavedSeries]:
        """Return every series as it stands, exactly; exemplars are let go of."""
        counts = self._counts.tolist()
        found = []
        for i in self._seen:
            fine = self._fine.of(i)
            any_value = fine.low <= fine.high
            found.append(
                SavedSeries(
                    labels=self.series.label_sets[i],
                    total=self._sum.exact(i),
                    counts=counts[i],
                    fine=list(fine.counts.items()),
                    low=fine.low if any_value else None,
                    high=fine.high if any_value else None,
                )
            )
        return found

    def load(self, saved: Iterable[SavedSeries]) -> None:
        """Add what `save` returned. When the bounds are others now, all is in the last bucket."""
        known = [(self.series.id_of(one.labels), one) for one in saved]
        for at, one in known:
            self.touch(np.array([at]))
            if one.total is not None:
                self._sum.add_exact(at, one.total)
            if len(one.counts) == self._counts.shape[1]:
                self._counts[at] += np.array(one.counts, np.int64)
            else:
                self._counts[at, -1] += sum(one.counts)
        self._fine.add_saved(known)


class Gauge:
    """The newest value per series."""

    def __init__(self, definition: Definition, series: Series) -> None:
        """Start with nothing."""
        self.definition, self.series = definition, series
        self._values: NDArray[np.float64] = np.zeros(0, np.float64)
        self._times: Integers = np.zeros(0, np.int64)

    def set(self, at: Integers, values: NDArray[np.float64], times_us: Integers) -> None:
        """Take each value that is not older than the one that its series has."""
        if not len(at):
            return
        self._values = grown(self._values, int(at.max()) + 1)
        self._times = grown(self._times, int(at.max()) + 1)
        order = np.argsort(times_us, kind="stable")
        newest = dict(zip(at[order].tolist(), order.tolist(), strict=True))
        for i, row in newest.items():
            time_us = max(int(times_us[row]), 1)  # 0 stands for nothing yet
            if time_us >= self._times[i]:
                self._values[i], self._times[i] = values[row], time_us

    def families(self) -> Iterator[Family]:
        """Yield the family when something was set."""
        seen = np.flatnonzero(self._times).tolist()
        if seen:
            labels = self.series.label_sets
            yield Family(
                name=self.definition.name,
                kind="gauge",
                unit=self.definition.unit,
                text=self.definition.text,
                points=tuple(Point(labels=labels[i], value=float(self._values[i])) for i in seen),
            )

    def save(self) -> list[SavedSeries]:
        """Return every series as it stands."""
        return [
            SavedSeries(
                labels=self.series.label_sets[i],
                value=float(self._values[i]),
                time_us=int(self._times[i]),
            )
            for i in np.flatnonzero(self._times).tolist()
        ]

    def load(self, saved: Iterable[SavedSeries]) -> None:
        """Take what `save` returned where it is newer."""
        for one in saved:
            at = np.array([self.series.id_of(one.labels)])
            self.set(at, np.array([one.value]), np.array([one.time_us]))


class Summary:
    """Number and sum of values per series, without buckets; what is negative in a twin family."""

    def __init__(self, definition: Definition, series: Series) -> None:
        """Start with nothing."""
        self.definition, self.series = definition, series
        self._sums = Counter(definition, series, whole=False)
        self._counts = Counter(definition, series)

    def add(self, at: Integers, values: NDArray[np.float64]) -> None:
        """Observe each value in the series at its index."""
        self._sums.add(at, values)
        self._counts.add(at, np.where(values < 0, -1, 1))

    def families(self) -> Iterator[Family]:
        """Yield the family, and its twin where something negative came."""
        for sums, counts in zip(self._sums.families(), self._counts.families(), strict=True):
            yield Family(
                name=sums.name,
                kind="summary",
                unit=sums.unit,
                text=sums.text,
                negative=sums.negative,
                points=tuple(
                    Point(labels=s.labels, value=s.value, counts=(int(c.value),))
                    for s, c in zip(sums.points, counts.points, strict=True)
                ),
            )

    def save(self) -> list[SavedSeries]:
        """Return every series as it stands, exactly: the counts first."""
        return [*self._counts.save(), *self._sums.save()]

    def load(self, saved: Iterable[SavedSeries]) -> None:
        """Add what `save` returned."""
        series = list(saved)
        half = len(series) // 2
        self._counts.load(series[:half])
        self._sums.load(series[half:])
