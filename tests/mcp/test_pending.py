"""Calls that wait: paired by id, bounded, and in turn where an id is used twice."""

from contextframe_monitoring.mcp.call import Call, Caller
from contextframe_monitoring.mcp.pending import PendingCalls


def call(name: str) -> Call:
    return Call(
        method=name,
        target=None,
        time_us=0,
        started_ns=0,
        size=None,
        caller=Caller(),
        operation_id=name,
        correlation_id=None,
    )


def test_an_answer_finds_its_call_once() -> None:
    calls = PendingCalls()
    calls.add(1, call("a"))
    calls.add("1", call("b"))

    assert [calls.pop(1), calls.pop("1"), calls.pop(1), len(calls)] == [
        call("a"),
        call("b"),
        None,
        0,
    ]


def test_numbers_are_one_id_however_they_are_written() -> None:
    calls = PendingCalls()
    calls.add(1.0, call("a"))

    assert calls.pop(1) == call("a")


def test_an_id_that_is_used_again_is_answered_in_turn() -> None:
    calls = PendingCalls()
    for name in ("a", "b", "c"):
        calls.add(1, call(name))
    calls.add(2, call("d"))

    assert [calls.pop(1), calls.pop(1), calls.pop(2), calls.pop(1), calls.pop(1)] == [
        call("a"),
        call("b"),
        call("d"),
        call("c"),
        None,
    ]


def test_beyond_the_bound_the_oldest_call_is_dropped_and_said() -> None:
    calls = PendingCalls(pending_max=3)

    dropped = [calls.add(number, call(str(number))) for number in range(5)]

    assert [old and old.method for old in dropped] == [None, None, None, "0", "1"]
    assert calls.pop_all() == [call("2"), call("3"), call("4")]


def test_one_id_used_for_ever_stays_within_the_bound() -> None:
    calls = PendingCalls(pending_max=3)

    dropped = sum(calls.add(1, call(str(number))) is not None for number in range(10))

    assert (dropped, len(calls)) == (7, 3)
    assert calls.pop_all() == [call("7"), call("8"), call("9")]
    assert len(calls) == 0
