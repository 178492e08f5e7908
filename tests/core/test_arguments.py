"""Arguments of the public calls."""

import datetime as dt

import pytest

from contextframe_monitoring.core import arguments
from contextframe_monitoring.core.errors import InvalidError


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (arguments.text, "", "x = '' is not allowed: expected a string that is not empty"),
        (arguments.text, 3, "x = 3 is not allowed: expected a string"),
        (arguments.count, True, "x = True is not allowed: expected a whole number"),
        (arguments.count, -1, "x = -1 is not allowed: expected 0 to 1000000000000000"),
        (arguments.count, 1.0, "x = 1.0 is not allowed: expected a whole number"),
        (arguments.number, float("nan"), "x = nan is not allowed: expected a finite number"),
        (arguments.number, "1", "x = '1' is not allowed: expected a number"),
        (arguments.mapping, [1], "x = [1] is not allowed: expected a dictionary"),
        (
            arguments.moment_us,
            dt.datetime(2026, 1, 1),  # noqa: DTZ001 - the naive one is the point
            "x = datetime.datetime(2026, 1, 1, 0, 0) is not allowed: "
            "expected a datetime with a time zone",
        ),
        (arguments.moment_us, "2026", "x = '2026' is not allowed: expected a datetime"),
        (
            arguments.optional_code,
            2**31,
            "x = 2147483648 is not allowed: expected a whole number of 32 bits",
        ),
        (arguments.numbers, {"a": "b"}, "x[a] = 'b' is not allowed: expected a number"),
        (arguments.numbers, {"": 1}, "a key of x = '' is not allowed: "
                                     "expected a string that is not empty"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused_by_name(check: object, value: object, message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check("x", value)  # type: ignore[operator]
    assert str(caught.value) == message


def test_a_minimum_is_said() -> None:
    with pytest.raises(InvalidError, match="expected 0 or more"):
        arguments.number("x", -0.5, 0)


def test_a_choice_names_what_is_allowed() -> None:
    with pytest.raises(InvalidError, match="expected one of read, write"):
        arguments.choice("operation", "reed", ("read", "write"))


def test_too_many_numbers_are_refused() -> None:
    with pytest.raises(InvalidError, match="expected at most 32"):
        arguments.numbers("numbers", {str(i): i for i in range(33)})


def test_unknown_stays_unknown() -> None:
    assert arguments.optional_text("x", None) is None
    assert arguments.optional_text("x", "") is None
    assert arguments.optional_count("x", None) is None
    assert arguments.optional_number("x", None) is None
    assert arguments.optional_code("x", None) is None
    assert arguments.mapping("x", None) is None
    assert arguments.numbers("x", None) == {}


def test_a_moment_is_exact_to_the_microsecond_in_any_zone() -> None:
    zone = dt.timezone(dt.timedelta(hours=5, minutes=30))
    moment = dt.datetime(2026, 11, 20, 12, 0, 0, 123457, tzinfo=zone)
    assert arguments.moment_us("x", moment) == 1_795_156_200_123_457
