"""Custom metrics read back: gauges, counters and histograms by name, kind and unit.

A gauge's last value is the one with the latest time. A counter's samples are increments: their
sum, and the sum per second of the window. Filters by attribute read one tag.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from contextframe_monitoring.core.figures import added_up
from contextframe_monitoring.core.reports import MetricUse
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.breakdown import left_out, shown
from contextframe_monitoring.query.distribution import Distribution
from contextframe_monitoring.query.events import figures
from contextframe_monitoring.query.folded import Folded
from contextframe_monitoring.query.grouping import Grouping
from contextframe_monitoring.query.keys import ColumnKey
from contextframe_monitoring.query.source import Floats, Integers, Rows

METRIC_COLUMNS = ("timestamp", "resource_id", "kind", "unit", "value")
METRICS_MAX = 50
_NEVER = np.iinfo(np.int64).min


class CustomMetrics:
    """Collects the samples of custom metrics."""

    def __init__(self, exact_rows_max: int) -> None:
        """Percentiles are exact up to `exact_rows_max` samples."""
        self._grouping = Grouping([ColumnKey("resource_id"), ColumnKey("kind"), ColumnKey("unit")])
        self._values = Distribution(exact_rows_max)
        self._latest: Integers = np.zeros(0, np.int64)
        self._last: Floats = np.zeros(0)
        self._lacks_last = False

    @property
    def exact(self) -> bool:
        """Whether percentiles come from the values themselves."""
        return self._values.exact

    def add(self, rows: Rows) -> None:
        """Add samples; those that are not finite numbers are left out. Rollups don't say which was
        the last one.
        """
        if isinstance(rows, Folded):
            codes = self._grouping.codes(rows)
            self._values.add_folded(codes, rows, len(self._grouping))
            measured = np.flatnonzero(rows.integers("duration_count"))
            times, none = rows.times_us()[measured], np.full(len(measured), np.nan)
            self._see_last(codes[measured], none, times)
            return
        codes, values, times = self._grouping.codes(rows), rows.floats("value"), rows.times_us()
        known = np.isfinite(values)
        if not known.all():
            codes, values, times = codes[known], values[known], times[known]
        self._values.add(codes, values, len(self._grouping))
        self._see_last(codes, values, times)

    def section(self, window: Window) -> tuple[tuple[MetricUse, ...], int]:
        """Return the metrics by name, at most `METRICS_MAX`, and how many more there are."""
        spread = self._values.spread(len(self._grouping))
        labels = self._grouping.labels()
        named = sorted(
            (tuple(shown(label) for label in labels[group]), group)
            for group in np.flatnonzero(spread.counts).tolist()
        )
        found = []
        for (name, kind, _), group in named[:METRICS_MAX]:
            unit = labels[group][2]
            fields = {**figures(spread, group), "sum": float(spread.sums[group])}
            found.append(
                MetricUse(
                    metric=name,
                    kind=kind,
                    unit=None if unit is None else shown(unit),
                    count=int(spread.counts[group]),
                    **self._of_kind(kind, fields, group, window),
                )
            )
        return tuple(found), max(len(named) - METRICS_MAX, 0)

    def notes(self) -> list[str]:
        """Return what should be said of the section, after it was made."""
        return [left_out("the last values of gauges")] if self._lacks_last else []

    def _of_kind(
        self, kind: str, fields: dict[str, Any], group: int, window: Window
    ) -> dict[str, float | None]:
        if kind == "counter":
            total = fields["sum"]
            return {"sum": added_up(total), "rate_per_second": added_up(total / window.seconds)}
        if kind == "histogram":
            return {name: fields[name] for name in fields if name not in {"count", "sum"}}
        kept = {name: fields[name] for name in ("mean", "min", "max")}
        last = float(self._last[group])
        if math.isnan(last):
            self._lacks_last = True
            return kept
        return {"last": last, **kept}

    def _see_last(self, codes: Integers, values: Floats, times: Integers) -> None:
        more = len(self._grouping) - len(self._last)
        self._last = np.append(self._last, np.full(more, np.nan))
        self._latest = np.append(self._latest, np.full(more, _NEVER))
        np.maximum.at(self._latest, codes, times)
        newest = np.flatnonzero(times == self._latest[codes])
        self._last[codes[newest]] = values[newest]  # of equal times the row that comes last
