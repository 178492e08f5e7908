"""The time window that a report covers, and how people and agents write one.

A window is half open: `start_us <= time < end_us`, microseconds since the epoch. What is asked for
up to now ends one microsecond after now, so that a fact of this very moment is inside.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from contextframe_monitoring.core.clock import US_PER_DAY, US_PER_SECOND
from contextframe_monitoring.core.errors import InvalidError

Period = Literal["today", "yesterday", "week", "month", "year"]
PERIODS: tuple[Period, ...] = get_args(Period)

DAYS_MAX = 3_660
"""The longest window: ten years."""
_AHEAD_US_MAX = US_PER_DAY
"""An end up to this far ahead (the end of today, somewhere on Earth) is read as now."""
_TEXT_CHARS_MAX = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SPAN = re.compile(r"([0-9]{1,9})([smhdw])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_OR_TIME = re.compile(_DATE.pattern + r"(?:[T ][0-9:.,]{2,15}(?:Z|[+-][0-9:]{2,8})?)?")
_UNIT_US = {
    "s": US_PER_SECOND,
    "m": 60 * US_PER_SECOND,
    "h": 3_600 * US_PER_SECOND,
    "d": US_PER_DAY,
    "w": 7 * US_PER_DAY,
}
_ALLOWED = (
    "expected a span before the end (30m, 24h, 7d, 2w), today, yesterday, week, month, year, "
    "or an ISO 8601 date or time such as 2026-11-20 or 2026-11-20T14:30:00+01:00"
)


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_us` up to, not including, `end_us`; calendar questions use the IANA `timezone`.

    `period` is the calendar word that was asked for, and `period_end_us` where that period ends
    (after `end_us` while it is in progress); other windows end where they end. Raises
    `InvalidError`.
    """

    start_us: int
    end_us: int
    timezone: str = "UTC"
    period: Period | None = None
    period_end_us: int = field(default=0)

    def __post_init__(self) -> None:
        """Check order, length and zone; a period that has no end of its own ends with the
        window.
        """
        zone(self.timezone)
        if not 0 <= self.start_us < self.end_us:
            raise InvalidError(
                "window",
                f"{self.start_us} .. {self.end_us}",
                "expected a start that lies before the end, both in or after 1970",
            )
        if self.end_us - self.start_us > DAYS_MAX * US_PER_DAY:
            raise InvalidError(
                "window",
                f"{(self.end_us - self.start_us) // US_PER_DAY} days",
                f"expected at most {DAYS_MAX} days",
            )
        if self.period_end_us < self.end_us:
            object.__setattr__(self, "period_end_us", self.end_us)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end_us - self.start_us) / US_PER_SECOND

    @property
    def start(self) -> str:
        """The start as ISO 8601 with the zone's offset."""
        return iso(self.start_us, self.timezone)

    @property
    def end(self) -> str:
        """The end as ISO 8601 with the zone's offset."""
        return iso(self.end_us, self.timezone)

    def previous(self) -> Window | None:
        """Return the window to compare with; None when it would lie before 1970.

        A calendar period is compared with the same part of the period before it (the first nine
        days of this month with the first nine of the last), any other window with the one of the
        same length just before it.
        """
        length = self.end_us - self.start_us
        if self.period is None:
            start, end = self.start_us - length, self.start_us
        else:
            start, end = _same_part_before(self, self.period)
        start = max(start, 0)
        return Window(start, end, self.timezone) if start < end else None


def iso(time_us: int, timezone: str) -> str:
    """Return a time as ISO 8601 with the offset that the zone has then."""
    return local(time_us, timezone).isoformat()


def local(time_us: int, timezone: str) -> datetime:
    """Return a time as a datetime in the zone."""
    return (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone(timezone))


