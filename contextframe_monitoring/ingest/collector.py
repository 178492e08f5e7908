"""`MetricsCollector`: one object that takes every kind of fact, for applications that want no
more than that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from contextframe_monitoring.ingest.cost import CostCalculator
from contextframe_monitoring.ingest.done import Done
from contextframe_monitoring.ingest.performance import PerformanceMonitor
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.ingest.usage import UsageTracker

DIALOGUE_EVENT = "dialogue"


class MetricsCollector:
    """Central entrance: `usage`, `performance` and `cost` are the trackers behind it.

    Nothing is buffered in memory: a call returns when its record is safe, so there is nothing that
    a crash could take.
    """

    flush_interval = 1.0
    """Seconds between two drains of a running keeper."""

    def __init__(
        self,
        recorder: Recorder,
        usage: UsageTracker,
        performance: PerformanceMonitor,
        cost: CostCalculator,
        flush: Callable[[], Awaitable[int]],
    ) -> None:
        """Made by `Monitor.open`."""
        self._recorder, self._flush = recorder, flush
        self.usage, self.performance, self.cost = usage, performance, cost

    @property
    def enabled(self) -> bool:
        """Whether anything is recorded now; set it to switch collection while the program runs."""
        return self._recorder.enabled and self._recorder.spool is not None

    @enabled.setter
    def enabled(self, value: bool) -> None:
        self._recorder.enabled = value

    async def track_cost(
        self, service: str, operation: str, cost: Decimal | float, **dimensions: Any
    ) -> Decimal:
        """Record a known cost in USD; keywords: tokens_input, tokens_output, user_id, user_tier,
        session_id ...
        """
        return self.cost.track_known_cost(service, operation, cost, **dimensions)

    def track_dialogue(
        self,
        session_id: str,
        book_id: str | None = None,
        *,
        user_id: str | None = None,
        message_count: int | None = None,
        duration: float | None = None,
        rating: float | None = None,
        model: str | None = None,
        dialogue_type: str | None = None,
    ) -> Done:
        """Record one dialogue: `duration` in seconds, `rating` the user's satisfaction."""
        measures = {"messages": message_count, "duration": duration, "rating": rating}
        labels = {"book": book_id, "model": model, "type": dialogue_type}
        return self.usage.track_event(
            DIALOGUE_EVENT,
            category=book_id,
            duration_ms=None if duration is None else duration * 1000,
            numbers={name: value for name, value in measures.items() if value is not None},
            attributes={name: value for name, value in labels.items() if value is not None},
            session_id=session_id,
            user_id=user_id,
        )

    async def get_usage_stats(
        self, start: dt.datetime, end: dt.datetime, group_by: str = "hour"
    ) -> Any:
        """Return the usage between two times."""
        return await self.usage.get_usage_stats(start, end, group_by)

    async def flush_metrics(self) -> int:
        """Carry what waits in the spool into the tables now; return how many records."""
        return await self._flush()
