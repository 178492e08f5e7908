"""What CloudWatch takes: its units, its letters, its bounds, and distributions as it stores them.

Its limits are those of the API reference of PutMetricData: 30 dimensions, 255 characters a name,
150 values a datum, 1,000 data and 1 MB a request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from contextframe_monitoring.core.histogram import middle_of
from contextframe_monitoring.export.metrics.distributions import Distribution

DIMENSIONS_MAX = 30
_NAME_CHARS_MAX, _VALUE_CHARS_MAX = 255, 1024
_LARGEST = 2.0**360
_UNITS = {
    "s": "Seconds", "ms": "Milliseconds", "us": "Microseconds", "By": "Bytes", "kBy": "Kilobytes",
    "MBy": "Megabytes", "GBy": "Gigabytes", "bit": "Bits", "%": "Percent", "By/s": "Bytes/Second",
    "1/s": "Count/Second", "{operation}/s": "Count/Second",
}  # fmt: skip


def unit_of(unit: str, *, counted: bool) -> str:
    """Return CloudWatch's word for a unit; what it has no word for is `None`."""
    return _UNITS.get(unit, "Count" if counted and not unit else "None")


def name_of(text: str) -> str:
    """Return a name of a metric or dimension in the letters that are allowed."""
    return (_ascii(text).lstrip(":") or "_")[:_NAME_CHARS_MAX]


def dimensions_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels as dimensions; what has no value is left out."""
    found = {name_of(key): _ascii(value)[:_VALUE_CHARS_MAX] for key, value in labels.items()}
    return {key: value for key, value in list(found.items())[:DIMENSIONS_MAX] if value.strip()}


def value_of(value: float) -> float:
    """Return a number within the bounds, 0 for what is none."""
    if math.isnan(value):
        return 0.0
    bounded = min(max(value, -_LARGEST), _LARGEST)
    return bounded if abs(bounded) >= 1 / _LARGEST else 0.0


def values_and_counts(fine: Distribution, values_max: int) -> tuple[list[float], list[int]]:
    """Return the values of a distribution and how often each comes, at most `values_max` of them:
    neighbouring buckets (2.2 % wide) become one where there are more.
    """
    buckets = fine.buckets
    zeros = [(0.0, fine.zeros)] if fine.zeros else []
    per = max(-(-len(buckets) // (values_max - len(zeros))), 1)
    found = list(zeros)
    for start in range(0, len(buckets), per):
        some = buckets[start : start + per]
        count = sum(n for _, n in some)
        middle = sum(float(middle_of(bucket)) * n for bucket, n in some) / count
        found.append((value_of(min(max(middle, fine.low), fine.high)), count))
    return [value for value, _ in found], [count for _, count in found]


def _ascii(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text).strip()
