"""Windows as people and agents write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, cast
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.windows import (
    PERIODS,
    Window,
    day_start_us,
    iso,
    local,
    parse_window,
    to_us,
    window_between,
    zone,
)

NOW = datetime(2026, 11, 20, 16, 15, 30, tzinfo=UTC)  # a Friday
NOW_US = to_us(NOW)
HOUR_US = 3_600_000_000
ZONES = sorted(available_timezones())


def us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


def parsed(since: str | None = None, until: str | None = None, tz: str = "UTC") -> Window:
    return parse_window(since, until, now_us=NOW_US, timezone=tz)


@pytest.mark.requirement("spine:serve:windows", "004:api:time-range")
@pytest.mark.parametrize(
    ("since", "hours"),
    [("90s", 1 / 40), ("30m", 0.5), ("24h", 24), ("7d", 168), ("2w", 336), (" 1h ", 1)],
)
def test_a_span_ends_now_and_holds_this_very_moment(since: str, hours: float) -> None:
    end = NOW_US + 1
    assert parsed(since) == Window(end - int(hours * HOUR_US), end)


def test_without_a_word_the_window_is_the_last_day() -> None:
    assert parsed() == parsed("24h")


@pytest.mark.requirement("003:costs:period")
@pytest.mark.parametrize(
    ("word", "start", "end", "period_end"),
    [
        ("today", "2026-11-20T00:00:00+01:00", None, "2026-11-21T00:00:00+01:00"),
        (
            "yesterday",
            "2026-11-19T00:00:00+01:00",
            "2026-11-20T00:00:00+01:00",
            "2026-11-20T00:00:00+01:00",
        ),
        ("week", "2026-11-16T00:00:00+01:00", None, "2026-11-23T00:00:00+01:00"),
        ("month", "2026-11-01T00:00:00+01:00", None, "2026-12-01T00:00:00+01:00"),
        ("year", "2026-01-01T00:00:00+01:00", None, "2027-01-01T00:00:00+01:00"),
    ],
)
def test_a_calendar_word_begins_at_local_midnight(
    word: str, start: str, end: str | None, period_end: str
) -> None:
    window = parsed(word, tz="Europe/Berlin")
    end_us = NOW_US + 1 if end is None else us(end)
    expected = Window(us(start), end_us, "Europe/Berlin", cast("Any", word), us(period_end))
    assert window == expected


@pytest.mark.requirement("spine:serve:windows")
def test_a_time_without_offset_is_in_the_asked_zone() -> None:
    window = parsed("2026-11-01T12:00:00", "2026-11-02 12:30", tz="Asia/Kolkata")
    assert (window.start, window.end) == (
        "2026-11-01T12:00:00+05:30",
        "2026-11-02T12:30:00+05:30",
    )


def test_a_time_with_offset_keeps_its_moment() -> None:
    window = parsed("2026-11-01T12:00:00Z", "2026-11-01T12:00:00.5-05:00", tz="Asia/Kolkata")
    assert (window.start_us, window.end_us) == (
        us("2026-11-01T12:00:00+00:00"),
        us("2026-11-01T17:00:00.500000+00:00"),
    )


def test_a_date_as_the_end_includes_that_day() -> None:
    window = parsed("2001-01-01", "2001-01-02", tz="America/New_York")
    assert (window.start, window.end) == (
        "2001-01-01T00:00:00-05:00",
        "2001-01-03T00:00:00-05:00",
    )


def test_an_end_can_be_a_span_ago_or_a_day() -> None:
    assert parsed("2026-11-01", "24h").end_us == NOW_US + 1 - 24 * HOUR_US
    assert parsed("7d", "yesterday").end_us == us("2026-11-20T00:00:00+00:00")
    assert parsed("7d", "today").end_us == NOW_US + 1
    assert parsed("7d", "now").end_us == NOW_US + 1


def test_an_end_within_a_day_ahead_is_now() -> None:
    assert parsed("24h", "2026-11-20T23:59:59") == parsed("24h")


@pytest.mark.requirement("spine:input:times")
@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        ("tomorrow", None, "since = 'tomorrow' is not allowed: expected a span before the end"),
        ("", None, "since = '' is not allowed: expected a span before the end"),
        ("1700000000", None, "since = '1700000000' is not allowed: expected a span"),
        ("२४h", None, "is not allowed: expected a span before the end"),
        ("x" * 10_000, None, "since = 'xxxx"),
        ("2026-13-01", None, "since = '2026-13-01' is not allowed: expected a span"),
        ("2026-11-20T25:00", None, "is not allowed: expected a span before the end"),
        ("24h", "nonsense", "until = 'nonsense' is not allowed: expected now, 24h (ago)"),
        ("24h", "week", "until = 'week' is not allowed: expected now, 24h (ago)"),
        ("2100-01-01", None, "since = '2100-01-01' is not allowed: it is in the future"),
        ("24h", "2100-01-01", "until = '2100-01-01' is not allowed: it is in the future"),
        ("2026-11-10", "2026-11-01", "since = '2026-11-10' is not allowed: expected a time before"),
        ("0h", None, "since = '0h' is not allowed: expected a time before the end"),
        ("1969-12-31", "1970-01-02", "in or after 1970"),
        ("2000-01-01", None, "a window of at most 3660 days"),
        ("999999999w", None, "a window of at most 3660 days"),
        ("0001-01-01T00:00:00+14:00", None, "since = '0001-01-01T00:00:00+14:00' is not allowed"),
        ("9999-12-31T23:59:59-12:00", None, "is not allowed"),
    ],
)
def test_a_wrong_window_says_what_is_allowed(since: str, until: str | None, message: str) -> None:
    with pytest.raises(InvalidError) as error:
        parsed(since, until)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "../etc/passwd", "America", "x" * 1_000, "a\0b", "\udcff"]
)
def test_a_wrong_zone_says_what_is_allowed(name: str) -> None:
    with pytest.raises(InvalidError, match="expected an IANA name such as UTC"):
        zone(name)


def test_a_misspelt_zone_is_offered_the_nearest() -> None:
    with pytest.raises(InvalidError, match=r"did you mean Europe/Berlin\?"):
        zone("Europe/Berln")


def test_window_between_takes_naive_times_in_the_zone() -> None:
    start = datetime(2026, 11, 1)  # noqa: DTZ001 - naive on purpose
    end = datetime(2026, 11, 2, tzinfo=timezone(timedelta(hours=-5)))
    window = window_between(start, end, now_us=NOW_US, timezone="Europe/Berlin")
    assert window == Window(
        us("2026-11-01T00:00:00+01:00"), us("2026-11-02T00:00:00-05:00"), "Europe/Berlin"
    )


def test_the_window_before_has_the_same_length() -> None:
    window = parsed("7d")
    assert window.previous() == Window(window.start_us - 168 * HOUR_US, window.start_us)


@pytest.mark.parametrize(
    ("word", "start", "end"),
    [
        ("today", "2026-11-19T00:00:00+00:00", "2026-11-19T16:15:30.000001+00:00"),
        ("yesterday", "2026-11-18T00:00:00+00:00", "2026-11-19T00:00:00+00:00"),
        ("week", "2026-11-09T00:00:00+00:00", "2026-11-13T16:15:30.000001+00:00"),
        ("month", "2026-10-01T00:00:00+00:00", "2026-10-20T16:15:30.000001+00:00"),
        ("year", "2025-01-01T00:00:00+00:00", "2025-11-20T16:15:30.000001+00:00"),
    ],
)
def test_a_calendar_period_is_compared_with_the_same_part_of_the_one_before(
    word: str, start: str, end: str
) -> None:
    assert parsed(word).previous() == Window(us(start), us(end))


def test_the_part_of_a_shorter_month_ends_where_this_one_begins() -> None:
    window = parse_window("month", now_us=us("2026-03-31T12:00:00+00:00"))
    assert window.previous() == Window(
        us("2026-02-01T00:00:00+00:00"), us("2026-03-01T00:00:00+00:00")
    )


def test_there_is_no_window_before_1970() -> None:
    assert Window(0, 5).previous() is None
    assert Window(5, 15).previous() == Window(0, 5)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5), (0, 4_000 * 24 * HOUR_US)])
def test_a_window_that_can_not_be_is_refused(start: int, end: int) -> None:
    with pytest.raises(InvalidError):
        Window(start, end)


@given(st.sampled_from(ZONES), st.dates(date(1971, 1, 1), date(2037, 1, 1)))
def test_a_day_starts_at_its_first_moment(name: str, day: object) -> None:
    start = day_start_us(day, name)  # type: ignore[arg-type]
    assert local(start, name).date() >= day  # type: ignore[operator]
    assert local(start - 1, name).date() < day  # type: ignore[operator]


@given(
    st.one_of(st.text(max_size=40), st.sampled_from([*PERIODS, "24h", "2026-11-01"])),
    st.one_of(st.none(), st.text(max_size=40)),
    st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "nowhere"]),
)
def test_any_text_gives_a_window_or_a_clear_error(since: str, until: str | None, name: str) -> None:
    try:
        window = parsed(since, until, name)
    except InvalidError:
        return
    assert 0 <= window.start_us < window.end_us <= NOW_US + 1


@given(st.integers(0, 4_000_000_000_000_000), st.sampled_from(ZONES))
def test_iso_keeps_the_moment(time_us: int, name: str) -> None:
    assert to_us(datetime.fromisoformat(iso(time_us, name))) == time_us
    assert (
        datetime.fromisoformat(iso(time_us, name)).utcoffset()
        == datetime.fromtimestamp(time_us // 1_000_000, ZoneInfo(name)).utcoffset()
    )
