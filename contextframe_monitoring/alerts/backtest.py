"""A rule held against what is stored: when it would have fired, step by step as the keeper does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from contextframe_monitoring.alerts.answers import Answers, Kept
from contextframe_monitoring.alerts.judgement import Judged, judge_rule
from contextframe_monitoring.alerts.questions import (
    BASELINE_DAYS,
    check_dimensions,
    question_of,
    window_of,
)
from contextframe_monitoring.core.baseline import DAYS_MAX
from contextframe_monitoring.core.clock import US_PER_DAY, US_PER_SECOND
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.reports.alerts import BackTest, Firing
from contextframe_monitoring.core.rule_step import Memory, step
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.windows import Window, iso
from contextframe_monitoring.query.courses import Courses
from contextframe_monitoring.query.held import HeldRows, Need
from contextframe_monitoring.query.measures import Names, columns_of
from contextframe_monitoring.query.source import RowSource

STEPS_MAX = 2_000
"""A longer history is looked at in longer steps."""
FIRINGS_MAX = 500
_CREDIT_STEPS = 3


@dataclass(slots=True)
class _Standing:
    """A group that fires: since when, and its worst value."""

    fired_us: int
    worst: Judged


def backtest(rule: Rule, source: RowSource, config: MonitoringConfig, over: Window) -> BackTest:
    """Return when a rule would have fired in a window. Raises `InvalidError` for a rule that can't
    be asked, or whose signal leaves no history.
    """
    if rule.family == "own" or rule.signal == "definition_tokens":
        raise InvalidError("signal", rule.signal, "its figures leave no history to test with")
    check_dimensions(rule)
    interval = round(config.alerts.evaluation_interval_seconds * US_PER_SECOND)
    steps = math.ceil((over.end_us - over.start_us) / interval)
    stride = interval * math.ceil(steps / STEPS_MAX)
    held = HeldRows(source, _needs(rule, config, over), in_order=True)
    run = _Run(rule, held, config, stride)
    times = range(over.start_us + stride, over.end_us + 1, stride)
    firings = [firing for now_us in times for firing in run.step(now_us)]
    firings += run.standing()
    firings.sort(key=lambda firing: firing.fired_at)
    coarse = stride > interval
    return BackTest(
        rule=rule.name,
        start=iso(over.start_us, over.timezone),
        end=iso(over.end_us, over.timezone),
        evaluations=len(times),
        step_seconds=stride / US_PER_SECOND,
        fired=len(firings),
        firings=tuple(firings[:FIRINGS_MAX]),
        more=max(len(firings) - FIRINGS_MAX, 0),
        note=(
            f"judged every {stride / US_PER_SECOND:g} s instead of every "
            f"{interval / US_PER_SECOND:g} s: ask for a shorter window"
            if coarse
            else None
        ),
    )


def _needs(rule: Rule, config: MonitoringConfig, over: Window) -> list[Need]:
    """Return the rows of the whole window and of what the rule looks back to from its start."""
    window = window_of(rule, over.start_us, config.timezone)
    asked = question_of(rule, window, config.slow_query_threshold_ms)
    back = window.end_us - window.start_us
    if rule.signal == "anomaly":
        back = (DAYS_MAX + 1) * US_PER_DAY + back
    elif rule.relative_to == "baseline" or rule.signal == "no_data":
        back += (BASELINE_DAYS + 1) * US_PER_DAY
    elif rule.relative_to == "previous":
        back *= 2
    columns = columns_of(asked.table, asked.cut)
    start_us = max(over.start_us - back, 0)
    end_us = over.end_us + 1
    return [Need(table=asked.table, columns=columns, start_us=start_us, end_us=end_us)]


class _Run:
    """One rule on its way through the past."""

    def __init__(
        self, rule: Rule, source: RowSource, config: MonitoringConfig, stride_us: int
    ) -> None:
        self._rule, self._source, self._config = rule, source, config
        self._stride_us = stride_us
        self._kept, self._courses = Kept(), Courses()
        self._memories: dict[Names, Memory] = {}
        self._standing: dict[Names, _Standing] = {}

    def step(self, now_us: int) -> Iterator[Firing]:
        """Judge at one time; yield what ends."""
        answers = Answers(self._source, self._kept, now_us)
        found = judge_rule(self._rule, answers, self._courses, self._config, now_us)
        unknown = Judged(None, None, "unknown")
        for names in {**found.groups, **self._memories}:
            judged = found.groups.get(names, unknown)
            memory = self._memories.get(names)
            if memory is None and judged.verdict != "met":
                continue
            stepped = step(
                memory,
                judged.verdict,
                now_us,
                for_us=self._rule.for_us,
                keep_firing_for_us=self._rule.keep_firing_for_us,
                credit_us_max=_CREDIT_STEPS * self._stride_us,
            )
            if stepped.memory is None:
                self._memories.pop(names, None)
            else:
                self._memories[names] = stepped.memory
            if stepped.change == "fired":
                self._standing[names] = _Standing(now_us, judged)
            elif stepped.change == "resolved":
                yield self._firing(names, self._standing.pop(names), now_us)
            elif names in self._standing and judged.excess > self._standing[names].worst.excess:
                self._standing[names].worst = judged

    def standing(self) -> list[Firing]:
        """Return what still fires at the end."""
        return [self._firing(names, one, None) for names, one in self._standing.items()]

    def _firing(self, names: Names, one: _Standing, resolved_us: int | None) -> Firing:
        timezone = self._config.timezone
        return Firing(
            group=dict(zip(self._rule.group_by, names, strict=True)),
            fired_at=iso(one.fired_us, timezone),
            resolved_at=None if resolved_us is None else iso(resolved_us, timezone),
            worst_value=one.worst.value,
            threshold_value=None if one.worst.bound is None else one.worst.bound.threshold,
        )
