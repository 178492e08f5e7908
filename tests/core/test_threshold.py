"""Bounds and verdicts: absolute, relative to a target, a baseline and the window before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.rule_tables import rule_of
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.threshold import Bound, bound_of, judge


def rule(**changes: Any) -> Rule:
    return rule_of({"name": "r", "signal": "cost", "threshold": 100, **changes})


def test_above_means_more_than_the_threshold_and_below_less() -> None:
    bound = Bound(100.0, 100.0)
    assert [judge(rule(), value, bound) for value in (99.0, 100.0, 101.0)] == [
        "clear", "clear", "met",
    ]  # fmt: skip
    below = rule(comparison="below")
    assert [judge(below, value, bound) for value in (99.0, 100.0, 101.0)] == [
        "met", "clear", "clear",
    ]  # fmt: skip


@pytest.mark.requirement("alerts:rules:recovery")
def test_between_threshold_and_recovery_nothing_changes() -> None:
    found = rule(recovery_threshold=80)
    bound = bound_of(found, None)
    assert bound == Bound(100.0, 80.0)
    assert [judge(found, value, bound) for value in (101.0, 90.0, 80.0)] == [
        "met", "between", "clear",
    ]  # fmt: skip


@pytest.mark.requirement(
    "000:ac2:threshold-alert",
    "000:config:llm-warning",
    "000:config:llm-critical",
    "000:test:threshold-logic",
)
@pytest.mark.parametrize(("share", "verdict"), [(0.083, "clear"), (0.085, "met")])
def test_a_share_of_a_fifth_above_its_target_meets_the_warning(share: float, verdict: str) -> None:
    found = rule(
        signal="category_share", share_of={"category": "llm"},
        threshold=0.20, relative_to="target", target=0.07,
    )  # fmt: skip
    bound = bound_of(found, None)
    assert bound is not None
    assert bound.threshold == pytest.approx(0.084)
    assert judge(found, share, bound) == verdict


@pytest.mark.parametrize("relative_to", ["baseline", "previous"])
@pytest.mark.requirement("alerts:rules:relative")
def test_a_relative_rule_is_held_against_its_reference(relative_to: str) -> None:
    found = rule(threshold=0.5, relative_to=relative_to)
    assert bound_of(found, 200.0) == Bound(300.0, 300.0)
    assert bound_of(rule(threshold=0.5, relative_to=relative_to, comparison="below"), 200.0) == (
        Bound(100.0, 100.0)
    )


@pytest.mark.parametrize("reference", [None, 0.0, float("nan")])
def test_without_anything_to_compare_with_nothing_is_known(reference: float | None) -> None:
    found = rule(threshold=0.5, relative_to="previous")
    assert judge(found, 5.0, bound_of(found, reference)) == "unknown"


@given(st.floats(), st.floats(-1e9, 1e9), st.floats(0, 1e6), st.booleans())
def test_every_value_has_one_verdict_and_mirrored_rules_agree(
    value: float, threshold: float, gap: float, above: bool
) -> None:
    side, other = ("above", "below") if above else ("below", "above")
    recovery = threshold - gap if above else threshold + gap
    one = rule(threshold=threshold, recovery_threshold=recovery, comparison=side)
    two = rule(threshold=-threshold, recovery_threshold=-recovery, comparison=other)
    assert judge(one, value, bound_of(one, None)) == judge(two, -value, bound_of(two, None))
