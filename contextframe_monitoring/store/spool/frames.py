"""The frame: `length u32 | crc32 u32 | payload`, padded to 8 bytes; the payload is `seq u64` and
one encoded record.

The payload is stored before the eight bytes that make it valid, so a frame is either whole or not
there. The checksum covers the sequence number too.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

FRAME_HEAD = struct.Struct("<II")
SEQ = struct.Struct("<Q")
HEAD_BYTES = FRAME_HEAD.size
ALIGNMENT = 8
FRAME_BYTES_MAX = 48 << 10
"""Largest payload that is stored: far above any record whose texts are bounded, below the
smallest segment.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One valid frame."""

    seq: int
    record: memoryview
    end: int


def frame_bytes(payload_size: int) -> int:
    """Return the room that a payload takes in a segment, in bytes."""
    return (HEAD_BYTES + payload_size + ALIGNMENT - 1) & -ALIGNMENT


def frame_at(data: memoryview, at: int) -> Frame | None:
    """Return the valid frame that starts at `at`, None where there is none."""
    if at + HEAD_BYTES + SEQ.size > len(data):
        return None
    size, crc = FRAME_HEAD.unpack_from(data, at)
    start = at + HEAD_BYTES
    if not SEQ.size <= size <= FRAME_BYTES_MAX or start + size > len(data):
        return None
    payload = data[start : start + size]
    if zlib.crc32(payload) != crc:
        return None
    return Frame(
        seq=SEQ.unpack_from(payload)[0], record=payload[SEQ.size :], end=at + frame_bytes(size)
    )


@dataclass(slots=True)
class Scan:
    """The valid frames from a position on; `end` and `damaged` are final when the iteration is
    over.

    `damaged` counts the places where bytes that are not zero are no valid frame, a torn tail
    included. What lies beyond `written_end`, where the writer said that it ended (0: it did not),
    was never a frame.
    """

    data: memoryview
    end: int
    sealed: bool
    written_end: int = 0
    damaged: int = 0

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames in order. A bad frame is skipped to the next valid one.

        In a segment that is still being written (`sealed` false), bad bytes with nothing valid
        behind them may be a frame in the making, so the scan stops before them.
        """
        while True:
            frame = frame_at(self.data, self.end)
            if frame is None:
                frame = self._next_valid()
                if frame is None:
                    return
                self.damaged += 1
            self.end = frame.end
            yield frame

    def _next_valid(self) -> Frame | None:
        at = self.end
        if not self.sealed and bytes(self.data[at : at + HEAD_BYTES]) == bytes(HEAD_BYTES):
            return None
        rest = bytes(self.data[at:])
        if not rest.strip(b"\0"):
            return None
        for candidate in range(at + ALIGNMENT, at + len(rest.rstrip(b"\0")), ALIGNMENT):
            frame = frame_at(self.data, candidate)
            if frame is not None:
                return frame
        if self.sealed:
            torn = bytes(rest[:HEAD_BYTES]) == bytes(HEAD_BYTES)  # killed before the head stood
            beyond = 0 < self.written_end <= at
            self.damaged += not (torn or beyond)
            self.end = len(self.data)
        return None
