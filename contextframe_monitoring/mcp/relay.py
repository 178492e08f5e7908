"""A byte relay between our standard streams and those of a child process.

Two blocking threads, one per direction. Every chunk goes on as soon as it is read, unchanged. A
line of the child is shown to the observer before its newline goes on: what a client has got is
recorded. A line of the client is shown when it has gone on, while the child works on it, and in any
case before what the child wrote after it: no answer can overtake its own request. Nothing that the
observer does can stop the bytes.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from contextframe_monitoring.mcp.call import Direction
from contextframe_monitoring.mcp.lines import LineSplitter, LongLine
from contextframe_monitoring.store.machine import ENDING_SIGNALS, hears_terminal, runnable

_CHUNK_BYTES = 64 << 10
"""The size of a pipe on Linux: more never comes at once."""
_QUIET_SECONDS = 1.0
"""After the child's end: how long its pipe may be silent, held open by a process it left behind."""
_STUCK_SECONDS_MAX = 5.0
"""After a signal and the child's end: how long we wait for a reader that takes nothing more."""


class Watch(Protocol):
    """What the relay shows lines to."""

    def see(self, direction: Direction, line: bytes | LongLine, at_ns: int) -> None:
        """Look at one line, without its newline."""
        ...

    def server_exited(self, code: int, at_ns: int) -> None:
        """Hear that the child is gone and all its bytes are seen."""
        ...


class Pump:
    """Moves bytes from one descriptor to another until either end is gone."""

    def __init__(
        self,
        source: int,
        target: int,
        show: Callable[[bytes | LongLine, int], None] | None,
        *,
        shows_late: bool = False,
        after: Pump | None = None,
    ) -> None:
        """`show` gets each line and the monotonic time, in nanoseconds, at which it was read:
        before its newline goes on, or behind it (`shows_late`); and after all that `after` had
        read by then.
        """
        self._source, self._target, self._show = source, target, show
        self._shows_late, self._after = shows_late, after
        self._lines = LineSplitter()
        self._unseen: deque[tuple[bytes, int]] = deque()
        self._looking = threading.Lock()
        self.moved_bytes = 0
        self.writing = False
        """Whether bytes were read that are not written yet."""
        self.observer_errors = 0

    def run(self) -> None:
        """Pump. At the end both descriptors lead nowhere, so that either side hears of it."""
        try:
            self._move()
        except OSError:
            pass  # one end broke: the other one learns it below, as it would without us
        finally:
            self.writing = False
            self.look()
            _let_go(self._target)
            _let_go(self._source)

    def _move(self) -> None:
        source, target = self._source, self._target
        while True:
            try:
                chunk = os.read(source, _CHUNK_BYTES)
            except BlockingIOError:  # another process made the shared description non-blocking
                select.select([source], [], [])
                continue
            if not chunk:
                return
            self.writing = True
            self._unseen.append((chunk, time.perf_counter_ns()))
            if not self._shows_late:
                self.look()
            _write_all(target, chunk)
            self.moved_bytes += len(chunk)
            self.writing = False
            if self._shows_late:
                self.look()

    def look(self) -> None:
        """Show what was read and not shown yet. Any thread may ask for it."""
        if self._after is not None:
            self._after.look()
        with self._looking:
            while self._unseen:
                self._show_lines(*self._unseen.popleft())

    def _show_lines(self, chunk: bytes, at_ns: int) -> None:
        show = self._show
        if show is None:
            return
        for line in self._lines.feed(chunk):
            try:
                show(line, at_ns)
            except Exception:  # noqa: BLE001 - the bytes go on, whatever the observer makes of them
                self.observer_errors += 1


def _write_all(target: int, chunk: bytes) -> None:
    try:
        written = os.write(target, chunk)
    except BlockingIOError:
        written = 0
    if written == len(chunk):
        return
    view = memoryview(chunk)[written:]
    while view:
        try:
            view = view[os.write(target, view) :]
        except BlockingIOError:
            select.select([], [target], [])


def _let_go(descriptor: int) -> None:
    """Let a descriptor lead nowhere. Its number stays taken, so no later file can get it."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, descriptor, inheritable=False)
    os.close(nowhere)


class Signals:
    """Hands the signals that ask us to end on to the child; those before its start are kept."""

    def __init__(self) -> None:
        """Nothing is caught yet."""
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self.received = False

    def catch(self) -> None:
        """Take the signals over, save those that we were started to ignore (`nohup`)."""
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._received)

    def child_is(self, child: subprocess.Popen[bytes]) -> None:
        """Send everything to this child from now on."""
        self._child = child
        for number in self._early:
            self._forward(child, number)

    def _received(self, number: int, _frame: Any) -> None:
        self.received = True
        if self._child is None:
            self._early.append(number)
        else:
            self._forward(self._child, number)

    @staticmethod
    def _forward(child: subprocess.Popen[bytes], number: int) -> None:
        if hears_terminal(number):
            return
        with contextlib.suppress(OSError):  # a child that took another user's rights
            child.send_signal(number)


def start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start the child with pipes for its input and output; its error stream is ours.

    Raises OSError when it can't be started.
    """
    for descriptor in range(3):  # one that is closed would become an end of the child's pipes
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    whole = runnable(command)
    return subprocess.Popen(whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def relay(child: subprocess.Popen[bytes], watch: Watch | None, signals: Signals) -> int:
    """Relay until the child ends and its last byte is out; return its exit code (128 + n for a
    signal n).
    """
    assert child.stdin is not None and child.stdout is not None  # noqa: PT018 - `start` made both
    up = Pump(0, child.stdin.fileno(), _shower(watch, "in"), shows_late=True)
    down = Pump(child.stdout.fileno(), 1, _shower(watch, "out"), after=up)
    threads = [threading.Thread(target=pump.run, daemon=True) for pump in (up, down)]
    for thread in threads:
        thread.start()
    status = child.wait()
    code = status if status >= 0 else 128 - status
    _drain(threads[1], down, signals)
    up.look()  # it may still be stuck in front of a child that is gone
    if watch is not None:
        with contextlib.suppress(Exception):  # the exit code is the child's, whatever we make of it
            watch.server_exited(code, time.perf_counter_ns())
    return code


def _shower(
    watch: Watch | None, direction: Direction
) -> Callable[[bytes | LongLine, int], None] | None:
    return None if watch is None else functools.partial(watch.see, direction)


def _drain(thread: threading.Thread, pump: Pump, signals: Signals) -> None:
    """Wait until everything that the child wrote is out.

    A process that the child left behind may keep the pipe open: silence is the end then.
    """
    deadline: float | None = None
    while True:
        moved = pump.moved_bytes
        thread.join(_QUIET_SECONDS)
        if not thread.is_alive():
            return
        if pump.moved_bytes != moved:
            deadline = None
            continue
        if not pump.writing:
            return
        if signals.received:
            deadline = deadline or time.monotonic() + _STUCK_SECONDS_MAX
            if time.monotonic() > deadline:
                return
