"""One rule held against its figures: for each group the value, the bound, and what that means."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from contextframe_monitoring.alerts.answers import Answers
from contextframe_monitoring.alerts.courses import course_values
from contextframe_monitoring.alerts.questions import (
    expected_window,
    part_question,
    question_of,
    reference_window,
    window_of,
)
from contextframe_monitoring.alerts.values import Values, scaled, values_of
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.money import nano_usd
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.threshold import Bound, Verdict, bound_of, judge
from contextframe_monitoring.query.courses import Courses
from contextframe_monitoring.query.measures import Names


@dataclass(frozen=True, slots=True)
class Judged:
    """What one group's value means."""

    value: float | None
    bound: Bound | None
    verdict: Verdict

    @property
    def excess(self) -> float:
        """How far it is beyond the bound: the worst groups are kept when there are too many."""
        if self.value is None or self.bound is None:
            return 0.0
        return abs(self.value - self.bound.threshold)


@dataclass(frozen=True, slots=True)
class RuleJudged:
    """What one evaluation says of a rule: its groups, the time its questions took, and what is
    wrong with it.
    """

    groups: dict[Names, Judged]
    seconds: float = 0.0
    problem: str | None = None


def judge_rule(
    rule: Rule, answers: Answers, courses: Courses, config: MonitoringConfig, now_us: int
) -> RuleJudged:
    """Return what a rule says now. Raises a `MonitoringError` when it can't be asked."""
    window = window_of(rule, now_us, config.timezone)
    if rule.signal == "anomaly":
        slow_ms = config.slow_query_threshold_ms
        values, seconds = course_values(rule, answers, courses, window, slow_ms)
        return RuleJudged(_judged(rule, values, {}), seconds)
    question = question_of(rule, window, config.slow_query_threshold_ms)
    whole, seconds = answers.ask(question)
    part = part_question(rule, question)
    expected = expected_window(rule, window)
    values = values_of(
        rule,
        whole,
        window,
        part=None if part is None else answers.ask(part)[0],
        expected=(
            None
            if expected is None
            else answers.ask(question_of(rule, expected, 0.0), is_past=True)[0]
        ),
        monthly_nano_usd=_budget(config),
    )
    references: Values = {}
    over = reference_window(rule, window)
    if over is not None:
        asked = question_of(rule, over, config.slow_query_threshold_ms)
        found, more = answers.ask(asked, is_past=rule.relative_to == "baseline")
        part = part_question(rule, asked)
        past_part = None if part is None else answers.ask(part)[0]
        references = {
            names: scaled(rule, value, window, over)
            for names, value in values_of(rule, found, over, part=past_part).items()
        }
        seconds += more
    return RuleJudged(_judged(rule, values, references), seconds)


def judge_values(rule: Rule, values: Values) -> RuleJudged:
    """Return what a rule says of values that are known already."""
    return RuleJudged(_judged(rule, values, {}))


def _judged(rule: Rule, values: Values, references: Values) -> dict[Names, Judged]:
    bound = bound_of(rule, None)
    if rule.relative_to not in {"baseline", "previous"}:
        return {
            names: Judged(value, bound, judge(rule, value, bound))
            for names, value in values.items()
        }
    found = {}
    for names, value in values.items():
        own = bound_of(rule, references.get(names))
        found[names] = Judged(value, own, judge(rule, value, own))
    return found


def kept_groups(
    judged: RuleJudged, remembered: Collection[Names], groups_max: int
) -> tuple[dict[Names, Judged], int]:
    """Return the groups that are gone on with, and how many are left out: of those that meet the
    rule the ones that are alerts already, then the worst; all others of which something is
    remembered.
    """
    met = [names for names, one in judged.groups.items() if one.verdict == "met"]
    cut: set[Names] = set()
    if len(met) > groups_max:
        known = set(remembered)
        met.sort(key=lambda names: (names not in known, -judged.groups[names].excess, names))
        cut = {*met[groups_max:]}
    unknown = Judged(None, None, "unknown")
    kept = {
        names: unknown if names in cut else judged.groups.get(names, unknown)
        for names in remembered
    }
    return {**kept, **{names: judged.groups[names] for names in met[:groups_max]}}, len(cut)


def _budget(config: MonitoringConfig) -> int | None:
    monthly = config.budget.monthly_usd
    return None if monthly is None else nano_usd(monthly, "budget.monthly_usd", minimum=0)
