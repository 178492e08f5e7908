"""SIGKILL of real processes: everything that was acknowledged is stored, once, and seen, once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.levels import LEVELS
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.store import Store
from tests.clocks import ManualClock
from tests.faults.dying import maintaining, store_at
from tests.faults.sizes import KILLS, RECORDS
from tests.faults.writing import ACKNOWLEDGED, CHILD_RECORDS
from tests.processes import COMMAND, until
from tests.store.filled import once, recorded_into, seen_by_a_reader, stored_in
from tests.store.summed import of_level

pytestmark = pytest.mark.faults
REPOSITORY = Path(__file__).parents[2]
TAKEOVER_SECONDS_MAX = 5.0
LOOKS = 4
"""How often a reader looks in the life of a writer, each time after another batch."""
STEPS = [
    "collected",
    "ledger",
    "append:usage_metrics",
    "append:performance_metrics",
    "append:cost_metrics",
    "append:rollup_1m",
    "sync",
    "done",
    "unlink",
    *(f"fold:{step}:rollup_15m" for step in ("append", "sync", "done")),
    *(f"fold:{step}:rollup_1h" for step in ("append", "sync", "done")),
    *(f"fold:{step}:rollup_1d" for step in ("append", "sync", "done")),
]
Seqs = Counter[tuple[str, int]]


class Writer:
    """A program that records until it is killed, never far ahead of who listens to it."""

    def __init__(self, store: Store, backend: str, fork_every: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.writing", store.uri, backend, str(fork_every)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._told = self._process.stdout
        fcntl.fcntl(
            self._told, fcntl.F_SETPIPE_SZ, 4096
        )  # 227 records, below what a look waits for

    def acknowledged(self, count: int) -> Seqs:
        """Wait for so many records."""
        return self._seqs(self._told.read(count * ACKNOWLEDGED.size))

    def kill(self) -> Seqs:
        """Kill the program and its children, and return what they had still to tell."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with self._told as rest:
            return self._seqs(rest.read())

    def _seqs(self, told: bytes) -> Seqs:
        whole = len(told) // ACKNOWLEDGED.size * ACKNOWLEDGED.size
        return Counter((name.hex(), seq) for name, seq in ACKNOWLEDGED.iter_unpack(told[:whole]))


def assert_seen(store: Store, acknowledged: Seqs) -> None:
    """A reader sees what was acknowledged before it looked, and nothing twice."""
    seen = seen_by_a_reader(Snapshot(store))
    assert acknowledged.keys() <= seen.keys()
    assert set(seen.values()) <= {1}


def last_batch(store: Store) -> int:
    ledger = store.ledger
    return 0 if ledger is None else ledger.last_batch()


def further(store: Store, batch: int) -> Callable[[], bool]:
    return lambda: last_batch(store) > batch


@contextlib.contextmanager
def kept(store: Store) -> Iterator[Keeper]:
    """Keep a store in a thread, as `serve` does, but without a pause between the batches."""
    stop, keeper = threading.Event(), Keeper(Store(store.uri))

    def keep() -> None:
        while not stop.is_set():
            keeper.tick()
            assert keeper.last_error is None
        keeper.release()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield keeper
    finally:
        stop.set()
        thread.join()


@pytest.mark.requirement("003:ok:no-loss")
@pytest.mark.requirement("spine:kills:exactly-once", "spine:kills:forks", "spine:readers:complete")
@pytest.mark.parametrize(
    ("backend", "fork_every", "share"), [("mmap", 0, 0.5), ("write", 0, 0.2), ("mmap", 97, 0.3)]
)
def test_writers_killed_at_any_moment_lose_and_repeat_nothing(
    tmp_path: Path, backend: str, fork_every: int, share: float
) -> None:
    store, rng = Store(str(tmp_path / "store")), random.Random(f"{backend} {fork_every}")
    kills = max(round(KILLS * share), 1)
    acknowledged: Seqs = Counter()
    with kept(store):
        for _ in range(kills):
            writer = Writer(store, backend, fork_every)
            for _ in range(LOOKS):
                count, batch = RECORDS * share / kills / LOOKS, last_batch(store)
                acknowledged += writer.acknowledged(round(count * rng.uniform(0.8, 1.3)))
                assert_seen(store, acknowledged)
                until(further(store, batch))
            acknowledged += writer.kill()
            assert_seen(store, acknowledged)
    Keeper(store).tick()
    assert last_batch(store) >= kills * LOOKS
    stored = stored_in(store)
    assert set(stored.values()) == set(acknowledged.values()) == {1}
    assert acknowledged.keys() <= stored.keys()
    assert len(stored) - len(acknowledged) <= kills * (2 + CHILD_RECORDS)  # stored, not told
    report = verify(store)
    assert (report.findings, report.stored, report.duplicates) == ([], len(stored), 0)


