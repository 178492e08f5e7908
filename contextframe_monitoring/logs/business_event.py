"""`BusinessEvent`: a block of an application's work that becomes one event and one log line."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from structlog.typing import FilteringBoundLogger

from contextframe_monitoring.core import arguments
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.ingest.usage import UsageTracker
from contextframe_monitoring.logs.log import Logs

LOGGER = "events"


class Eventful(Protocol):
    """What is needed of a monitor."""

    @property
    def usage(self) -> UsageTracker:
        """Where events are recorded."""
        ...

    @property
    def logs(self) -> Logs:
        """Where lines go."""
        ...

    @property
    def clock(self) -> Clock:
        """What measures."""
        ...


class BusinessEvent:
    """One event while it happens: set `category`, `outcome`, `numbers`, `attributes` as they turn
    out.

    The block's end records it with its duration and logs it. An exception makes it the outcome
    `error` (`cancelled` for a cancellation), logs the stack and `user_impact`, and goes on.
    """

    def __init__(
        self,
        monitor: Eventful,
        name: str,
        *,
        category: str | None = None,
        numbers: Mapping[str, float] | None = None,
        attributes: Mapping[str, Any] | None = None,
        user_impact: str | None = None,
        agent_id: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
    ) -> None:
        """Made by `Monitor.business_event`. Raises `InvalidError` for what is not allowed."""
        self.name = arguments.text("name", name)
        self.category = arguments.optional_text("category", category)
        self.outcome: str | None = None
        self.numbers = arguments.numbers("numbers", numbers)
        self.attributes = dict(arguments.mapping("attributes", attributes) or {})
        self.user_impact = arguments.optional_text("user_impact", user_impact)
        self._monitor = monitor
        self._who = (agent_id, session_id, user_id)
        self._started_ns = monitor.clock.monotonic_ns()

    def _end(self, error: BaseException | None) -> None:
        took_ms = (self._monitor.clock.monotonic_ns() - self._started_ns) / 1e6
        if error is not None:
            self.outcome = "error" if isinstance(error, Exception) else "cancelled"
        outcome = self.outcome or "success"
        self._log(outcome, took_ms, error)
        try:
            self._record(outcome, took_ms)
        except MonitoringError:
            if error is None:  # else the block's own error matters more
                raise

    def _record(self, outcome: str, took_ms: float) -> None:
        agent_id, session_id, user_id = self._who
        self._monitor.usage.track_event(
            self.name,
            category=self.category,
            outcome=outcome,
            duration_ms=took_ms,
            numbers=self.numbers,
            attributes=self.attributes,
            agent_id=agent_id,
            session_id=session_id,
            user_id=user_id,
        )

    def _log(self, outcome: str, took_ms: float, error: BaseException | None) -> None:
        log: FilteringBoundLogger = self._monitor.logs.logger(LOGGER)
        fields = {"outcome": outcome, "duration_ms": took_ms}
        if self.category is not None:
            fields["category"] = self.category
        fields |= {"numbers": self.numbers} if self.numbers else {}
        fields |= {"attributes": self.attributes} if self.attributes else {}
        if error is None or outcome != "error":
            log.info(self.name, **fields)
            return
        impact = {} if self.user_impact is None else {"user_impact": self.user_impact}
        log.error(self.name, exc_info=error, **fields, **impact)

    def __enter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, trace
        self._end(error)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, trace
        self._end(error)
