"""The relay moves bytes: the same ones, in time, whatever the observer does and whoever leaves."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.mcp.lines import LongLine
from contextframe_monitoring.mcp.relay import Pump

Show = Callable[[bytes | LongLine, int], None]

FRAMES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}\n',
            b'{"jsonrpc":"2.0","id":null,"result":{}}\r\n',
            b'[{"id":1.5,"method":"a"},{"id":12345678901234567890123,"method":"b"}]\n',
            b"null\n5\n\n\r\n",
            b'"\xff\xfe"\n',
            b"x" * 70_000,
        ]
    ),
)


class Pumping:
    """A pump between two pipes whose far ends the test holds."""

    def __init__(self, show: Show | None) -> None:
        source, self.write_end = os.pipe()
        self.read_end, target = os.pipe()
        self.ends = [source, target]
        self.pump = Pump(source, target, show)
        self.thread = threading.Thread(target=self.pump.run, daemon=True)
        self.thread.start()

    def through(self, frames: list[bytes]) -> bytes:
        """Write the frames, end the stream, and return everything that comes out."""
        received: list[bytes] = []

        def read() -> None:
            while chunk := os.read(self.read_end, 1 << 16):
                received.append(chunk)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        for frame in frames:
            view = memoryview(frame)
            while view:
                view = view[os.write(self.write_end, view) :]
        self.leave("write_end")
        reader.join(30)
        self.thread.join(30)
        return b"".join(received)

    def leave(self, end: str) -> None:
        os.close(getattr(self, end))
        setattr(self, end, -1)


@contextmanager
def pumping(show: Show | None) -> Iterator[Pumping]:
    here = Pumping(show)
    try:
        yield here
    finally:
        for end in ("write_end", "read_end"):
            if getattr(here, end) >= 0:
                here.leave(end)
        here.thread.join(30)
        for descriptor in here.ends:
            os.close(descriptor)


@pytest.mark.requirement("spine:wrap:byte-exact", "spine:wrap:strange-frames")
@settings(deadline=None, max_examples=60)
@given(st.lists(FRAMES, max_size=8))
def test_any_sequence_of_frames_passes_unchanged_and_is_shown_by_line(frames: list[bytes]) -> None:
    lines: list[bytes | LongLine] = []
    with pumping(lambda line, _at: lines.append(line)) as here:
        out = here.through(frames)

    stream = b"".join(frames)
    assert out == stream
    assert lines == stream.split(b"\n")[:-1]


def test_an_observer_that_fails_stops_nothing_and_is_counted() -> None:
    def fail(_line: bytes | LongLine, _at: int) -> None:
        raise RuntimeError("a bug of ours")

    with pumping(fail) as here:
        assert here.through([b"one\ntwo\n", b"three"]) == b"one\ntwo\nthree"
        assert here.pump.observer_errors == 2


def test_a_line_is_shown_before_its_newline_goes_on() -> None:
    seen, allowed = threading.Event(), threading.Event()

    def hold(_line: bytes | LongLine, _at: int) -> None:
        seen.set()
        allowed.wait(30)

    with pumping(hold) as here:
        os.set_blocking(here.read_end, False)
        os.write(here.write_end, b"request\n")
        assert seen.wait(30)
        with pytest.raises(BlockingIOError):
            os.read(here.read_end, 100)
        allowed.set()
        os.set_blocking(here.read_end, True)
        assert os.read(here.read_end, 100) == b"request\n"


def test_an_unfinished_line_goes_on_at_once() -> None:
    lines: list[bytes | LongLine] = []
    with pumping(lambda line, _at: lines.append(line)) as here:
        os.write(here.write_end, b"begin")
        assert os.read(here.read_end, 100) == b"begin"
        assert lines == []


def test_a_writer_learns_that_the_reader_is_gone() -> None:
    with pumping(None) as here:
        here.leave("read_end")
        os.write(here.write_end, b"lost\n")
        here.thread.join(30)
        with pytest.raises(BrokenPipeError):
            os.write(here.write_end, b"nobody\n")


def test_descriptors_that_somebody_made_non_blocking_are_waited_for() -> None:
    lines: list[bytes | LongLine] = []
    with pumping(lambda line, _at: lines.append(line)) as here:
        for descriptor in here.ends:
            os.set_blocking(descriptor, False)
        block = b"y" * 99_999 + b"\n"
        assert here.through([block] * 20) == block * 20
        assert lines == [block[:-1]] * 20
