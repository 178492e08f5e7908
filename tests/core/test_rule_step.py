"""The step of a rule: by hand for each way through it, by Hypothesis for what always holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.rule_step import Memory, Stepped, step
from contextframe_monitoring.core.threshold import Verdict

MINUTE = 60_000_000
VERDICTS = st.sampled_from(["met", "between", "clear", "unknown"])


def run(
    verdicts: list[Verdict], *, hold: int = 0, keep: int = 0, minutes: list[int] | None = None
) -> list[str]:
    """Return what changed at each evaluation, one a minute unless `minutes` says when."""
    memory: Memory | None = None
    changes = []
    times = minutes or list(range(len(verdicts)))
    for verdict, minute in zip(verdicts, times, strict=True):
        found = step(
            memory,
            verdict,
            minute * MINUTE,
            for_us=hold * MINUTE,
            keep_firing_for_us=keep * MINUTE,
            credit_us_max=3 * MINUTE,
        )
        memory = found.memory
        changes.append(found.change)
    return changes


def test_without_a_hold_it_fires_and_resolves_at_once() -> None:
    assert run(["clear", "met", "met", "clear", "met"]) == [
        "none", "fired", "none", "resolved", "fired",
    ]  # fmt: skip


def test_it_is_pending_until_it_was_met_long_enough() -> None:
    assert run(["met", "met", "met", "met"], hold=2) == ["pending", "none", "fired", "none"]


def test_what_does_not_last_is_dropped_and_begins_anew() -> None:
    assert run(["met", "met", "clear", "met", "met", "met"], hold=2) == [
        "pending", "none", "dropped", "pending", "none", "fired",
    ]  # fmt: skip


def test_it_keeps_firing_until_it_was_over_long_enough() -> None:
    assert run(["met", "clear", "met", "clear", "clear", "clear"], keep=2) == [
        "fired", "none", "none", "none", "none", "resolved",
    ]  # fmt: skip


def test_between_the_thresholds_it_stays_as_it_is() -> None:
    assert run(["between", "met", "between", "between", "clear"]) == [
        "none", "fired", "none", "none", "resolved",
    ]  # fmt: skip


@pytest.mark.requirement("alerts:evaluator:clock")
def test_a_clock_that_jumps_ahead_makes_nothing_fire_early() -> None:
    assert run(["met", "met", "met"], hold=10, minutes=[0, 500, 501]) == ["pending", "none", "none"]


@pytest.mark.requirement("alerts:evaluator:clock")
def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    found = run(["met", "met", "met", "met"], hold=2, minutes=[10, 11, 5, 6])
    assert found == ["pending", "none", "none", "fired"]


def test_a_step_gives_its_reason() -> None:
    found = step(
        Memory(state="pending", since_us=0, held_us=MINUTE, judged_us=MINUTE),
        "met",
        2 * MINUTE,
        for_us=5 * MINUTE,
        keep_firing_for_us=0,
        credit_us_max=MINUTE,
    )
    held = Memory(state="pending", since_us=0, held_us=2 * MINUTE, judged_us=2 * MINUTE)
    assert found == Stepped(held, "none", "met for 120 s of 300 s")


@given(st.lists(VERDICTS, max_size=60), st.integers(0, 4), st.integers(0, 4))
def test_fired_and_resolved_take_turns_and_begin_with_fired(
    verdicts: list[Verdict], hold: int, keep: int
) -> None:
    told = [c for c in run(verdicts, hold=hold, keep=keep) if c in {"fired", "resolved"}]
    assert told == ["fired", "resolved"] * (len(told) // 2) + ["fired"] * (len(told) % 2)


@given(st.lists(VERDICTS, max_size=60), st.integers(0, 4), st.integers(0, 4))
def test_it_fires_only_after_it_was_met_for_as_long_as_it_must(
    verdicts: list[Verdict], hold: int, keep: int
) -> None:
    for at, change in enumerate(run(verdicts, hold=hold, keep=keep)):
        if change == "fired":
            assert verdicts[at - hold : at + 1] == ["met"] * (hold + 1)


@given(st.lists(VERDICTS, max_size=60), st.integers(0, 4), st.integers(0, 4))
def test_it_resolves_only_after_it_was_over_for_as_long_as_it_must(
    verdicts: list[Verdict], hold: int, keep: int
) -> None:
    for at, change in enumerate(run(verdicts, hold=hold, keep=keep)):
        if change == "resolved":
            assert not {"met", "between"} & {*verdicts[at - keep : at + 1]}


@given(
    st.lists(st.tuples(VERDICTS, st.integers(-(10**15), 10**15)), max_size=60),
    st.integers(0, 10**10),
)
def test_no_clock_makes_it_fire_in_fewer_evaluations_than_credit_allows(
    steps: list[tuple[Verdict, int]], hold: int
) -> None:
    memory: Memory | None = None
    met = 0
    for verdict, now_us in steps:
        found = step(
            memory, verdict, now_us, for_us=hold, keep_firing_for_us=0, credit_us_max=MINUTE
        )
        met = met + 1 if verdict == "met" else 0
        if found.change == "fired":
            assert (met - 1) * MINUTE >= hold
        memory = found.memory
