"""The n-th sync, removal, commit, write or rename fails: all is stored by the next keeper, once."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import lance
import pytest

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.ingest.recorder import Recorder
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.snapshot import Snapshot
from contextframe_monitoring.store.spool.writer import Spool
from contextframe_monitoring.store.store import Store
from tests.clocks import DAY_US, NOW_US, ManualClock
from tests.faults.sizes import CALLS
from tests.store.filled import once, recorded_into, seen_by_a_reader, some_records, stored_in

pytestmark = pytest.mark.faults
BROKEN: dict[str, tuple[ModuleType, str, bool]] = {
    "sync": (os, "fsync", False),
    "removal": (os, "unlink", False),
    "commit refused": (lance, "write_dataset", False),
    "commit made, but not told": (lance, "write_dataset", True),
}
"""What fails: a function of the system's or Lance's, and whether it does its work before."""


class Failing:
    """Lets the n-th call of a function fail, as a broken disk does."""

    def __init__(self, call: Callable[..., Any], nth: int, *, late: bool) -> None:
        self._call, self._nth, self._late = call, nth, late
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it, or fail."""
        self.calls += 1
        fails = self.calls == self._nth + 1
        found = self._call(*args, **kwargs) if self._late or not fails else None
        if fails:
            raise OSError(errno.EIO, "Input/output error")
        return found


@contextlib.contextmanager
def failing(what: str, nth: int) -> Iterator[Failing]:
    module, name, late = BROKEN[what]
    with pytest.MonkeyPatch.context() as patch:
        broken = Failing(getattr(module, name), nth, late=late)
        patch.setattr(module, name, broken)
        yield broken


def keep(store: Store) -> None:
    """Drain, fold and maintain as far as the disk lets us."""
    keeper = Keeper(store, ManualClock(NOW_US + DAY_US))
    try:
        with contextlib.suppress(StoreError, OSError):
            keeper.tick()
            keeper.fold(at_once=True)
            keeper.maintain()
    finally:
        keeper.release()


@pytest.mark.requirement("time:fault:calls")
@pytest.mark.parametrize("what", BROKEN)
def test_whichever_call_fails_the_next_keeper_stores_everything_once(
    tmp_path: Path, what: str
) -> None:
    calls = broken_at(tmp_path / "whole", what, sys.maxsize)
    assert calls > 0
    for nth in range(0, calls, max(calls // CALLS, 1)):
        assert broken_at(tmp_path / f"{nth}", what, nth) > nth


def broken_at(folder: Path, what: str, nth: int) -> int:
    """Let the n-th call of a keeper's fail, and return how many there were; all is whole after."""
    store = Store(str(folder))
    first = recorded_into(store, 30)
    keep(store)
    second = recorded_into(store, 20, seed=2)
    with failing(what, nth) as broken:
        keep(store)
    expected = once(first) + once(second)
    again = Store(store.uri)
    assert seen_by_a_reader(Snapshot(again)) == expected, nth
    keep(again)
    assert stored_in(again) == seen_by_a_reader(Snapshot(again)) == expected, nth
    report = verify(again)
    assert (report.findings, report.stored) == ([], 50), nth
    return broken.calls


@pytest.mark.requirement("time:fault:calls")
@pytest.mark.parametrize("nth", range(6))
def test_a_write_of_the_spool_that_fails_costs_counted_records_only(
    tmp_path: Path, nth: int
) -> None:
    store = Store(str(tmp_path / "store"))
    spool = Spool(store.spool_root, backend="write")
    recorder, acknowledged = Recorder(spool), set()
    with pytest.MonkeyPatch.context() as patch:
        broken = Failing(os.write, nth, late=False)
        patch.setattr(os, "write", broken)
        for record in some_records(20):
            if recorder.record(record):
                acknowledged.add((recorder.writer, recorder.recorded))
    assert broken.calls > nth
    lost = sum(recorder.losses.values())
    assert len(acknowledged) + lost == recorder.recorded == 20
    recorder.close()
    keep(store)
    assert set(stored_in(store)) == acknowledged
    report = verify(store)
    assert (report.stored, report.duplicates, report.gaps) == (len(acknowledged), 0, 0)
    assert sum(report.lost.values()) == lost <= 1


@pytest.mark.requirement("time:fault:calls")
def test_a_rename_of_the_spool_that_fails_costs_counted_records_only(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    (record,) = some_records(1)
    with pytest.MonkeyPatch.context() as patch:
        broken = Failing(os.rename, 0, late=False)
        patch.setattr(os, "rename", broken)
        recorder = Recorder(Spool(store.spool_root))
        told = [recorder.record(record) for _ in range(3)]
    assert broken.calls >= 1
    lost = sum(recorder.losses.values())
    assert (told.count(False), recorder.recorded, lost > 0) == (lost, 3, True)
    recorder.close()
    keep(store)
    assert len(stored_in(store)) == told.count(True)
