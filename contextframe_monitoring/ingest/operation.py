"""`OperationContext`: one operation that runs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import TracebackType
from typing import Self

from contextframe_monitoring.core.records import Origin, Status

EndBlock = Callable[["OperationContext", BaseException | None], None]
"""Ends an operation whose block was left, with the exception that left it."""


class OperationContext:
    """One operation that runs: a context manager, sync or async; awaiting it returns itself.

    Leaving the block ends it with success, or with the status that the exception means.
    """

    __slots__ = (
        "_end",
        "agent_id",
        "attributes",
        "error_type",
        "operation_id",
        "operation_type",
        "origin",
        "result_size",
        "started_ns",
        "status",
        "target",
        "time_us",
    )

    def __init__(
        self,
        end: EndBlock,
        operation_id: str,
        operation_type: str,
        origin: Origin,
        *,
        target: str | None,
        attributes: tuple[str, ...],
        time_us: int,
        started_ns: int,
    ) -> None:
        """Made by `PerformanceMonitor`."""
        self._end = end
        self.operation_id, self.operation_type = operation_id, operation_type
        self.origin, self.agent_id = origin, origin.agent_id
        self.target, self.attributes = target, attributes
        self.time_us, self.started_ns = time_us, started_ns
        self.result_size: int | None = None
        self.status: Status | None = None
        self.error_type: str | None = None

    def __await__(self) -> Generator[None, None, Self]:
        """Return at once: the operation has started already."""
        yield from ()
        return self

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
        self._end(self, error)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, trace
        self._end(self, error)
