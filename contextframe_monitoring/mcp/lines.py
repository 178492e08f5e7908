"""Finding the lines in a stream of chunks, with a bound on what is held of a line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

LINE_BYTES_MAX = 1 << 20
"""A longer line is not held whole: enough for nearly every message, small beside 32 MB."""
HEAD_BYTES_MAX = 16 << 10
TAIL_BYTES_MAX = 4 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LongLine:
    """What is kept of a line above the bound: its beginning, its end and its size in bytes."""

    head: bytes
    tail: bytes
    size: int


def long_line(line: bytes) -> LongLine:
    """Return what would be kept of a line if it were too long."""
    rest = line[HEAD_BYTES_MAX:]
    return LongLine(head=line[:HEAD_BYTES_MAX], tail=rest[-TAIL_BYTES_MAX:], size=len(line))


class HeldBytes:
    """Bytes that come in parts, of which at most `bytes_max` are held."""

    __slots__ = ("_bytes_max", "_held", "_long", "size")

    def __init__(self, bytes_max: int = LINE_BYTES_MAX) -> None:
        """Hold nothing yet."""
        self._bytes_max = bytes_max
        self._held = bytearray()
        self._long = False
        self.size = 0
        """Bytes that came since the last `take`."""

    def add(self, part: bytes) -> None:
        """Take one more part in."""
        self.size += len(part)
        self._held += part
        if len(self._held) > self._bytes_max:
            self._long = True
        if self._long:
            del self._held[HEAD_BYTES_MAX:-TAIL_BYTES_MAX]

    def take(self) -> bytes | LongLine:
        """Return what came, whole or as its two ends, and hold nothing again."""
        held, size, long = self._held, self.size, self._long
        self._held, self.size, self._long = bytearray(), 0, False
        if not long:
            return bytes(held)
        return dataclasses.replace(long_line(bytes(held)), size=size)


class LineSplitter:
    """Yields complete lines, without their newline; what follows the last newline waits."""

    def __init__(self, line_bytes_max: int = LINE_BYTES_MAX) -> None:
        """Hold at most `line_bytes_max` bytes of an unfinished line."""
        self._held = HeldBytes(line_bytes_max)

    @property
    def unfinished(self) -> int:
        """Bytes seen since the last newline."""
        return self._held.size

    def feed(self, chunk: bytes) -> Iterator[bytes | LongLine]:
        """Take the next chunk and yield the lines that it ends."""
        held = self._held
        if not held.size and chunk.find(b"\n") == len(chunk) - 1:
            yield chunk[:-1]  # the usual case: a chunk is a line
            return
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            if held.size:
                held.add(end)
                yield held.take()
            else:
                yield end
        if rest:
            held.add(rest)
