"""Anomalies: how far the course of a signal is from what this time of day is usually like."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec

from contextframe_monitoring.alerts.answers import Answers
from contextframe_monitoring.alerts.questions import question_of
from contextframe_monitoring.alerts.values import Values, values_of
from contextframe_monitoring.core.clock import US_PER_SECOND
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.courses import Courses

_COUNTED = {"usage_count", "throughput"}
_ADDED = {"cost", *_COUNTED}
"""Series of which a slot without rows is 0; of the others it is not known."""


def course_values(
    rule: Rule, answers: Answers, courses: Courses, window: Window, slow_ms: float
) -> tuple[Values, float]:
    """Return how many robust deviations each group is off, and the seconds that it took."""
    slot_us = rule.window_us or 0
    series = rule.series or "latency"
    watched = msgspec.structs.replace(
        rule, signal=series, series=None, threshold=0.0, annotations={}, recovery_threshold=None
    )
    took = [0.0]

    def measure(over: Window) -> Values:
        asked = question_of(watched, over, slow_ms)
        cut = replace(asked.cut, slot_us=slot_us)
        found, seconds = answers.ask(replace(asked, cut=cut))
        took[0] += seconds
        slot = Window(over.start_us, over.start_us + slot_us, over.timezone)
        return values_of(watched, found, slot)

    one = None
    if series in _COUNTED:
        one = 1.0 if series == "usage_count" else US_PER_SECOND / slot_us
    found = courses.deviations(
        course_key(rule),
        window,
        slot_us,
        measure,
        empty=0.0 if series in _ADDED else math.nan,
        one=one,
    )
    return found, took[0]


def course_key(rule: Rule) -> tuple[object, ...]:
    """Return what tells the course of one rule from that of another."""
    return (rule.subject, rule.window, rule.count_min)
