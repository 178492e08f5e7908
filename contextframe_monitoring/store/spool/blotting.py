"""Blotting out frames that were drained but still stand in a segment that a living writer holds.

Such a segment can't be unlinked, and a hole in it would end every reader's scan. So a frame keeps
its place, length and sequence number, and its record becomes zeros under a checksum that fits:
nobody decodes a frame that was drained.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from contextframe_monitoring.store.spool.frames import FRAME_HEAD, SEQ, Frame, frame_bytes
from contextframe_monitoring.store.spool.reader import SegmentView


def blot(segment: SegmentView, drained_seq: int, meant: Callable[[bytes], bool]) -> int:
    """Blot out the frames up to `drained_seq` whose record is `meant`; return their number.

    Only the holder of the keeper's lock may do it: nobody else unlinks segments meanwhile. Raises
    OSError.
    """
    found = [
        frame
        for frame in segment.frames()
        if frame.seq <= drained_seq and any(frame.record) and meant(frame.record)
    ]
    if not found:
        return 0
    try:
        with segment.path.open("r+b", buffering=0) as file:
            for frame in found:
                file.seek(_start(segment, frame))
                file.write(_blank(frame))
    except FileNotFoundError:
        return 0
    return len(found)


def _start(segment: SegmentView, frame: Frame) -> int:
    return segment.offset + frame.end - frame_bytes(SEQ.size + len(frame.record))


def _blank(frame: Frame) -> bytes:
    payload = SEQ.pack(frame.seq) + bytes(len(frame.record))
    return FRAME_HEAD.pack(len(payload), zlib.crc32(payload)) + payload
