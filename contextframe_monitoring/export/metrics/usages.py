"""Uses, application events and custom metrics as metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.resource_names import METRICS
from contextframe_monitoring.export.metrics.customs import Customs, attribute_columns
from contextframe_monitoring.export.metrics.group import Columns, Limits, families_of
from contextframe_monitoring.export.metrics.instruments import (
    Counter,
    Definition,
    Family,
    Histogram,
    Instrument,
    Summary,
)
from contextframe_monitoring.export.metrics.operations import NS_PER_SECOND, SECONDS_BOUNDS
from contextframe_monitoring.export.metrics.series import Label, Series, matches
from contextframe_monitoring.query.source import Integers
from contextframe_monitoring.store.schemas import USAGE


class Usages:
    """The families of `usage_metrics`."""

    table = USAGE
    columns: tuple[str, ...] = (
        "timestamp", "server", "metric_type", "operation", "category", "outcome", "value",
        "duration_ms", "kind", "unit", "number_names", "number_values", "attributes",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        """Start with nothing."""
        self._limits = limits
        self._uses, self._events = _Uses(limits), _Events(limits)
        self._customs = Customs(limits)

    def add(self, rows: Columns) -> None:
        """Add the rows of one batch."""
        if not self._limits.own_server:
            used = matches(rows.array("operation"), METRICS.__contains__)
            rows = rows.without_own(but=used)  # what our processes use belongs to the operator
        kind = rows.array("metric_type")
        events, customs = matches(kind, "event".__eq__), matches(kind, "custom".__eq__)
        for part, mask in (
            (self._uses, ~events & ~customs),
            (self._events, events),
            (self._customs, customs),
        ):
            if mask.any():
                part.add(rows.where(mask))

    def families(self) -> Iterator[Family]:
        """Yield what was added up so far."""
        return families_of(self.parts)

    @property
    def parts(self) -> Mapping[str, Instrument]:
        """What was added up so far, by name."""
        return {**self._uses.parts, **self._events.parts, **self._customs.parts}

    def part(self, name: str) -> Instrument | None:
        """Return a part by name, that of a custom metric made where it is not there yet."""
        return self.parts.get(name) or self._customs.part(name)


class _Uses:
    """Accesses to documents, queries, and whatever else is a use."""

    def __init__(self, limits: Limits) -> None:
        names = ("server", "metric_type", "operation", "category", "outcome")
        self._labels = [Label(name, limits.vocabulary()) for name in names]
        series = Series(self._labels, limits.series_max)
        self._count = Counter(
            Definition(name="contextframe_monitoring.usage", text="Documents and queries used"),
            series,
        )
        self._durations = Histogram(
            _seconds("contextframe_monitoring.usage.duration", "Queries and other uses"), series
        )

    def add(self, rows: Columns) -> None:
        codes = [label.vocabulary.codes(rows.array(label.name)) for label in self._labels]
        at = self._count.series.ids(codes)
        self._count.add(at, np.ones(len(rows), np.int64))
        durations, known = rows.nanoseconds()
        self._durations.add(at[known], durations[known])

    @property
    def parts(self) -> Mapping[str, Instrument]:
        return {part.definition.name: part for part in (self._count, self._durations)}


class _Events:
    """An application's decisions: how many, how long they took, and their numbers."""

    def __init__(self, limits: Limits) -> None:
        self._keys = limits.attribute_keys
        self._who = [Label("server", limits.vocabulary()), Label("event", limits.vocabulary())]
        self._chosen = [
            Label("category", limits.vocabulary()),
            Label("outcome", limits.vocabulary()),
            *(Label(name, limits.vocabulary()) for name in limits.attribute_labels),
        ]
        self._number = Label("number", limits.vocabulary())
        series = Series([*self._who, *self._chosen], limits.series_max)
        self._count = Counter(
            Definition(name="contextframe_monitoring.events", text="Events of applications"),
            series,
        )
        self._durations = Histogram(
            _seconds("contextframe_monitoring.event.duration", "Events of applications"), series
        )
        self._numbers = Summary(
            Definition(name="contextframe_monitoring.event.number", text="Numbers of events"),
            Series([*self._who, self._number], limits.series_max),
        )

    def add(self, rows: Columns) -> None:
        columns = [rows.array("category"), rows.array("outcome")]
        columns += attribute_columns(rows.array("attributes"), self._keys)
        who = [
            label.vocabulary.codes(rows.array(column))
            for label, column in zip(self._who, ("server", "operation"), strict=True)
        ]
        chosen = [
            label.vocabulary.codes(column)
            for label, column in zip(self._chosen, columns, strict=True)
        ]
        at = self._count.series.ids([*who, *chosen])
        self._count.add(at, np.ones(len(rows), np.int64))
        durations, known = rows.nanoseconds()
        self._durations.add(at[known], durations[known])
        self._add_numbers(rows, who)

    def _add_numbers(self, rows: Columns, who: list[Integers]) -> None:
        names, values = rows.array("number_names"), rows.array("number_values")
        paired = pc.equal(pc.list_value_length(names), pc.list_value_length(values))
        paired = pc.fill_null(paired, fill_value=False)
        names, values = names.filter(paired), values.filter(paired)
        parents = np.flatnonzero(paired.to_numpy(zero_copy_only=False))[
            pc.list_parent_indices(names).to_numpy()
        ]
        numbers = pc.list_flatten(values).to_numpy(zero_copy_only=False)
        fine = np.isfinite(numbers)
        if not fine.any():
            return
        flat: pa.Array = pc.list_flatten(names).filter(pa.array(fine))
        codes = [column[parents[fine]] for column in who]
        at = self._numbers.series.ids([*codes, self._number.vocabulary.codes(flat)])
        self._numbers.add(at, numbers[fine])

    @property
    def parts(self) -> Mapping[str, Instrument]:
        parts = (self._count, self._durations, self._numbers)
        return {part.definition.name: part for part in parts}


def _seconds(name: str, text: str) -> Definition:
    return Definition(name=name, text=text, unit="s", per_unit=NS_PER_SECOND, bounds=SECONDS_BOUNDS)
