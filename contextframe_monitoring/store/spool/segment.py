"""A segment file: its header, and the two back ends that write it.

`MappedSegment` stores into a shared memory map: 0.1 us, and the page cache keeps the bytes when
the process is killed. Its blocks are really written first, because a store into a sparse map
kills the process on a full disk. `WrittenSegment` calls `os.write`, for file systems whose maps
can't be trusted; it gives up the GIL at each call.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import typing
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from contextframe_monitoring.store.spool.frames import FRAME_HEAD, HEAD_BYTES

MAGIC = b"CFMSPOOL"
FORMAT_VERSION = 1
HEADER_BYTES = 512
WRITER_BYTES = 10

Loss = Literal[
    "disk_full",  # no room on the disk of the spool
    "spool_full",  # more than spool_bytes_max undrained
    "too_large",  # a record beyond the frame's bound, even after its texts were cut
    "invalid",  # a record that can't be encoded
    "reentrant",  # recorded while recording: a signal handler, a finalizer
    "interrupted",  # an exception from outside broke into the recording
    "unavailable",  # no spool folder could be made
    "closed",  # recorded after close
]
LOSS_REASONS: tuple[Loss, ...] = typing.get_args(Loss)
"""In the order of their counters in the header: append new ones at the end."""

GAUGES = ("active", "active_max", "connections")
"""Live figures of the writer: operations in flight, their peak, open connections."""

# static: magic, version, header size, pid, boot id, writer, padding, file size (0: it grows),
# number, created_us, first_seq
_STATIC = struct.Struct("<8sHHI16s10s2xIQQQ")
_LABEL = struct.Struct("<126s")
_U64 = struct.Struct("<Q")
_CRC = struct.Struct("<I")
LAST_SEQ_AT = 80
END_AT = 88
_GAUGES_AT = 96
_LOSSES_AT = 160
_LABEL_AT = 352
_CRC_AT = 480
_COUNTERS = struct.Struct(f"<{(_LABEL_AT - LAST_SEQ_AT) // _U64.size}Q")
_COUNTER_MAX = 1 << 48
"""No counter ever gets there: one above it is damage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a segment says of itself. `end` is 0 while the segment is still written to, `size` the
    file's bytes from the start on, 0 where the file grows as frames come.
    """

    version: int
    pid: int
    boot_id: bytes
    writer: str
    number: int
    created_us: int
    first_seq: int
    label: str
    size: int = 0
    last_seq: int = 0
    end: int = 0
    gauges: tuple[int, ...] = (0,) * len(GAUGES)
    losses: tuple[int, ...] = (0,) * len(LOSS_REASONS)

    def pack(self) -> bytes:
        """Return the header's bytes."""
        block = bytearray(HEADER_BYTES)
        label = self.label.encode("utf-8", "replace")[: _LABEL.size]
        _STATIC.pack_into(
            block, 0, MAGIC, self.version, HEADER_BYTES, self.pid, self.boot_id,
            bytes.fromhex(self.writer), self.size, self.number, self.created_us, self.first_seq,
        )  # fmt: skip
        _LABEL.pack_into(block, _LABEL_AT, label)
        _CRC.pack_into(block, _CRC_AT, _static_crc(block))
        for at, value in self.counters():
            _U64.pack_into(block, at, value)
        return bytes(block)

    def counters(self) -> list[tuple[int, int]]:
        """Return (position, value) of everything that changes while the segment is written."""
        return [
            (LAST_SEQ_AT, self.last_seq),
            (END_AT, self.end),
            *((gauge_at(i), value) for i, value in enumerate(self.gauges)),
            *((loss_at(i), value) for i, value in enumerate(self.losses)),
        ]


def gauge_at(index: int) -> int:
    """Return the position of a gauge in the header."""
    return _GAUGES_AT + 8 * index


def loss_at(index: int) -> int:
    """Return the position of a loss counter in the header."""
    return _LOSSES_AT + 8 * index


def _static_crc(block: bytes | bytearray) -> int:
    return zlib.crc32(bytes(block[: _STATIC.size]) + bytes(block[_LABEL_AT:_CRC_AT]))


