"""`ResourceSampler`: what a program uses of the machine, as custom metrics.

Names and units are OpenTelemetry's for processes; what it has no name for begins with
`monitoring.`. Nothing is sampled unless it is asked for: `sample` takes one sample,
`sampling` one every so often within its block, `due` one when its time has come.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from contextframe_monitoring.core import arguments
from contextframe_monitoring.core import resource_names as names
from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.records import MetricKind, MetricRecord, Origin
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.store.machine import PLATFORM
from contextframe_monitoring.store.process_figures import (
    ProcessFigures,
    cpus_available,
    process_figures,
)

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_OPEN = names.OPEN_HANDLES if PLATFORM == "win32" else names.OPEN_FILES
SECONDS_MIN = 0.1


class ResourceSample(NamedTuple):
    """One figure of a sample."""

    name: str
    value: float
    kind: MetricKind
    unit: str


class PoolFigures(NamedTuple):
    """The connections of one pool."""

    used: int
    idle: int


class ResourceSampler:
    """Samples one process. Not for use by several threads at a time."""

    def __init__(
        self,
        recorder: Recorder,
        origin: Origin,
        clock: Clock,
        read: Callable[[], ProcessFigures] = process_figures,
    ) -> None:
        """Record as `origin`; `read` is asked for the process's figures."""
        self._recorder, self._origin, self._clock, self._read = recorder, origin, clock, read
        self.pools: list[Callable[[], PoolFigures | None]] = []
        """Connection pools of databases; their figures are added up."""
        self._cpu_seconds = 0.0
        self._last: tuple[float, int] | None = None
        self._sampled_ns = clock.monotonic_ns()

    def sample(self, *, loop_lag_seconds: float | None = None) -> tuple[ResourceSample, ...]:
        """Record one sample and return it; what the system does not tell is left out.

        CPU time is the increase since the last sample (the first: since the process started); its
        utilisation is that of all processors, from the second sample on.
        """
        found = tuple(self._figures(loop_lag_seconds))
        now_us = self._clock.now_us()
        for one in found:
            self._recorder.record(
                MetricRecord(
                    time_us=now_us,
                    name=one.name,
                    value=one.value,
                    kind=one.kind,
                    unit=one.unit,
                    origin=self._origin,
                )
            )
        return found

    def due(self, seconds: float, lag: Callable[[], float | None] = lambda: None) -> bool:
        """Sample if so many seconds have passed since the last time; return whether it did.

        `lag` is then asked for the event loop's lag. 0 seconds: never.
        """
        if not seconds:
            return False
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._sampled_ns < seconds * 1e9:
            return False
        self._sampled_ns = now_ns
        self.sample(loop_lag_seconds=lag())
        return True

    def _figures(self, lag: float | None) -> list[ResourceSample]:
        read, now_ns = self._read(), self._clock.monotonic_ns()
        used = max(read.cpu_seconds - self._cpu_seconds, 0.0)
        last, self._last = self._last, (read.cpu_seconds, now_ns)
        self._cpu_seconds = read.cpu_seconds
        found = [ResourceSample(names.CPU_TIME, used, "counter", "s")]
        if last is not None and now_ns > last[1]:
            share = used / ((now_ns - last[1]) / 1e9 * cpus_available())
            found.append(ResourceSample(names.CPU_UTILIZATION, min(share, 1.0), "gauge", "1"))
        live = self._recorder.live_figures()
        gauges = [
            (names.MEMORY, read.memory_bytes, "By"),
            (names.VIRTUAL_MEMORY, read.virtual_bytes, "By"),
            (names.THREADS, read.threads, "{thread}"),
            (_OPEN, read.open_files, "{file_descriptor}"),
            (names.LOOP_LAG, lag, "s"),
            (names.ACTIVE_OPERATIONS, live.active, "{operation}"),
            (names.ACTIVE_CONNECTIONS, live.connections, "{connection}"),
            (names.QUEUE_DEPTH, live.undrained_bytes, "By"),
        ]
        pools = [pool for pool in (figures() for figures in self.pools) if pool is not None]
        if pools:
            gauges.append((names.POOL_USED, sum(pool.used for pool in pools), "{connection}"))
            gauges.append((names.POOL_IDLE, sum(pool.idle for pool in pools), "{connection}"))
        found += [
            ResourceSample(name, float(value), "gauge", unit)
            for name, value, unit in gauges
            if value is not None
        ]
        return found


class Sampling:
    """Samples every so often while its `async with` block lasts, in a task beside it.

    How much later than it should a sample comes is the lag of the event loop.
    """

    def __init__(self, sampler: ResourceSampler, clock: Clock, seconds: float) -> None:
        """Made by `Monitor.sampling`. Raises `InvalidError` below `SECONDS_MIN`."""
        self._sampler, self._clock = sampler, clock
        self._seconds = arguments.number("every_seconds", seconds, SECONDS_MIN)
        self._group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        import anyio

        self._group = await anyio.create_task_group().__aenter__()
        self._group.start_soon(self._run)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace  # the block's own error goes on as it is
        if self._group is not None:
            self._group.cancel_scope.cancel()
            await self._group.__aexit__(None, None, None)

    async def _run(self) -> None:
        import anyio

        while True:
            before_ns = self._clock.monotonic_ns()
            await anyio.sleep(self._seconds)
            late = (self._clock.monotonic_ns() - before_ns) / 1e9 - self._seconds
            self._sampler.sample(loop_lag_seconds=max(late, 0.0))
