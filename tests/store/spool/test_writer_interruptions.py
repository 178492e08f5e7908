"""What breaks into a record: handlers, finalizers, exceptions from outside, other threads."""

from __future__ import annotations

import itertools
import shutil
import signal
import threading
from pathlib import Path
from typing import Literal

import pytest

from contextframe_monitoring.store.spool.reader import read_spool
from contextframe_monitoring.store.spool.segment import Header, Segment
from contextframe_monitoring.store.spool.writer import Spool
from tests.store.spool.interruptions import interrupted_at
from tests.store.spool.stored import frames_in, frames_of, only_writer

Backend = Literal["mmap", "write"]
BACKENDS = pytest.mark.parametrize("backend", ["mmap", "write"])
LARGE = bytes(40_000)


class Meddling:
    """A segment that records, counts and closes while a frame is being appended."""

    def __init__(self, spool: Spool, meddle: str) -> None:
        assert spool._segment is not None
        self._segment, self._spool, self._meddle = spool._segment, spool, meddle

    def append(self, at: int, crc: int, payload: bytes) -> None:
        spool, self._spool._segment = self._spool, self._segment
        if self._meddle == "signal":
            signal.raise_signal(signal.SIGUSR1)
        elif self._meddle == "finalizer":
            Recording(spool)
        elif self._meddle == "lose":
            spool.lose("invalid")
        elif self._meddle == "close":
            spool.close()
        self._segment.append(at, crc, payload)

    def holds(self, at: int, crc: int, payload: bytes) -> bool:
        return self._segment.holds(at, crc, payload)

    def set(self, at: int, value: int) -> None:
        self._segment.set(at, value)

    def close(self) -> None:
        self._segment.close()


class Recording:
    """Records when it is thrown away."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool

    def __del__(self) -> None:
        self.spool.put(b"from a finalizer")


@pytest.mark.requirement("spine:spool:reentrance")
@pytest.mark.parametrize("meddle", ["signal", "finalizer", "lose"])
def test_a_record_within_a_record_is_a_counted_loss_not_a_deadlock(
    tmp_path: Path, meddle: str
) -> None:
    spool = Spool(tmp_path)
    before = signal.signal(signal.SIGUSR1, lambda *_: spool.put(b"from a handler"))
    try:
        spool._segment = Meddling(spool, meddle)
        assert spool.put(b"one")
        assert spool.put(b"two")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert frames_of(only_writer(tmp_path)) == [(1, b"one"), (2, b"two")]
    assert (spool.losses, spool.seq) == ({"reentrant": 1}, 3)
    header = only_writer(tmp_path).header
    assert header is not None
    assert (header.losses[4], header.last_seq) == (1, 3)


class Waiting(Meddling):
    """A segment that takes its time over a frame."""

    def __init__(self, spool: Spool) -> None:
        super().__init__(spool, "nothing")
        self.entered, self.go_on = threading.Event(), threading.Event()

    def append(self, at: int, crc: int, payload: bytes) -> None:
        self.entered.set()
        self.go_on.wait(10)
        super().append(at, crc, payload)


def test_an_exception_while_it_waits_for_another_thread_leaves_the_lock_to_that_one(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path)
    waiting = Waiting(spool)
    spool._segment = waiting
    other = threading.Thread(target=lambda: spool.put(b"one"))
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        other.start()
        assert waiting.entered.wait(10)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(KeyboardInterrupt):
            spool.put(b"never")
    finally:
        waiting.go_on.set()
        other.join()
        signal.signal(signal.SIGALRM, before)
    assert spool.put(b"two")
    assert frames_of(only_writer(tmp_path)) == [(1, b"one"), (2, b"two")]
    assert (spool.losses, spool.seq) == ({}, 2)


def test_a_figure_that_moves_while_a_segment_is_made_stands_in_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.gauge(0, 1)
    make = spool._make

    def making(path: Path, size: int, header: Header) -> Segment:
        other = threading.Thread(target=lambda: spool.gauge(0, 0))  # the last operation ends
        other.start()
        other.join()
        return make(path, size, header)

    spool._make = making
    assert all(spool.put(LARGE) for _ in range(2))
    (_, newest) = only_writer(tmp_path).segments
    assert newest.header is not None
    assert newest.header.gauges == (0, 0, 0)


def test_a_close_within_a_record_lets_the_record_stand_and_closes_with_the_next(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path)
    spool._segment = Meddling(spool, "close")
    assert spool.put(b"one")
    assert not spool.put(b"two")
    assert (spool.losses, spool.seq) == ({"closed": 1}, 2)
    view = only_writer(tmp_path)
    assert (view.alive, frames_of(view)) == (False, [(1, b"one")])


@BACKENDS
@pytest.mark.parametrize("step", ["put", "rotate", "lose", "gauge"])
def test_an_exception_from_outside_loses_at_most_the_record_that_it_broke_into(
    tmp_path: Path, backend: Backend, step: str
) -> None:
    for nth in itertools.count():
        root = tmp_path / str(nth)
        spool = Spool(root, backend=backend)
        kept = [1] if spool.put(LARGE if step == "rotate" else b"before") else []
        with interrupted_at(nth) as interrupter:
            if step in ("put", "rotate"):
                if spool.put(LARGE if step == "rotate" else b"interrupted"):
                    kept.append(2)
            elif step == "lose":
                spool.lose("invalid")
            else:
                spool.gauge(1, 5)
        drained = {seq for _, seq, _ in frames_in(root)}  # a keeper may look just now
        assert spool.put(b"after"), (step, nth)
        kept.append(spool.seq)
        assert spool.put(LARGE), (step, nth)
        kept.append(spool.seq)
        spool.close()
        (view,) = read_spool(root)
        seqs = [seq for seq, _ in frames_of(view)]
        assert {*kept, *drained} <= set(seqs), (step, nth)
        assert len(seqs) == len(set(seqs))
        assert len(seqs) + sum(spool.losses.values()) == spool.seq, (step, nth, spool.losses)
        assert [s.scan.damaged for s in view.segments] == [0] * len(view.segments)
        shutil.rmtree(root)
        if not interrupter.raised:
            one_store = (step, backend) == ("gauge", "mmap")
            assert nth > 2 or one_store, "the tracer found hardly any place"
            return