def to_us(moment: datetime) -> int:
    """Return an aware datetime as microseconds since the epoch."""
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """Return the IANA time zone of that name. Raises `InvalidError`."""
    try:
        return ZoneInfo(name if len(name) <= _TEXT_CHARS_MAX else "")
    except (ValueError, KeyError, OSError):  # a folder of the database is an OSError
        near = difflib.get_close_matches(name[:_TEXT_CHARS_MAX], available_timezones(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidError(
            "timezone", name, f"expected an IANA name such as UTC or Europe/Berlin{hint}"
        ) from None


def parse_window(
    since: str | None = None,
    until: str | None = None,
    *,
    now_us: int,
    timezone: str = "UTC",
    default: str = "24h",
) -> Window:
    """Return the window that `since` and `until` name; both missing: `default` up to now.

    `since` is a span before the end, a calendar word, or an ISO 8601 date or time; `until` is
    `now`, a span before now, `today`, `yesterday`, or an ISO 8601 date or time. Without an offset
    a time is in `timezone`. A date as the end includes that day. Raises `InvalidError`.
    """
    end_us = _end(until, now_us, timezone)
    text = _bounded("since", default if since is None else since)
    period: Period | None = None
    period_end_us = 0
    if text in PERIODS:
        period = text
        start_us = _period_start(period, _local_date(now_us, timezone), timezone)
        if until is None:
            period_end_us = _period_end(period, start_us, timezone)
            end_us = min(end_us, period_end_us)
        else:
            period = None
    elif span := _SPAN.fullmatch(text):
        start_us = end_us - int(span[1]) * _UNIT_US[span[2]]
    else:
        start_us = _moment("since", text, timezone, _ALLOWED)
    if now_us < start_us != end_us:
        raise InvalidError("since", text, f"it is in the future (now is {iso(now_us, timezone)})")
    if start_us >= end_us:
        end = "now" if until is None else until
        raise InvalidError("since", text, f"expected a time before the end of the window ({end})")
    if start_us < 0 or end_us - start_us > DAYS_MAX * US_PER_DAY:
        raise InvalidError(
            "since", text, f"expected a window of at most {DAYS_MAX} days, in or after 1970"
        )
    return Window(start_us, end_us, timezone, period, period_end_us)


def window_between(start: datetime, end: datetime, *, now_us: int, timezone: str = "UTC") -> Window:
    """Return the window between two datetimes; naive ones are in `timezone`.

    Raises `InvalidError`.
    """
    return parse_window(
        _aware(start, timezone).isoformat(),
        _aware(end, timezone).isoformat(),
        now_us=now_us,
        timezone=timezone,
    )


def span_us(text: str) -> int | None:
    """Return the length of a span such as 30s, 5m or 7d in microseconds; None when it is none."""
    found = _SPAN.fullmatch(text)
    return None if found is None else int(found[1]) * _UNIT_US[found[2]]


def day_start_us(day: date, timezone: str) -> int:
    """Return the first moment of a local day, whatever the clocks do around midnight."""
    midnight = datetime.combine(day, time(), zone(timezone))
    start_us = to_us(midnight)
    if local(start_us, timezone).time() == time():
        return start_us
    low, high = start_us - US_PER_DAY, start_us  # midnight was skipped: find the jump
    while high - low > US_PER_SECOND:
        middle = (low + high) // 2 // US_PER_SECOND * US_PER_SECOND
        if _local_date(middle, timezone) >= day:
            high = middle
        else:
            low = middle
    return high


def _bounded(name: str, text: str) -> str:
    stripped = text.strip() if len(text) <= 4 * _TEXT_CHARS_MAX else text
    if not stripped or len(stripped) > _TEXT_CHARS_MAX:
        raise InvalidError(name, text, _ALLOWED)
    return stripped


def _aware(moment: datetime, timezone: str) -> datetime:
    return moment.replace(tzinfo=zone(timezone)) if moment.tzinfo is None else moment


def _end(until: str | None, now_us: int, timezone: str) -> int:
    text = "now" if until is None else _bounded("until", until)
    allowed = "expected now, 24h (ago), today, yesterday, or an ISO 8601 date or time up to now"
    if text == "now":
        return now_us + 1
    if span := _SPAN.fullmatch(text):
        return now_us + 1 - int(span[1]) * _UNIT_US[span[2]]
    if text in {"today", "yesterday"}:
        day = _local_date(now_us, timezone)
        next_day = day + timedelta(days=1) if text == "today" else day
        return min(day_start_us(next_day, timezone), now_us + 1)
    end_us = _moment("until", text, timezone, allowed)
    if _DATE.fullmatch(text):
        next_day = _local_date(end_us, timezone) + timedelta(days=1)
        end_us = day_start_us(next_day, timezone)
    if end_us > now_us + _AHEAD_US_MAX + 1:
        raise InvalidError("until", text, f"it is in the future (now is {iso(now_us, timezone)})")
    return min(end_us, now_us + 1)


def _moment(name: str, text: str, timezone: str, allowed: str) -> int:
    if not _DATE_OR_TIME.fullmatch(text):
        raise InvalidError(name, text, allowed)
    try:
        return to_us(_aware(datetime.fromisoformat(text), timezone))
    except (ValueError, OverflowError):
        raise InvalidError(name, text, allowed) from None


def _local_date(time_us: int, timezone: str) -> date:
    return local(time_us, timezone).date()


def _first_day(period: Period, day: date) -> date:
    match period:
        case "today":
            return day
        case "yesterday":
            return day - timedelta(days=1)
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)


def _period_start(period: Period, day: date, timezone: str) -> int:
    return day_start_us(_first_day(period, day), timezone)


def _period_end(period: Period, start_us: int, timezone: str) -> int:
    first = _local_date(start_us, timezone)
    match period:
        case "today" | "yesterday":
            after = first + timedelta(days=1)
        case "week":
            after = first + timedelta(days=7)
        case "month":
            after = _first_day("month", first + timedelta(days=31))
        case "year":
            after = date(first.year + 1, 1, 1)
    return day_start_us(after, timezone)


def _same_part_before(window: Window, period: Period) -> tuple[int, int]:
    day_before = _local_date(window.start_us, window.timezone) - timedelta(days=1)
    first = day_before if period == "yesterday" else _first_day(period, day_before)
    start_us = day_start_us(first, window.timezone)
    if window.end_us == window.period_end_us:
        return start_us, window.start_us
    passed = _wall(window.end_us, window.timezone) - _wall(window.start_us, window.timezone)
    end = (_wall(start_us, window.timezone) + passed).replace(tzinfo=zone(window.timezone))
    return start_us, min(to_us(end), window.start_us)


def _wall(time_us: int, timezone: str) -> datetime:
    return local(time_us, timezone).replace(tzinfo=None)
