"""Which groups make a page of a breakdown, in which order, and how a group is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from contextframe_monitoring.core.histogram import QUANTILE_ERROR
from contextframe_monitoring.core.privacy import bounded_name
from contextframe_monitoring.core.queries import NONE_LABEL, ReportQuery
from contextframe_monitoring.core.reports import Period, Resolution
from contextframe_monitoring.core.windows import Window, iso
from contextframe_monitoring.query.grouping import Grouping
from contextframe_monitoring.query.keys import TimeKey
from contextframe_monitoring.query.scan import Scan

CATEGORY_JOIN = " / "

Labels = tuple[str | None, ...]


def shown(label: str | None) -> str:
    """Return a label as it stands in a report: printable, bounded, `(none)` for none."""
    return NONE_LABEL if label is None else bounded_name(label)


def category(query: ReportQuery, labels: Labels) -> dict[str, Any]:
    """Return the fields that name a group: `category`, and `keys` when it has several parts."""
    parts = [shown(label) for label in labels]
    fields: dict[str, Any] = {"category": CATEGORY_JOIN.join(parts)}
    if len(parts) > 1:
        fields["keys"] = dict(zip(query.group_by, parts, strict=True))
    return fields


def page(
    query: ReportQuery,
    labels: Sequence[Labels],
    groups: Iterable[int],
    size: Callable[[int], Any],
    times: Sequence[int] | None = None,
) -> tuple[list[int], int]:
    """Return the groups on the page that was asked for, and how many come after it.

    Groups stand largest first, equal ones by label; where `times` places each group in time, in
    that order first.
    """
    if not query.group_by:
        return [], 0

    def place(group: int) -> tuple[Any, ...]:
        named = tuple((label is None, label or "") for label in labels[group])
        return (0 if times is None else times[group], -size(group), named)

    ordered = sorted(groups, key=place)
    end = query.offset + query.limit
    return ordered[query.offset : end], max(len(ordered) - end, 0)


def times_of(grouping: Grouping) -> Sequence[int] | None:
    """Return the order in time of groups whose first key is a time unit, else None."""
    if grouping.keys and isinstance(grouping.keys[0], TimeKey):
        order: list[int] = grouping.parts(0).tolist()
        return order
    return None


def period(window: Window) -> Period:
    """Return how a report names its window."""
    return Period(start=window.start, end=window.end, timezone=window.timezone, name=window.period)


def resolution(scan: Scan, *, exact: bool = True) -> Resolution:
    """Return where the numbers of a scan come from; percentiles may be from histograms."""
    oldest = scan.oldest_us
    source: Literal["raw", "rollup", "both"] = "raw"
    if scan.folded_read:
        source = "both" if scan.raw_read else "rollup"
    return Resolution(
        source=source,
        exact=exact,
        quantile_error=0.0 if exact else round(QUANTILE_ERROR, 4),
        raw_since=None if oldest is None else iso(oldest, scan.query.window.timezone),
    )


def left_out(what: str) -> str:
    """Return what is said of figures that rollups can't give."""
    return f"{what} need raw rows: ask for an exact answer or a shorter window"
