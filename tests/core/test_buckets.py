"""Calendar buckets, clocks that change included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.buckets import BUCKET_UNITS, BucketUnit, buckets, unit_for
from contextframe_monitoring.core.errors import LimitedError
from contextframe_monitoring.core.windows import Window, local, to_us

HOUR_US = 3_600_000_000
ZONES = sorted(available_timezones())


def window(start: str, end: str, timezone: str) -> Window:
    zoned = [
        to_us(datetime.fromisoformat(text).replace(tzinfo=UTC))
        if "+" not in text
        else to_us(datetime.fromisoformat(text))
        for text in (start, end)
    ]
    return Window(zoned[0], zoned[1], timezone)


def hours(cut: object) -> list[float]:
    edges = [*cut.starts_us, cut.end_us]  # type: ignore[attr-defined]
    return [(after - before) / HOUR_US for before, after in pairwise(edges)]


def test_a_day_has_25_hours_when_clocks_go_back() -> None:
    days = window("2026-10-24T00:00:00+02:00", "2026-10-27T00:00:00+01:00", "Europe/Berlin")
    cut = buckets(days, "day")
    assert cut.labels() == ["2026-10-24", "2026-10-25", "2026-10-26"]
    assert hours(cut) == [24, 25, 24]


def test_a_day_has_23_hours_when_clocks_go_forward() -> None:
    days = window("2026-03-28T00:00:00+01:00", "2026-03-31T00:00:00+02:00", "Europe/Berlin")
    assert hours(buckets(days, "day")) == [24, 23, 24]


def test_the_hour_that_comes_twice_is_two_buckets() -> None:
    night = window("2026-10-25T00:00:00", "2026-10-25T03:00:00", "Europe/Berlin")
    assert buckets(night, "hour").labels() == [
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T03:00+01:00",
    ]


def test_an_hour_that_a_half_hour_shift_cuts_is_two_buckets() -> None:
    night = window("2026-10-03T14:00:00", "2026-10-03T17:00:00", "Australia/Lord_Howe")
    assert buckets(night, "hour").labels() == [
        "2026-10-04T00:00+10:30",
        "2026-10-04T01:00+10:30",
        "2026-10-04T02:30+11:00",
        "2026-10-04T03:00+11:00",
    ]


def test_hours_follow_the_local_clock_in_half_hour_zones() -> None:
    morning = window("2026-01-01T00:10:00", "2026-01-01T01:40:00", "Asia/Kolkata")
    assert buckets(morning, "hour").labels() == [
        "2026-01-01T05:00+05:30",
        "2026-01-01T06:00+05:30",
        "2026-01-01T07:00+05:30",
    ]


@pytest.mark.requirement("003:bucket:sizes")
def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    autumn = window("2026-10-29T12:00:00", "2026-11-20T00:00:00", "UTC")
    assert buckets(autumn, "week").labels() == [
        "2026-10-26",
        "2026-11-02",
        "2026-11-09",
        "2026-11-16",
    ]
    assert buckets(autumn, "month").labels() == ["2026-10", "2026-11"]


def test_a_day_that_a_zone_skipped_is_no_bucket() -> None:
    new_year = window("2011-12-29T12:00:00", "2012-01-01T00:00:00", "Pacific/Apia")
    assert buckets(new_year, "day").labels() == ["2011-12-29", "2011-12-31", "2012-01-01"]


def test_a_day_whose_midnight_was_skipped_starts_after_it() -> None:
    spring = window("2018-11-03T12:00:00", "2018-11-05T12:00:00", "America/Sao_Paulo")
    cut = buckets(spring, "day")
    assert [local(start, "America/Sao_Paulo").hour for start in cut.starts_us] == [0, 1, 0]


def test_too_many_buckets_are_refused() -> None:
    month = window("2026-10-01T00:00:00", "2026-10-31T00:00:00", "UTC")
    with pytest.raises(LimitedError, match="number of minutes in the window = 43200 is above"):
        buckets(month, "minute")
    assert len(buckets(month, "hour", 720)) == 720


@pytest.mark.parametrize(
    ("length", "unit"),
    [
        (timedelta(minutes=1), "minute"),
        (timedelta(hours=1), "minute"),
        (timedelta(hours=24), "hour"),
        (timedelta(days=7), "day"),
        (timedelta(days=60), "day"),
        (timedelta(days=366), "week"),
        (timedelta(days=3_660), "month"),
    ],
)
def test_the_unit_follows_the_length(length: timedelta, unit: str) -> None:
    end = length // timedelta(microseconds=1)
    assert unit_for(Window(0, end)) == unit


@settings(max_examples=150)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(BUCKET_UNITS),
    st.integers(HOUR_US * 24 * 365, HOUR_US * 24 * 365 * 60),
    st.data(),
)
def test_buckets_cover_the_window_without_gaps_and_change_with_the_calendar(
    timezone: str, unit: BucketUnit, start: int, data: st.DataObject
) -> None:
    longest = {"minute": 3, "hour": 90, "day": 24 * 90, "week": 24 * 400, "month": 24 * 900}
    length = data.draw(st.integers(1, longest[unit] * HOUR_US))
    asked = Window(start, start + length, timezone)
    cut = buckets(asked, unit)
    starts = list(cut.starts_us)
    assert starts == sorted(set(starts))
    assert starts[0] <= asked.start_us
    assert all(asked.start_us < later < asked.end_us for later in starts[1:])
    assert len(set(cut.labels())) == len(cut)
    for bucket, begin in enumerate(starts):
        if unit in {"minute", "hour"}:
            assert _same(begin, _last(cut, bucket), timezone, unit)
        else:  # where clocks go back over midnight, a date comes, goes and comes again
            assert local(begin - 1, timezone).date() < local(begin, timezone).date()
    for before, after in pairwise(starts):
        assert not _same(before, after, timezone, unit)


def _last(cut: object, bucket: int) -> int:
    edges = [*cut.starts_us[1:], cut.end_us]  # type: ignore[attr-defined]
    return edges[bucket] - 1


def _same(one: int, other: int, timezone: str, unit: BucketUnit) -> bool:
    """Whether two moments are in one bucket by what the calendar and the clock say."""
    a, b = local(one, timezone), local(other, timezone)
    if unit == "month":
        return (a.year, a.month) == (b.year, b.month)
    if unit == "week":
        return a.isocalendar()[:2] == b.isocalendar()[:2]
    if unit == "day":
        return a.date() == b.date()
    digits = 13 if unit == "hour" else 16
    return (a.isoformat()[:digits], a.utcoffset()) == (b.isoformat()[:digits], b.utcoffset())
