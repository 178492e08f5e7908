"""`Watched`: what the watchers of an application's requests, calls and queries need of a monitor,
and how what they saw is recorded and logged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.ingest.performance import PerformanceMonitor
from contextframe_monitoring.logs.log import Logs


class Watched(Protocol):
    """A monitor."""

    @property
    def config(self) -> MonitoringConfig:
        """What is wanted."""
        ...

    @property
    def clock(self) -> Clock:
        """What measures."""
        ...

    @property
    def performance(self) -> PerformanceMonitor:
        """Where operations are recorded."""
        ...

    @property
    def logs(self) -> Logs:
        """Where lines go."""
        ...


class Seen(NamedTuple):
    """One operation that has ended."""

    operation_type: str
    target: str
    duration_ms: float
    status: str
    error_type: str | None = None
    status_code: int | None = None
    error: BaseException | None = None


def ended(error: BaseException | None) -> tuple[str, str | None]:
    """Return the status and error type that an exception means, or its absence."""
    if error is None:
        return "success", None
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, TimeoutError) or "TimeoutException" in kinds:
        return "timeout", type(error).__qualname__
    if not isinstance(error, Exception):
        return "cancelled", None
    return "error", type(error).__qualname__


def request_logs(monitor: Watched) -> Logs | None:
    """Return the loggers of a monitor where requests are to be logged, else None.

    Raises `InvalidError` when the log file is no regular file.
    """
    return monitor.logs if monitor.config.logging.request_lines else None


def record(
    monitor: Watched,
    seen: Seen,
    direction: str,
    *,
    attributes: Mapping[str, Any] | None = None,
    user_id: str | None = None,
) -> None:
    """Record an operation; never raises: it stands beside the application's own work."""
    with contextlib.suppress(Exception):  # what can't be stored the recorder counts
        monitor.performance.record_operation(
            seen.operation_type,
            seen.target,
            duration_ms=seen.duration_ms,
            status=seen.status,
            direction=direction,
            error_type=seen.error_type,
            status_code=seen.status_code,
            attributes=attributes,
            user_id=user_id,
        )


def say(logs: Logs, logger: str, seen: Seen, *, done: str, failed: str, quiet: bool) -> None:
    """Log an operation: `done` at level info (debug when `quiet`), `failed` as an error."""
    fields: dict[str, Any] = {
        "operation": seen.operation_type,
        "target": seen.target,
        "duration_ms": seen.duration_ms,
        "status": seen.status,
    }
    if seen.status_code is not None:
        fields["status_code"] = seen.status_code
    if seen.error_type is not None:
        fields["error_type"] = seen.error_type
    log = logs.logger(logger)
    if seen.status in {"error", "timeout"}:
        log.error(failed, exc_info=seen.error, **fields)
    elif quiet:
        log.debug(done, **fields)
    else:
        log.info(done, **fields)
