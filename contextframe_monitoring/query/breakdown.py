"""Which groups make a page of a breakdown, in which order, and how a group is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.queries import NONE_LABEL, ReportQuery
from contextframe_monitoring.core.reports import Period, Resolution
from contextframe_monitoring.core.windows import Window, iso
from contextframe_monitoring.query.grouping import Grouping
from contextframe_monitoring.query.keys import TimeKey
from contextframe_monitoring.query.source import RowSource

CATEGORY_JOIN = " / "


def shown(label: str | None) -> str:
    """Return a label as it stands in a report: printable, bounded, `(none)` for none."""
    return NONE_LABEL if label is None else bounded_name(label)


def category(query: ReportQuery, grouping: Grouping, group: int) -> dict[str, Any]:
    """Return the fields that name a group: `category`, and `keys` when it has several parts."""
    parts = [shown(label) for label in grouping.labels(group)]
    fields: dict[str, Any] = {"category": CATEGORY_JOIN.join(parts)}
    if len(parts) > 1:
        fields["keys"] = dict(zip(query.group_by, parts, strict=True))
    return fields


def page(
    query: ReportQuery,
    grouping: Grouping,
    groups: Iterable[int],
    size: Callable[[int], Any],
    *,
    by_time: bool = True,
) -> tuple[list[int], int]:
    """Return the groups on the page that was asked for, and how many come after it.

    Groups stand largest first, equal ones by label; where the first key is a time unit, in the
    order of time (`by_time` False: largest first all the same).
    """
    if not grouping.keys:
        return [], 0
    chronological = by_time and isinstance(grouping.keys[0], TimeKey)
    times = grouping.parts(0).tolist() if chronological else ()

    def place(group: int) -> tuple[Any, ...]:
        labels = tuple((label is None, label or "") for label in grouping.labels(group))
        return (times[group] if chronological else 0, -size(group), labels)

    ordered = sorted(groups, key=place)
    end = query.offset + query.limit
    return ordered[query.offset : end], max(len(ordered) - end, 0)


def period(window: Window) -> Period:
    """Return how a report names its window."""
    return Period(start=window.start, end=window.end, timezone=window.timezone, name=window.period)


def raw_resolution(
    source: RowSource, table: str, window: Window, quantile_error: float = 0.0
) -> Resolution:
    """Return the resolution of an answer from raw rows."""
    oldest = source.oldest_us(table)
    return Resolution(
        exact=quantile_error == 0,
        quantile_error=quantile_error,
        raw_since=None if oldest is None else iso(oldest, window.timezone),
    )
