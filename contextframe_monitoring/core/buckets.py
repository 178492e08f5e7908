"""Calendar buckets of a window in any time zone: minutes, hours, days, weeks (Monday), months.

A bucket is what people read on a clock and a calendar, so a day has 23 or 25 hours when clocks
change, and an hour that the change cuts in two gives two buckets, told apart by their offset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

from contextframe_monitoring.core.clock import US_PER_DAY, US_PER_SECOND
from contextframe_monitoring.core.errors import LimitedError
from contextframe_monitoring.core.windows import Window, day_start_us, local

BucketUnit = Literal["minute", "hour", "day", "week", "month"]
BUCKET_UNITS: tuple[BucketUnit, ...] = get_args(BucketUnit)
BUCKETS_MAX = 10_000

LENGTH_US: dict[BucketUnit, int] = {
    "minute": 60 * US_PER_SECOND,
    "hour": 3_600 * US_PER_SECOND,
    "day": US_PER_DAY,
    "week": 7 * US_PER_DAY,
    "month": 30 * US_PER_DAY,
}
"""About how long a bucket is."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """Consecutive buckets: bucket i runs from `starts_us[i]` to the next start, the last to
    `end_us`.

    The first one may start before the window, at the full minute, hour, day ... that holds its
    start.
    """

    unit: BucketUnit
    timezone: str
    starts_us: tuple[int, ...]
    end_us: int

    def __len__(self) -> int:
        """Return the number of buckets."""
        return len(self.starts_us)

    def label(self, index: int) -> str:
        """Return how a bucket is written: `2026-11`, `2026-11-20` (a week by its Monday), or a
        time with offset.
        """
        start = local(self.starts_us[index], self.timezone)
        if self.unit == "month":
            return f"{start:%Y-%m}"
        if self.unit in {"day", "week"}:
            return start.date().isoformat()
        return start.isoformat(timespec="seconds" if start.second else "minutes")

    def labels(self) -> list[str]:
        """Return the labels of all buckets."""
        return [self.label(index) for index in range(len(self))]


def buckets(window: Window, unit: BucketUnit, buckets_max: int = BUCKETS_MAX) -> Buckets:
    """Return the buckets that cover a window. Raises `LimitedError` above `buckets_max`."""
    about = (window.end_us - window.start_us) // LENGTH_US[unit]
    if about > buckets_max:
        raise LimitedError(
            f"number of {unit}s in the window",
            about,
            buckets_max,
            "ask for a shorter window or a longer unit (hour, day, week, month)",
        )
    if unit in {"minute", "hour"}:
        starts = _clock_starts(window, LENGTH_US[unit])
    else:
        starts = [day_start_us(day, window.timezone) for day in _first_days(window, unit)]
    return Buckets(unit, window.timezone, tuple(_covering(starts, window)), window.end_us)


def unit_for(window: Window, buckets_about: int = 62) -> BucketUnit:
    """Return the smallest unit that cuts a window into about that many buckets or fewer."""
    length = window.end_us - window.start_us - 1
    for unit in BUCKET_UNITS:
        if length // LENGTH_US[unit] < buckets_about:
            return unit
    return "month"


def _covering(starts: list[int], window: Window) -> list[int]:
    """Drop days that a zone skipped, and what ends before the window."""
    distinct = sorted(set(starts))
    inside = [start for start in distinct if window.start_us < start < window.end_us]
    return [max(start for start in distinct if start <= window.start_us), *inside]


def _first_days(window: Window, unit: BucketUnit) -> Iterator[date]:
    day = local(window.start_us, window.timezone).date()
    last = local(window.end_us - 1, window.timezone).date()
    if unit == "week":
        day -= timedelta(days=day.weekday())
    elif unit == "month":
        day = day.replace(day=1)
    while day <= last:
        yield day
        if unit == "month":
            day = (day + timedelta(days=31)).replace(day=1)
        else:
            day += timedelta(days=7 if unit == "week" else 1)


def _clock_starts(window: Window, length_us: int) -> list[int]:
    """Full minutes or hours on the local clock, and each moment at which the offset changes."""
    starts: list[int] = []
    begin = window.start_us - 3 * length_us
    for start, end, offset in _offset_spans(begin, window.end_us, window.timezone):
        if start != begin:
            starts.append(start)
        starts.extend(range(start + (-(start + offset)) % length_us, end, length_us))
    return starts


def _offset_spans(start: int, end: int, timezone: str) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, offset from UTC in microseconds) of the spans with one offset."""
    span_start, offset, at = start, _offset_us(start, timezone), start
    while at < end:
        after = min(at + US_PER_DAY, end)
        if _offset_us(after, timezone) != offset:
            change = _change(at, after, timezone)
            yield span_start, change, offset
            span_start, offset = change, _offset_us(change, timezone)
            after = change
        at = after
    if span_start < end:
        yield span_start, end, offset


def _change(before: int, after: int, timezone: str) -> int:
    """Return the first second with another offset than `before` has; `after` has another one."""
    offset = _offset_us(before, timezone)
    low, high = before // US_PER_SECOND, after // US_PER_SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_us(middle * US_PER_SECOND, timezone) == offset:
            low = middle
        else:
            high = middle
    return high * US_PER_SECOND


def _offset_us(time_us: int, timezone: str) -> int:
    return (local(time_us, timezone).utcoffset() or timedelta()) // timedelta(microseconds=1)