def read_header(block: bytes) -> Header | None:
    """Return the header of a segment, None when it is damaged or no segment at all."""
    if len(block) < HEADER_BYTES or block[: len(MAGIC)] != MAGIC:
        return None
    if _CRC.unpack_from(block, _CRC_AT)[0] != _static_crc(block):
        return None
    _, version, _, pid, boot, writer, size, number, created, first = _STATIC.unpack_from(block, 0)
    counters = _COUNTERS.unpack_from(block, LAST_SEQ_AT)
    if max(counters) > _COUNTER_MAX and version <= FORMAT_VERSION:
        return None
    gauges, losses = _index(_GAUGES_AT), _index(_LOSSES_AT)
    return Header(
        version=version,
        pid=pid,
        boot_id=boot,
        writer=writer.hex(),
        number=number,
        created_us=created,
        first_seq=first,
        label=_LABEL.unpack_from(block, _LABEL_AT)[0].rstrip(b"\0").decode("utf-8", "replace"),
        size=size,
        last_seq=counters[_index(LAST_SEQ_AT)],
        end=counters[_index(END_AT)],
        gauges=counters[gauges : gauges + len(GAUGES)],
        losses=counters[losses : losses + len(LOSS_REASONS)],
    )


def _index(at: int) -> int:
    return (at - LAST_SEQ_AT) // _U64.size


class Segment(Protocol):
    """What the spool needs of a back end."""

    words: memoryview | None
    """The segment's u64s, to be stored without a lock; None where that can't be done."""

    def append(self, at: int, crc: int, payload: bytes) -> None:
        """Store one frame at `at`; raises OSError when the disk refuses it."""
        ...

    def holds(self, at: int, crc: int, payload: bytes) -> bool:
        """Return whether this frame stands at `at`: the question after an interrupted append."""
        ...

    def set(self, at: int, value: int) -> None:
        """Store a u64 of the header."""
        ...

    def close(self) -> None:
        """Let go of the file; its bytes stay."""
        ...


class MappedSegment:
    """A segment behind a shared memory map.

    `words` are its u64s where the machine's byte order is the file's: to store one is a single
    machine instruction, so it needs no lock, and costs a tenth of a packed slice.
    """

    def __init__(self, path: Path, size: int, header: Header) -> None:
        """Create the file with all its blocks and map it. Raises OSError; no file is left then."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            _write_all(fd, header.pack())
            _write_all(fd, bytes(size - HEADER_BYTES))
            self._map = mmap.mmap(fd, size)
            little = sys.byteorder == "little"
            self.words: memoryview | None = memoryview(self._map).cast("Q") if little else None
        except BaseException:
            os.close(fd)
            os.unlink(path)
            raise
        os.close(fd)

    def append(self, at: int, crc: int, payload: bytes) -> None:
        """Store payload first, then the head that makes the frame valid."""
        size, words = len(payload), self.words
        self._map[at + 8 : at + 8 + size] = payload
        if words is not None:
            words[at >> 3] = crc << 32 | size
        else:
            self._map[at : at + 8] = FRAME_HEAD.pack(size, crc)

    def holds(self, at: int, crc: int, payload: bytes) -> bool:
        """Compare what stands at `at`."""
        frame = FRAME_HEAD.pack(len(payload), crc) + payload
        return self._map[at : at + len(frame)] == frame

    def set(self, at: int, value: int) -> None:
        """Store a u64: of the header, or the head of a frame."""
        if self.words is not None:
            self.words[at >> 3] = value
        else:
            self._map[at : at + 8] = _U64.pack(value)

    def close(self) -> None:
        """Unmap."""
        if self.words is not None:
            self.words.release()
        self._map.close()


class WrittenSegment:
    """A segment written with system calls."""

    words: memoryview | None = None

    def __init__(self, path: Path, size: int, header: Header) -> None:
        """Create the file. `size` is only its bound: the file grows as frames come."""
        del size
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._fd = os.open(path, flags, 0o600)
        try:
            _write_all(self._fd, header.pack())
        except BaseException:
            os.close(self._fd)
            os.unlink(path)
            raise

    def append(self, at: int, crc: int, payload: bytes) -> None:
        """Store one frame in one call; a frame that the disk took only in part is no valid one."""
        padding = bytes(-(HEAD_BYTES + len(payload)) % 8)
        os.lseek(self._fd, at, os.SEEK_SET)
        _write_all(self._fd, FRAME_HEAD.pack(len(payload), crc) + payload + padding)

    def holds(self, at: int, crc: int, payload: bytes) -> bool:
        """Read back what stands at `at`."""
        frame = FRAME_HEAD.pack(len(payload), crc) + payload
        os.lseek(self._fd, at, os.SEEK_SET)
        return os.read(self._fd, len(frame)) == frame

    def set(self, at: int, value: int) -> None:
        """Store a u64 of the header."""
        os.lseek(self._fd, at, os.SEEK_SET)
        _write_all(self._fd, _U64.pack(value))

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
