"""`PerformanceMonitor`: how long an application's operations take, how they end, and its own
metrics.
"""

from __future__ import annotations

import collections
import functools
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from contextframe_monitoring.core import arguments
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.privacy import (
    attribute_pairs,
    bounded_name,
    masked_text,
    uri_without_query,
)
from contextframe_monitoring.core.records import (
    METRIC_KINDS,
    OWN_SERVER,
    STATUSES,
    UNMATCHED_EVENT,
    EventRecord,
    MetricKind,
    MetricRecord,
    OperationRecord,
    Origin,
    Status,
)
from contextframe_monitoring.ingest.done import DONE, Done
from contextframe_monitoring.ingest.operation import OperationContext
from contextframe_monitoring.ingest.origins import Origins
from contextframe_monitoring.ingest.recorder import Recorder

if TYPE_CHECKING:
    from contextframe_monitoring.ingest.resources import ResourceSample, ResourceSampler

PENDING_MAX = 10_000
"""Operations started and not ended; beyond it the oldest is counted as never ended."""
_ENDED_MAX = 10_000
_SERVER_ERROR = 500
_DIRECTIONS = ("in", "out")
_OWN = Origin(server=OWN_SERVER)


class PerformanceSummary(Protocol):
    """What answers `get_performance_summary`: the read path, given by the composition root."""

    async def performance_summary(self, period: str) -> Any:
        """Return the performance of a period."""
        ...


