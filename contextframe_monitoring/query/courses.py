"""The course of figures over the last days, slot by slot, kept between questions: only what is new
is measured again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np

from contextframe_monitoring.core.baseline import DAYS_MAX, deviation
from contextframe_monitoring.core.clock import US_PER_DAY
from contextframe_monitoring.core.errors import LimitedError
from contextframe_monitoring.core.windows import Window
from contextframe_monitoring.query.measures import Names
from contextframe_monitoring.query.source import Floats

GROUPS_MAX = 200
"""Groups of one course: each holds two weeks of slots."""
LATE_SLOTS = 2
"""Slots before the newest one that are measured again: records may come late."""

Measure = Callable[[Window], Mapping[Names, float | None]]
"""Figures by group and slot; the slot (time // its length) is the last label."""


@dataclass(slots=True)
class _Course:
    end_slot: int
    first_slot: dict[Names, int] = field(default_factory=dict)
    values: dict[Names, dict[int, float]] = field(default_factory=dict)


class Courses:
    """The courses that rules watch. Belongs to one thread."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: dict[Hashable, _Course] = {}

    def keep_only(self, keys: set[Hashable]) -> None:
        """Forget the courses that nobody asks for any more."""
        self._kept = {key: course for key, course in self._kept.items() if key in keys}

    def deviations(
        self,
        key: Hashable,
        window: Window,
        slot_us: int,
        measure: Measure,
        *,
        empty: float,
        one: float | None = None,
    ) -> dict[Names, float | None]:
        """Return how far each group is off in the last whole slot before the window's end.

        `empty` is the figure of a slot without rows: 0 of a count, NaN of a mean. Raises
        `LimitedError` for more than `GROUPS_MAX` groups.
        """
        end_slot = window.end_us // slot_us
        slots = (DAYS_MAX + 1) * (US_PER_DAY // slot_us)
        course = self._kept.get(key)
        if course is None or not course.end_slot <= end_slot <= course.end_slot + slots:
            course = self._kept[key] = _Course(end_slot - slots)
        start_slot = max(course.end_slot - LATE_SLOTS, end_slot - slots, 0)
        if start_slot < end_slot:
            new = Window(start_slot * slot_us, end_slot * slot_us, window.timezone)
            _merge(course, measure(new), start_slot, end_slot, slots)
        return {
            names: deviation(_line(course, names, slots, empty), US_PER_DAY // slot_us, one=one)
            for names in course.values
        }


def _merge(
    course: _Course, found: Mapping[Names, float | None], start: int, end: int, slots: int
) -> None:
    for names in {labels[:-1] for labels in found} | set(course.values):
        values = course.values.setdefault(names, {})
        for slot in [s for s in values if s >= start or s < end - slots]:
            del values[slot]
    if len(course.values) > GROUPS_MAX:
        count = len(course.values)
        course.values.clear()
        course.end_slot = end - slots
        hint = "group the rule by less, or filter"
        raise LimitedError("groups of an anomaly", count, GROUPS_MAX, hint)
    for labels, value in found.items():
        names, slot = labels[:-1], int(labels[-1])
        if value is not None:
            course.values[names][slot] = value
            course.first_slot[names] = min(slot, course.first_slot.get(names, slot))
    course.end_slot = end


def _line(course: _Course, names: Names, slots: int, empty: float) -> Floats:
    """Return the values from the first slot that ever had one, `empty` where there is none."""
    end, values = course.end_slot, course.values[names]
    first = max(course.first_slot.get(names, end), end - slots)
    line = np.full(end - first, empty)
    for slot, value in values.items():
        if slot >= first:
            line[slot - first] = value
    return line if len(line) else np.full(1, np.nan)
