"""Figures that explain an alert: a few lines of the report that it is about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from contextframe_monitoring.core.advice import Analytics
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.core.reports import CostReport, UsageReport
from contextframe_monitoring.core.sayings import (
    Said,
    cell,
    say_cost,
    say_performance,
    say_usage,
    usd,
)
from contextframe_monitoring.query.reports import Reports
from contextframe_monitoring.store.store import Store

LINES_MAX = 8
_KEPT_NS = 60 * 1_000_000_000
_WAIT_SECONDS_MAX = 5.0
_TREND_POINTS = 7
_Read = Callable[[Reports], list[str]]


class Explanations:
    """The lines for each kind of alert, read at most once a minute, by any thread."""

    def __init__(self, uri: str, config: MonitoringConfig, clock: Clock) -> None:
        """Nothing is read yet."""
        self._uri, self._config, self._clock = uri, config, clock
        self._kept: dict[Analytics, tuple[int, list[str]]] = {}
        self._one = threading.Lock()

    def lines(self, about: Analytics) -> Sequence[str]:
        """Return the lines, one that says why there are none when the store can't be read now."""
        if not self._one.acquire(timeout=_WAIT_SECONDS_MAX):
            return ["figures: not ready yet"]
        try:
            now_ns = self._clock.monotonic_ns()
            at_ns, kept = self._kept.get(about, (None, []))
            if at_ns is not None and now_ns - at_ns < _KEPT_NS:
                return kept
            store = Store(self._uri, spool_path=self._config.spool_path)
            found = _READ[about](Reports(store, self._config, self._clock))[:LINES_MAX]
            self._kept[about] = (now_ns, found)
        except MonitoringError as error:
            return [f"figures: {error}"]
        finally:
            self._one.release()
        return found


def _cost(reports: Reports) -> list[str]:
    report = reports.cost(reports.question("cost", since="24h", group_by=("model",), limit=4))
    week = reports.cost(reports.question("cost", since="7d", group_by=("day",), limit=1))
    return [*_lines("cost", say_cost(report)), *_cost_trend(report, week)]


def _cost_trend(report: CostReport, week: CostReport) -> list[str]:
    lines = []
    if report.previous is not None and report.previous.total_cost is not None:
        lines.append(f"the 24 hours before: {usd(report.previous.total_cost)}")
    points = week.trend[-_TREND_POINTS:]
    if points:
        shown = ", ".join(f"{point.date[:10]} {usd(point.cost)}" for point in points)
        lines.append(f"trend: {shown}")
    return lines


def _usage(reports: Reports) -> list[str]:
    report = reports.usage(reports.question("usage", since="24h", group_by=("category",), limit=5))
    return [_headline("usage", say_usage(report)), *_shares(report)]


def _shares(report: UsageReport) -> list[str]:
    total = report.total_events
    if not total:
        return []
    return [
        f"{cell(row.category)}: {row.count:,} ({100 * row.count / total:.1f} %)"
        for row in report.breakdown
    ]


def _performance(reports: Reports) -> list[str]:
    query = reports.question("performance", since="1h", group_by=("target",), limit=5)
    return _lines("performance", say_performance(reports.performance(query)))


def _headline(name: str, said: Said) -> str:
    return f"{name}: {said.headline}"


def _lines(name: str, said: Said) -> list[str]:
    return [_headline(name, said), *said.lines[: LINES_MAX - 3]]


_READ: dict[Analytics, _Read] = {"cost": _cost, "usage": _usage, "performance": _performance}
