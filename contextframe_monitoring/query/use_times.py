"""Uses by what they are, and by calendar bucket."""

from __future__ import annotations

from contextframe_monitoring.core.buckets import Buckets, buckets
from contextframe_monitoring.core.reports import TimePattern, TrendPoint
from contextframe_monitoring.core.windows import local
from contextframe_monitoring.query.dimensions import (
    CUSTOM,
    DOCUMENT_ACCESS,
    EVENT,
    METRIC_TYPE,
    QUERY,
)
from contextframe_monitoring.query.folded import weights
from contextframe_monitoring.query.keys import TimeKey
from contextframe_monitoring.query.labels import Labels
from contextframe_monitoring.query.scan import Scan
from contextframe_monitoring.query.source import Mask, Rows
from contextframe_monitoring.query.sums import Counts, grown
from contextframe_monitoring.store.schemas import USAGE

_FOLDED_HOURS_MAX = 31 * 24
"""Over a longer time rollups of whole days are read, which know no hours."""


class UseTypes:
    """Tells rows apart by what they are."""

    def __init__(self) -> None:
        """Begin without labels."""
        self._labels = Labels()

    def masks(self, rows: Rows) -> dict[str, Mask | None]:
        """Return, for each type, where the rows of it are; None when there are none."""
        codes = self._labels.codes(rows.labels(METRIC_TYPE))
        found: dict[str, Mask | None] = {}
        for name in (DOCUMENT_ACCESS, QUERY, EVENT, CUSTOM):
            code = self._labels.known(name)
            mask = None if code is None else codes == code
            found[name] = mask if mask is not None and mask.any() else None
        return found


class UseTimes:
    """Uses by calendar bucket."""

    def __init__(self, cut: Buckets) -> None:
        """Count by these buckets."""
        self._key, self._counts = TimeKey(cut), Counts()

    @property
    def starts_us(self) -> tuple[int, ...]:
        """When the buckets start."""
        return self._key.buckets.starts_us

    def add(self, rows: Rows) -> None:
        """Count uses."""
        self._counts.add(self._key.codes(rows), len(self._key.buckets), weights(rows))

    def _counted(self) -> list[int]:
        size = len(self._key.buckets)
        counts: list[int] = grown(self._counts.values, size)[:size].tolist()
        return counts

    def trend(self) -> tuple[TrendPoint, ...]:
        """Return the uses of each bucket."""
        pairs = zip(self._key.buckets.labels(), self._counted(), strict=True)
        return tuple(TrendPoint(date=label, count=count) for label, count in pairs)

    def pattern(self) -> TimePattern:
        """Add up hours of the same name."""
        hours, days = [0] * 24, [0] * 7
        cut = self._key.buckets
        for start_us, count in zip(cut.starts_us, self._counted(), strict=True):
            moment = local(start_us, cut.timezone)
            hours[moment.hour] += count
            days[moment.weekday()] += count
        return TimePattern(hour_of_day=tuple(hours), day_of_week=tuple(days))


def folded_hours(scan: Scan, *, with_metrics: bool) -> UseTimes | None:
    """Return the uses by hour of a question whose days came from rollups; None over a long time."""
    window = scan.query.window
    if window.seconds > _FOLDED_HOURS_MAX * 3_600:
        return None
    hours, types = UseTimes(buckets(window, "hour")), UseTypes()
    again = Scan(scan.source, USAGE, scan.query.ungrouped(), strict=False)
    for rows in again.rows(("timestamp", METRIC_TYPE), ("count", "weight"), hours.starts_us):
        samples = None if with_metrics else types.masks(rows)[CUSTOM]
        hours.add(rows if samples is None else rows.where(~samples))
    return hours
