"""What an application decided: its events by name, with categories, outcomes and measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.figures import added_up, share
from contextframe_monitoring.core.reports import EventUse, LabelShare, NumberSpread, SpreadOf
from contextframe_monitoring.query.breakdown import shown
from contextframe_monitoring.query.distribution import Distribution, Spread
from contextframe_monitoring.query.documents import largest
from contextframe_monitoring.query.folded import Folded, weights
from contextframe_monitoring.query.grouping import Grouping, Pairing
from contextframe_monitoring.query.keys import ColumnKey
from contextframe_monitoring.query.labels import Labels
from contextframe_monitoring.query.source import Integers, Rows
from contextframe_monitoring.query.sums import Counts

EVENT_COLUMNS = (
    "operation", "category", "outcome", "duration_ms", "number_names", "number_values",
)  # fmt: skip
EVENTS_MAX = 50
LABELS_MAX = 10
NUMBERS_MAX = 20
_NUMBER_NAMES_MAX = 1_000


class Events:
    """Counts events and spreads their measures."""

    def __init__(self, exact_rows_max: int) -> None:
        """Percentiles are exact up to `exact_rows_max` values."""
        self._names = ColumnKey("operation")
        self._counts = Counts()
        self._categories = _LabelCounts(self._names, "category")
        self._outcomes = _LabelCounts(self._names, "outcome")
        self._durations = Distribution(exact_rows_max)
        self._numbers = _Numbers(exact_rows_max)
        self._is_folded = False

    @property
    def exact(self) -> bool:
        """Whether percentiles come from the values themselves."""
        return self._durations.exact and self._numbers.exact

    def add(self, rows: Rows) -> None:
        """Add events. Rollups don't hold their measures."""
        codes = self._names.codes(rows)
        events = len(self._names.names())
        self._counts.add(codes, events, weights(rows))
        self._categories.add(rows)
        self._outcomes.add(rows)
        if isinstance(rows, Folded):
            self._durations.add_folded(codes, rows, events)
            self._is_folded = True
            return
        durations = rows.floats("duration_ms")
        known = np.isfinite(durations)
        self._durations.add(codes[known], durations[known], events)
        self._numbers.add(rows, codes)

    def section(self) -> tuple[EventUse, ...]:
        """Return the most frequent events."""
        names, counts = list(self._names.names()), self._counts.values
        durations = self._durations.spread(len(names))
        categories, outcomes = self._categories.shares(), self._outcomes.shares()
        numbers = {} if self._is_folded else self._numbers.by_event()
        return tuple(
            EventUse(
                event=shown(names[place]),
                count=int(counts[place]),
                categories=_shares(categories.get(place, []), int(counts[place])),
                outcomes=_shares(outcomes.get(place, []), int(counts[place])),
                duration_ms=(
                    SpreadOf(**figures(durations, place)) if durations.counts[place] else None
                ),
                numbers=tuple(numbers.get(place, [])[:NUMBERS_MAX]),
            )
            for place in largest(counts, names, EVENTS_MAX)
        )


def figures(spread: Spread, group: int) -> dict[str, Any]:
    """Return the fields that describe the spread of one group."""
    p50, p90, p95, p99 = (added_up(float(value)) for value in spread.quantiles[group])
    return {
        "count": int(spread.counts[group]),
        "mean": added_up(float(spread.means[group])),
        "min": added_up(float(spread.minima[group])),
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
        "max": added_up(float(spread.maxima[group])),
    }


class _LabelCounts:
    """How often each label of a column occurs with each event."""

    def __init__(self, events: ColumnKey, column: str) -> None:
        self._grouping = Grouping([events, ColumnKey(column)])
        self._counts = Counts()

    def add(self, rows: Rows) -> None:
        codes = self._grouping.codes(rows)
        self._counts.add(codes, len(self._grouping), weights(rows))

    def shares(self) -> dict[int, list[tuple[str, int]]]:
        found: dict[int, list[tuple[str, int]]] = {}
        events, labels = self._grouping.parts(0).tolist(), self._grouping.labels()
        for group, (event, count) in enumerate(zip(events, self._counts.values, strict=True)):
            label = labels[group][1]
            if label is not None:
                found.setdefault(event, []).append((label, int(count)))
        return found


def _shares(labels: list[tuple[str, int]], total: int) -> tuple[LabelShare, ...]:
    ordered = sorted(labels, key=lambda item: (-item[1], item[0]))[:LABELS_MAX]
    return tuple(
        LabelShare(label=shown(label), count=count, share=share(count / total) or 0.0)
        for label, count in ordered
    )


class _Numbers:
    """The measures of events, by event and name."""

    def __init__(self, exact_rows_max: int) -> None:
        self._names = Labels(_NUMBER_NAMES_MAX)
        self._pairs = Pairing()
        self._values = Distribution(exact_rows_max)

    @property
    def exact(self) -> bool:
        return self._values.exact

    def add(self, rows: Rows, events: Integers) -> None:
        names, values = rows.array("number_names"), rows.array("number_values")
        aligned = pc.fill_null(
            pc.equal(pc.list_value_length(names), pc.list_value_length(values)), False
        )
        if not pc.all(aligned).as_py():
            names, values = names.filter(aligned), values.filter(aligned)
            events = events[aligned.to_numpy(zero_copy_only=False)]
        owners = pc.list_parent_indices(names).to_numpy(zero_copy_only=False)
        if not len(owners):
            return
        numbers = values.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
        known = np.isfinite(numbers)
        codes = self._pairs.codes(
            events[owners], self._names.codes(names.flatten().dictionary_encode())
        )
        self._values.add(codes[known], numbers[known], len(self._pairs))

    def by_event(self) -> dict[int, list[NumberSpread]]:
        spread = self._values.spread(len(self._pairs))
        found: dict[int, list[NumberSpread]] = {}
        for pair, event in enumerate(self._pairs.firsts.tolist()):
            if spread.counts[pair]:
                name = shown(self._names.names[int(self._pairs.seconds[pair])])
                fields = figures(spread, pair)
                found.setdefault(event, []).append(NumberSpread(number=name, **fields))
        for numbers in found.values():
            numbers.sort(key=lambda number: (-number.count, number.number))
        return found
