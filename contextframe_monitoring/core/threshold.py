"""Whether a value meets a rule: the bound, absolute or relative, and the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from contextframe_monitoring.core.rules import Rule

Verdict = Literal["met", "between", "clear", "unknown"]
"""`between` is back behind the threshold, but not at the recovery threshold; `unknown` is no value
or nothing to compare it with.
"""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a value is held against, in the unit of the signal."""

    threshold: float
    recovery: float


def bound_of(rule: Rule, reference: float | None) -> Bound | None:
    """Return the bound of a rule; `reference` is the value of the baseline or of the window
    before, for rules that are relative to it.

    None when there is nothing to compare with, or only nothing: 20 % above 0 is 0.
    """
    threshold = rule.bound
    recovery = threshold if rule.recovery_threshold is None else rule.recovery_threshold
    if rule.relative_to is None:
        return Bound(threshold, recovery)
    if rule.relative_to == "target":
        reference = rule.target
    if reference is None or not math.isfinite(reference) or reference == 0:
        return None
    sign = 1 if rule.direction == "above" else -1
    return Bound(reference * (1 + sign * threshold), reference * (1 + sign * recovery))


def judge(rule: Rule, value: float | None, bound: Bound | None) -> Verdict:
    """Return what a value means for a rule."""
    if value is None or bound is None or not math.isfinite(value):
        return "unknown"
    sign = 1 if rule.direction == "above" else -1
    if sign * value > sign * bound.threshold:
        return "met"
    return "clear" if sign * value <= sign * bound.recovery else "between"
