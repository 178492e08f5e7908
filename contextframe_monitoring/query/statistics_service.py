"""`StatisticsService`: the statistics of a period, in the words of the statistics seed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from contextframe_monitoring.core.reports import CostReport
from contextframe_monitoring.query.reports import Reports

_T = TypeVar("_T")


class Asked(Protocol):
    """What is needed of a monitor."""

    @property
    def reports(self) -> Reports:
        """The reports, blocking."""
        ...

    def in_thread(self, work: Callable[[], _T]) -> Awaitable[_T]:
        """Run blocking work beside the event loop."""
        ...


class StatisticsService:
    """Statistics of the store that a monitor has open."""

    def __init__(self, monitor: Asked) -> None:
        """Nothing is read yet."""
        self._monitor = monitor

    async def get_cost_statistics(self, period: str, group_by: str = "model") -> CostReport:
        """Return what a period cost, by one key: the report of `report cost`.

        `period` is today, week, month or year (to date, in the configured time zone), or any
        window that reports take (`7d`); `group_by` any key of the cost report (model, feature,
        user_tier ...). A cost without a model is told as `service_operation`. The breakdown is
        ordered by cost, highest first. Raises `InvalidError`.
        """
        reports = self._monitor.reports

        def answer() -> CostReport:
            return reports.cost(reports.question("cost", since=period, group_by=(group_by,)))

        return await self._monitor.in_thread(answer)