def dying(folder: Path, steps: list[str]) -> list[str]:
    """Let a keeper die at each step; return what became of each."""
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.faults.dying", str(folder), *steps],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return told.stdout.splitlines()


@pytest.mark.requirement(
    "spine:fault:keeper-killed", "spine:keeper:exactly-once", "time:fault:fold"
)
def test_a_keeper_killed_at_any_step_leaves_everything_to_the_next_one(tmp_path: Path) -> None:
    stores = {step: store_at(tmp_path, step) for step in STEPS}
    recorders = {
        step: (recorded_into(store, 60), recorded_into(store, 40, seed=2, close=False))
        for step, store in stores.items()
    }
    assert dying(tmp_path, STEPS) == [f"{step} {-signal.SIGKILL}" for step in STEPS]
    for step, store in stores.items():
        expected = once(recorders[step][0]) + once(recorders[step][1])
        assert seen_by_a_reader(Snapshot(store)) == expected, step
        keeper = Keeper(store)
        assert keeper.take(), step
        keeper.drain()
        keeper.fold(at_once=True)
        keeper.release()
        assert stored_in(store) == seen_by_a_reader(Snapshot(store)) == expected, step
        report = verify(store)
        assert (report.findings, report.stored) == ([], 100), step


MAINTENANCE = [
    *(
        f"compact:{step}:{table}"
        for table in ("performance_metrics", "rollup_1m", "rollup_1d")
        for step in ("written", "committed", "done")
    ),
    *(
        f"{step}:{table}"
        for table in ("usage_metrics", "performance_metrics", "rollup_1m")
        for step in ("removal", "removed")
    ),
]


@pytest.mark.requirement("time:fault:compact")
def test_a_keeper_killed_in_maintenance_loses_and_repeats_nothing(tmp_path: Path) -> None:
    stores = {step: store_at(tmp_path, step) for step in MAINTENANCE}
    recorded = {}
    for step, store in stores.items():
        keeper = Keeper(store, ManualClock())
        recorded[step] = [recorded_into(store, 50)]
        keeper.tick()
        recorded[step] += [recorded_into(store, 50, seed=2)]
        keeper.tick()
        keeper.fold(at_once=True)
        keeper.release()
    told = dying(tmp_path, MAINTENANCE)
    assert told == [f"{step} {-signal.SIGKILL}" for step in MAINTENANCE]
    for step, store in stores.items():
        assert verify(store).findings == [], step
        keeper = maintaining(store, step)
        assert keeper is not None
        keeper.maintain()
        keeper.release()
        report = verify(store)
        removed = 100 if step.startswith("rem") else 0
        assert (report.findings, report.stored, report.expired) == ([], 100 - removed, removed)
        expected = once(recorded[step][0]) + once(recorded[step][1])
        assert stored_in(store) == (Counter() if removed else expected), step
        day = of_level(Snapshot(store), LEVELS[3])
        assert sum(sum(batch["count"].to_pylist()) for batch in day) == 100, step


def leader(store: Store) -> int | None:
    """Return the process id of who says in the ledger that it keeps the store."""
    ledger = Store(store.uri).ledger
    states = ledger.keepers() if ledger is not None else []
    return states[0].pid if states else None


def becomes(store: Store, pids: set[int]) -> Callable[[], bool]:
    return lambda: leader(store) in pids


@pytest.mark.requirement("spine:fault:two-keepers", "spine:keeper:one")
def test_of_two_keepers_started_at_once_one_leads_and_the_other_takes_over_when_it_is_killed(
    tmp_path: Path,
) -> None:
    store = Store(str(tmp_path / "store"))
    first = recorded_into(store, 500)
    keepers = {
        process.pid: process
        for process in (
            subprocess.Popen(
                [*COMMAND, "keep", "--store", store.uri],
                cwd=REPOSITORY,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(2)
        )
    }
    try:
        until(becomes(store, set(keepers)))
        until(lambda: stored_in(store) == once(first))
        leading = leader(store)
        assert leading is not None
        until(lambda: not Keeper(store).take())
        keepers[leading].kill()
        keepers.pop(leading).wait()
        second = recorded_into(store, 300, seed=2)
        assert seen_by_a_reader(Snapshot(store)) == once(first) + once(second)
        until(becomes(store, set(keepers)), seconds=TAKEOVER_SECONDS_MAX)
        until(lambda: stored_in(store) == once(first) + once(second))
        assert [process.poll() for process in keepers.values()] == [None]
    finally:
        for process in keepers.values():
            process.terminate()
            process.wait()
    assert verify(store).findings == []
