"""Samples of what a process uses: named, with units, only when they are asked for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from contextframe_monitoring import Monitor
from contextframe_monitoring.core import resource_names as names
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.records import MetricRecord, Origin
from contextframe_monitoring.core.resource_settings import ResourceSettings
from contextframe_monitoring.ingest.loop_lag import WAIT_SECONDS_MAX, LoopLag
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.ingest.resources import ResourceSampler
from contextframe_monitoring.store.process_figures import ProcessFigures, cpus_available
from tests.clocks import NOW_US, ManualClock
from tests.processes import until
from tests.support import recorded

FIGURES = ProcessFigures(
    cpu_seconds=1.5, memory_bytes=100, virtual_bytes=200, threads=3, open_files=4
)
BARE = ProcessFigures(cpu_seconds=1.5)


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    store = str(tmp_path / "store")
    clock = ManualClock()
    with Monitor.open(store=store, name="app", start_keeper=False, clock=clock) as opened:
        yield opened


def samples(folder: Path) -> list[tuple[str, float, str, str | None]]:
    return [
        (r.name, r.value, r.kind, r.unit)
        for r in recorded(folder / "store")
        if isinstance(r, MetricRecord)
    ]


@pytest.mark.requirement("002:perf:resource-utilization", "004:perf:cpu-memory")
@pytest.mark.requirement("export:resources:sampled")
def test_a_sample_is_metrics_under_opentelemetrys_names(monitor: Monitor, tmp_path: Path) -> None:
    figures = iter([FIGURES, ProcessFigures(cpu_seconds=2.0, threads=5)])
    clock = ManualClock()
    origin = Origin(server="app")
    sampler = ResourceSampler(monitor.recorder, origin, clock, lambda: next(figures))
    monitor.recorder.operation_started()
    monitor.recorder.connections_changed(2)
    first = sampler.sample()
    clock.pass_ms(1000)
    second = sampler.sample(loop_lag_seconds=0.25)
    found = samples(tmp_path)
    assert [one[:4] for one in (*first, *second)] == found
    assert found == [
        ("process.cpu.time", 1.5, "counter", "s"),
        ("process.memory.usage", 100, "gauge", "By"),
        ("process.memory.virtual", 200, "gauge", "By"),
        ("process.thread.count", 3, "gauge", "{thread}"),
        ("process.unix.file_descriptor.count", 4, "gauge", "{file_descriptor}"),
        ("monitoring.operations.active", 1, "gauge", "{operation}"),
        ("monitoring.connections.active", 2, "gauge", "{connection}"),
        ("monitoring.spool.undrained", 65_536, "gauge", "By"),
        ("process.cpu.time", 0.5, "counter", "s"),
        ("process.cpu.utilization", 0.5 / cpus_available(), "gauge", "1"),
        ("process.thread.count", 5, "gauge", "{thread}"),
        ("monitoring.event_loop.lag", 0.25, "gauge", "s"),
        ("monitoring.operations.active", 1, "gauge", "{operation}"),
        ("monitoring.connections.active", 2, "gauge", "{connection}"),
        ("monitoring.spool.undrained", 65_536, "gauge", "By"),
    ]
    assert {record.origin.server for record in recorded(tmp_path / "store")} == {"app"}
    assert {name for name, *_ in found} <= names.METRICS


def test_what_is_unknown_is_left_out_and_a_clock_that_stands_divides_nothing() -> None:
    sampler = ResourceSampler(Recorder(None), Origin(), ManualClock(), lambda: BARE)
    for _ in range(2):
        assert {one.name for one in sampler.sample()} == {
            names.CPU_TIME, names.ACTIVE_OPERATIONS, names.ACTIVE_CONNECTIONS,
        }  # fmt: skip


def test_a_sample_is_due_when_its_time_has_come() -> None:
    clock, asked = ManualClock(), []
    sampler = ResourceSampler(Recorder(None), Origin(), clock, lambda: BARE)

    def lag() -> float | None:
        asked.append(clock.us - NOW_US)
        return None

    for _ in range(10):
        clock.pass_ms(1000)
        sampler.due(0, lag)
        sampler.due(3.0, lag)
    assert asked == [3_000_000, 6_000_000, 9_000_000]


@pytest.mark.requirement("002:perf:resource-utilization")
async def test_a_sample_on_request_stands_in_the_status_of_its_process(monitor: Monitor) -> None:
    monitor.performance.sample_resources()
    monitor.clock.pass_ms(60_000)  # type: ignore[attr-defined]
    taken = monitor.performance.sample_resources()
    for drain in (False, True):
        if drain:
            await monitor.flush()
        [use] = (await monitor.status()).resources
        assert (use.server, use.writer) == ("app", monitor.recorder.writer)
        assert use.figures == {one.name: one.value for one in taken if one.kind == "gauge"}
    monitor.clock.pass_ms(16 * 60_000)  # type: ignore[attr-defined]
    assert (await monitor.status()).resources == []


async def fail_once_sampled(monitor: Monitor, folder: Path) -> None:
    async with monitor.sampling(every_seconds=0.1):
        await anyio.to_thread.run_sync(lambda: until(lambda: len(samples(folder)) >= 20))
        raise ZeroDivisionError


async def test_sampling_lasts_as_long_as_its_block_and_leaves_errors_as_they_are(
    tmp_path: Path,
) -> None:
    tasks = len(asyncio.all_tasks())
    with Monitor.open(store=str(tmp_path / "store"), start_keeper=False) as monitor:
        with pytest.raises(ZeroDivisionError):
            await fail_once_sampled(monitor, tmp_path)
        assert len(asyncio.all_tasks()) == tasks  # it ended with the block
        assert names.LOOP_LAG in {name for name, *_ in samples(tmp_path)}
        with pytest.raises(InvalidError, match="every_seconds"):
            monitor.sampling(every_seconds=0)


@pytest.mark.requirement("export:resources:sampled")
async def test_no_thread_and_no_sample_comes_unasked(monitor: Monitor, tmp_path: Path) -> None:
    threads = threading.active_count()
    with monitor.performance.operation("tool_call"):
        pass
    assert (samples(tmp_path), threading.active_count()) == ([], threads)


async def test_the_lag_of_a_loop_is_measured_from_another_thread() -> None:
    lag = LoopLag()
    assert lag.seconds() is None
    lag.note()
    free = await anyio.to_thread.run_sync(lag.seconds)
    assert free is not None
    assert free < WAIT_SECONDS_MAX
    blocked: list[float | None] = []
    thread = threading.Thread(target=lambda: blocked.append(lag.seconds()))
    thread.start()
    thread.join()  # the loop stands still meanwhile
    assert blocked == [WAIT_SECONDS_MAX]


def test_a_loop_that_has_ended_has_no_lag() -> None:
    lag = LoopLag()

    async def note() -> None:
        lag.note()

    anyio.run(note)
    assert lag.seconds() is None
    lag.note()
    assert lag.seconds() is None


def test_seconds_below_zero_are_refused() -> None:
    with pytest.raises(InvalidError, match=r"resources\.sample_seconds"):
        ResourceSettings(sample_seconds=-1)
