"""Anomalies: how far the course of a series is from what this time of day is usually like."""

from __future__ import annotations

from contextframe_monitoring.alerts.answers import Answers
from contextframe_monitoring.alerts.values import Values
from contextframe_monitoring.core.rules import Rule
from contextframe_monitoring.core.windows import Window


def course_values(
    rule: Rule, answers: Answers, window: Window, slow_ms: float
) -> tuple[Values, float]:
    """Return how many robust deviations each group is off."""
    raise NotImplementedError
