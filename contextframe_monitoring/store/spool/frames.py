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

import msgspec

FRAME_HEAD = struct.Struct("<II")
SEQ = struct.Struct("<Q")
HEAD_BYTES = FRAME_HEAD.size
ALIGNMENT = 8
FRAME_BYTES_MAX = 48 << 10
"""Largest payload that is stored: far above any record whose texts are bounded, below the
smallest segment.
"""
_START = struct.Struct("<IIQ")  # the head and the sequence number
_NOTHING = bytes(HEAD_BYTES)


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One valid frame. (A struct is made in a fifth of a named tuple's time.)"""

    seq: int
    record: bytes
    end: int


def frame_bytes(payload_size: int) -> int:
    """Return the room that a payload takes in a segment, in bytes."""
    return (HEAD_BYTES + payload_size + ALIGNMENT - 1) & -ALIGNMENT


def frame_at(data: bytes, at: int) -> Frame | None:
    """Return the valid frame that starts at `at`, None where there is none."""
    if at + _START.size > len(data):
        return None
    size, crc, seq = _START.unpack_from(data, at)
    if not SEQ.size <= size <= FRAME_BYTES_MAX:
        return None
    payload = data[at + HEAD_BYTES : at + HEAD_BYTES + size]
    if len(payload) < size or zlib.crc32(payload) != crc:
        return None
    return Frame(seq, payload[SEQ.size :], at + frame_bytes(size))


@dataclass(slots=True)
class Scan:
    """The valid frames from a position on; `end` and `damaged` are final when the iteration is
    over.

    `damaged` counts the places where bytes that are not zero are no valid frame. What lies at the
    end is none when it was never a frame: beyond `written_end`, where the writer said that it
    ended, or begun by a writer that was killed. `grown` says that the file grew as frames came.
    """

    data: bytes
    end: int
    sealed: bool
    written_end: int | None = None
    grown: bool = False
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
        if not self.sealed and self.data[at : at + HEAD_BYTES] == _NOTHING:
            return None
        rest = self.data[at:].rstrip(b"\0")
        if not rest:
            return None
        for candidate in range(at + ALIGNMENT, at + len(rest), ALIGNMENT):
            frame = frame_at(self.data, candidate)
            if frame is not None:
                return frame
        if self.sealed:
            beyond = self.written_end is not None and self.written_end <= at
            self.damaged += not (beyond or self._is_torn(at))
            self.end = len(self.data)
        return None

    def _is_torn(self, at: int) -> bool:
        """Whether a killed writer had not finished what stands at `at`: a payload without its head
        in a map, or the first part of a frame at the end of a file that grows.
        """
        if self.written_end is not None:
            return False
        head = self.data[at : at + HEAD_BYTES]
        if not self.grown:
            return head == _NOTHING
        if len(head) < HEAD_BYTES:
            return True
        size = FRAME_HEAD.unpack(head)[0]
        return bool(SEQ.size <= size <= FRAME_BYTES_MAX and at + frame_bytes(size) > len(self.data))
