"""Forks: parent and child are two writers from the first record on, whatever ran at the fork."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from contextframe_monitoring.store.machine import FileLock
from contextframe_monitoring.store.spool.reader import is_alive, read_spool
from contextframe_monitoring.store.spool.writer import Spool
from tests.store.spool.stored import frames_in, frames_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:lance is not fork-safe"  # other tests may have imported it; no child here uses it
)
BACKENDS = pytest.mark.parametrize("backend", ["mmap", "write"])
Backend = Literal["mmap", "write"]


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked child that leaves without any clean-up; return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.requirement("spine:spool:fork")
@BACKENDS
def test_what_parent_and_child_acknowledged_is_readable_from_two_writers(
    tmp_path: Path, backend: Backend
) -> None:
    spool = Spool(tmp_path, backend=backend)
    acknowledged, told = os.pipe()

    def child() -> None:
        for n in range(300):
            if spool.put(f"child {n}".encode()):
                os.write(told, f"{spool.writer} {spool.seq}\n".encode())

    assert all(spool.put(f"parent {n}".encode()) for n in range(100))
    assert in_child(child) == 0
    assert all(spool.put(f"parent {n}".encode()) for n in range(100, 300))
    os.close(told)
    with os.fdopen(acknowledged) as lines:
        seen = {tuple(line.split()) for line in lines}
    seen |= {(spool.writer, str(seq)) for seq in range(1, 301)}
    found = frames_in(tmp_path)
    assert {(writer, str(seq)) for writer, seq, _ in found} == seen
    assert len(found) == len(seen) == 600
    by_writer = {view.writer: [record for _, record in frames_of(view)] for view in
                 read_spool(tmp_path)}  # fmt: skip
    assert by_writer.pop(spool.writer) == [f"parent {n}".encode() for n in range(300)]
    assert list(by_writer.values()) == [[f"child {n}".encode() for n in range(300)]]


def test_a_child_that_records_nothing_leaves_no_writer(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"one")
    assert in_child(spool.close) == 0
    assert [view.writer for view in read_spool(tmp_path)] == [spool.writer]
    assert frames_in(tmp_path) == [(spool.writer, 1, b"one")]


def test_a_child_of_a_closed_spool_stays_closed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"one")
    spool.close()
    assert in_child(lambda: os._exit(7 if spool.put(b"two") else 0)) == 0
    assert len(frames_in(tmp_path)) == 1


def test_a_grandchild_is_a_writer_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"parent")

    def child() -> None:
        spool.put(b"child")
        assert in_child(lambda: spool.put(b"grandchild")) == 0
        spool.put(b"child again")

    assert in_child(child) == 0
    found = [[record for _, record in frames_of(view)] for view in read_spool(tmp_path)]
    assert sorted(found) == [[b"child", b"child again"], [b"grandchild"], [b"parent"]]


@BACKENDS
def test_a_fork_while_other_threads_record_neither_hangs_nor_loses(
    tmp_path: Path, backend: Backend
) -> None:
    spool = Spool(tmp_path, backend=backend)
    stop = threading.Event()
    put = [0, 0, 0]

    def work(mine: int) -> None:
        while not stop.is_set():
            put[mine] += spool.put(b"thread")

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(3)]
    for thread in threads:
        thread.start()
    try:
        codes = [in_child(lambda: os._exit(0 if spool.put(b"child") else 1)) for _ in range(12)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert codes == [0] * 12
    found = frames_in(tmp_path)
    children = [(seq, record) for writer, seq, record in found if writer != spool.writer]
    assert children == [(1, b"child")] * 12
    parent = [seq for writer, seq, _ in found if writer == spool.writer]
    assert parent == list(range(1, sum(put) + 1))


def test_a_fork_leaves_the_parents_folder_alive_and_its_death_frees_it(tmp_path: Path) -> None:
    """A child that outlives its parent must not keep the parent's locks."""
    keeper = tmp_path / "keeper.lock"
    told, tell = os.pipe()
    end, ended = os.pipe()
    parent = os.fork()
    if parent == 0:
        spool, lock = Spool(tmp_path / "spool"), FileLock(keeper)
        spool.put(b"one")
        lock.acquire()
        child = os.fork()
        if child == 0:
            os.close(ended)
            os.write(tell, b"1")
            os.read(end, 1)  # lives until the test is over
            os._exit(0)
        os.write(tell, b"2")
        signal.pause()
    os.close(end)
    got = os.read(told, 1)
    got += os.read(told, 1)
    (view,) = read_spool(tmp_path / "spool")
    assert view.alive
    assert not FileLock(keeper).acquire()
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    lock = FileLock(keeper)
    assert lock.acquire()
    lock.release()
    assert not is_alive(view.folder)
    os.close(ended)