class PerformanceMonitor:
    """Times operations and takes custom metrics. Calls return when the record is safe."""

    def __init__(
        self,
        recorder: Recorder,
        origins: Origins,
        config: MonitoringConfig,
        clock: Clock,
        summary: PerformanceSummary | None = None,
    ) -> None:
        """Made by `Monitor.open`."""
        self._recorder, self._origins, self._clock = recorder, origins, clock
        self._chars_max = config.text_chars_max
        self._store_error_texts = config.store_error_texts
        self._summary = summary
        self._lock = threading.Lock()
        self._pending: dict[str, OperationContext] = {}
        self._ended: collections.OrderedDict[str, None] = collections.OrderedDict()
        self.unmatched: collections.Counter[str] = collections.Counter()

    @property
    def active(self) -> int:
        """Operations that were started and not ended."""
        return len(self._pending)

    def start_operation(
        self,
        operation_id: str | None,
        operation_type: str,
        agent_id: str | None = None,
        *,
        target: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
    ) -> OperationContext:
        """Start an operation; `operation_id` None means an id of ours. A second start replaces
        the first.
        """
        given = arguments.optional_text("operation_id", operation_id)
        context = OperationContext(
            self._end_block,
            bounded_name(given) if given is not None else self._recorder.next_operation_id(),
            bounded_name(arguments.text("operation_type", operation_type)),
            self._origins.of(
                arguments.optional_text("agent_id", agent_id),
                arguments.optional_text("user_id", user_id),
                arguments.optional_text("session_id", session_id),
            ),
            target=None if target is None else uri_without_query(arguments.text("target", target)),
            attributes=attribute_pairs(
                arguments.mapping("attributes", attributes), self._chars_max
            ),
            time_us=self._clock.now_us(),
            started_ns=self._clock.monotonic_ns(),
        )
        with self._lock:
            forgotten = self._pending.pop(context.operation_id, None)
            if forgotten is None and len(self._pending) >= PENDING_MAX:
                forgotten = self._pending.pop(next(iter(self._pending)))
            self._pending[context.operation_id] = context
        if forgotten is not None:
            self._unmatched("never_ended", forgotten.operation_id)
        else:
            self._recorder.operation_started()
        return context

    def operation(
        self,
        operation_type: str,
        target: str | None = None,
        *,
        agent_id: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
    ) -> OperationContext:
        """Start an operation that a `with` or `async with` block ends: its exception says how."""
        return self.start_operation(
            None,
            operation_type,
            agent_id,
            target=target,
            attributes=attributes,
            session_id=session_id,
            user_id=user_id,
        )

    def end_operation(
        self,
        operation_id: str,
        status: str,
        result_size: int | None = None,
        error: str | None = None,
        *,
        error_type: str | None = None,
        status_code: int | None = None,
    ) -> Done:
        """End an operation. An end without a start, or a second one, is counted and harmless."""
        name = bounded_name(arguments.text("operation_id", operation_id))
        ended = arguments.choice("status", status, STATUSES)
        size = arguments.optional_count("result_size", result_size)
        said = arguments.optional_text("error", error)
        context = self._take(name)
        if context is None:
            return DONE
        self._recorder.record(
            OperationRecord(
                time_us=context.time_us,
                operation_type=context.operation_type,
                status=ended,  # type: ignore[arg-type]
                duration_ms=(self._clock.monotonic_ns() - context.started_ns) / 1e6,
                origin=context.origin,
                target=context.target,
                operation_id=name,
                error_type=arguments.optional_text("error_type", error_type),
                error=None if said is None else masked_text(said, self._chars_max),
                status_code=arguments.optional_code("status_code", status_code),
                result_size=size,
                attributes=context.attributes,
            )
        )
        return DONE

    def record_metric(
        self,
        metric_name: str,
        value: float,
        tags: Mapping[str, str] | None = None,
        kind: str = "gauge",
        unit: str | None = None,
        *,
        agent_id: str | None = None,
        operation_id: str | None = None,
    ) -> Done:
        """Record one sample of a custom metric: `kind` is gauge, counter (adds up) or histogram."""
        found: MetricKind = arguments.choice("kind", kind, METRIC_KINDS)  # type: ignore[assignment]
        self._recorder.record(
            MetricRecord(
                time_us=self._clock.now_us(),
                name=bounded_name(arguments.text("metric_name", metric_name)),
                value=arguments.number("value", value, 0 if found == "counter" else None),
                kind=found,
                unit=arguments.optional_text("unit", unit),
                attributes=attribute_pairs(arguments.mapping("tags", tags), self._chars_max),
                operation_id=arguments.optional_text("operation_id", operation_id),
                origin=self._origins.of(arguments.optional_text("agent_id", agent_id)),
            )
        )
        return DONE

    def record_operation(
        self,
        operation_type: str,
        target: str | None = None,
        *,
        duration_ms: float | None,
        status: str = "success",
        direction: str = "in",
        error_type: str | None = None,
        status_code: int | None = None,
        attributes: Mapping[str, Any] | None = None,
        user_id: str | None = None,
    ) -> Done:
        """Record one operation that has just ended. `direction` is out for a call that was made."""
        took = arguments.optional_number("duration_ms", duration_ms, 0)
        way = arguments.choice("direction", direction, _DIRECTIONS)
        self._recorder.record(
            OperationRecord(
                time_us=self._clock.now_us() - round((took or 0) * 1000),
                operation_type=bounded_name(arguments.text("operation_type", operation_type)),
                status=arguments.choice("status", status, STATUSES),  # type: ignore[arg-type]
                duration_ms=took,
                direction=way,  # type: ignore[arg-type]
                origin=self._origins.of(None, arguments.optional_text("user_id", user_id)),
                target=None if target is None else uri_without_query(target),
                operation_id=self._recorder.next_operation_id(),
                error_type=arguments.optional_text("error_type", error_type),
                status_code=arguments.optional_code("status_code", status_code),
                attributes=attribute_pairs(
                    arguments.mapping("attributes", attributes), self._chars_max
                ),
            )
        )
        return DONE

    @functools.cached_property
    def resources(self) -> ResourceSampler:
        """What samples this process: CPU, memory, threads, open files, queues."""
        from contextframe_monitoring.ingest.resources import ResourceSampler

        return ResourceSampler(self._recorder, self._origins.of(), self._clock)

    def sample_resources(self) -> tuple[ResourceSample, ...]:
        """Record what this process uses now, as custom metrics, and return it."""
        return self.resources.sample()

    def track_request(self, request: Any, response: Any, duration: float) -> Done:
        """Record one HTTP request of the application; `duration` is in seconds.

        `request` and `response` are Starlette's, or anything of their shape. The target is the
        route's template where there is one, else the path; address and user agent are not stored.
        A status code from 500 on is an error.
        """
        route = getattr(request.scope.get("route"), "path", None)
        code = arguments.optional_code("response.status_code", response.status_code)
        user = getattr(request.state, "user_id", None)
        failed = code is not None and code >= _SERVER_ERROR
        return self.record_operation(
            f"http {request.method}",
            route or request.url.path,
            duration_ms=arguments.number("duration", duration, 0) * 1000,
            status="error" if failed else "success",
            error_type=str(code) if failed else None,
            status_code=code,
            user_id=None if user is None else str(user),
        )

    async def get_performance_summary(self, period: str = "today") -> Any:
        """Return requests, mean and percentiles of a period (`today`, `week`, `24h` ...)."""
        if self._summary is None:
            raise RuntimeError("this monitor was not made by Monitor.open: it can only record")
        return await self._summary.performance_summary(period)

    def close(self) -> None:
        """Count what was started and never ended."""
        with self._lock:
            left, self._pending = self._pending, {}
        for name in left:
            self._unmatched("never_ended", name)

    def _end_block(self, context: OperationContext, error: BaseException | None) -> None:
        if self._take(context.operation_id) is None:
            return
        status, error_type = _status_of(error)
        text = str(error) if error is not None and self._store_error_texts else None
        self._recorder.record(
            OperationRecord(
                time_us=context.time_us,
                operation_type=context.operation_type,
                status=context.status if error is None and context.status else status,
                duration_ms=(self._clock.monotonic_ns() - context.started_ns) / 1e6,
                origin=context.origin,
                target=context.target,
                operation_id=context.operation_id,
                error_type=context.error_type or error_type,
                error=None if text is None else masked_text(text, self._chars_max),
                result_size=context.result_size,
                attributes=context.attributes,
            )
        )

    def _take(self, name: str) -> OperationContext | None:
        """Take a running operation out; one that does not run is counted."""
        with self._lock:
            context = self._pending.pop(name, None)
            again = context is None and name in self._ended
            self._ended[name] = None
            if len(self._ended) > _ENDED_MAX:
                self._ended.popitem(last=False)
        if context is None:
            self._unmatched("second_end" if again else "end_without_start", name)
        else:
            self._recorder.operation_ended()
        return context

    def _unmatched(self, how: str, operation_id: str) -> None:
        self.unmatched[how] += 1
        self._recorder.record(
            EventRecord(
                time_us=self._clock.now_us(),
                name=UNMATCHED_EVENT,
                category=how,
                operation_id=operation_id,
                origin=_OWN,
            )
        )


def _status_of(error: BaseException | None) -> tuple[Status, str | None]:
    if error is None:
        return "success", None
    if isinstance(error, TimeoutError):
        return "timeout", type(error).__qualname__
    if not isinstance(error, Exception):  # cancellation is no Exception in asyncio and trio
        return "cancelled", None
    return "error", type(error).__qualname__
