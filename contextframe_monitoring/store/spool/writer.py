"""`Spool`: where a process puts its frames. No thread, no sync, no wait; a loss is counted, never
raised.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from contextframe_monitoring.store.machine import FileLock, boot_id
from contextframe_monitoring.store.spool.frames import FRAME_BYTES_MAX, SEQ, frame_bytes
from contextframe_monitoring.store.spool.segment import (
    END_AT,
    FORMAT_VERSION,
    GAUGES,
    HEADER_BYTES,
    LAST_SEQ_AT,
    LOSS_REASONS,
    WRITER_BYTES,
    Header,
    MappedSegment,
    Segment,
    WrittenSegment,
    gauge_at,
    loss_at,
)

SEGMENT_BYTES_MIN = 64 << 10
WRITERS = "writers"
LOCK = "lock"
KEEPER_LOCK = "keeper.lock"
"""Beside the writers: held by the process that drains them."""
SUFFIX = ".seg"
_RETRY_NS = 100_000_000
"""After the disk refused a segment, the next attempt waits this long: a refusal costs 30 us, a
lost record 1 us.
"""

_FULL = (errno.ENOSPC, errno.EDQUOT)

_live: weakref.WeakSet[Spool] = weakref.WeakSet()


class Spool:
    """The frames of one process run, in segments below `root/writers/<writer>`.

    `put` is safe from any thread, from signal handlers and after a fork. `rotated` is called,
    outside the frame's way, after each new segment, with the bytes that this writer has
    undrained.
    """

    def __init__(
        self,
        root: Path,
        *,
        label: str = "",
        backend: Literal["mmap", "write"] = "mmap",
        segment_bytes_max: int = 1 << 20,
        spool_bytes_max: int = 256 << 20,
        rotated: Callable[[int], None] | None = None,
    ) -> None:
        """Open the writer's folder and first segment; where that fails, each `put` is a counted
        loss.
        """
        self.root, self.label = root, label
        self._make: Callable[[Path, int, Header], Segment] = (
            MappedSegment if backend == "mmap" else WrittenSegment
        )
        self._segment_bytes_max = max(segment_bytes_max, SEGMENT_BYTES_MIN)
        self._spool_bytes_max = spool_bytes_max
        self._rotated = rotated
        self._lock = threading.RLock()
        self._reset()
        self._open_first()
        _live.add(self)

    def _reset(self) -> None:
        self.writer = os.urandom(WRITER_BYTES).hex()
        self.seq = 0
        self.last_error: str | None = None
        self._losses = [0] * len(LOSS_REASONS)
        self._gauges = [0] * len(GAUGES)
        self._reentered: list[None] = []
        self._busy = self._closed = False
        self._segment: Segment | None = None
        self._at = self._size = self._number = self._retry_ns = 0
        self._refusal = "unavailable"
        self._folder: Path | None = None
        self._owned: FileLock | None = None

    @property
    def losses(self) -> dict[str, int]:
        """Records lost so far, by reason; only the reasons that happened."""
        with self._lock:
            self._count_reentered()
            return {r: n for r, n in zip(LOSS_REASONS, self._losses, strict=True) if n}

    def put(self, record: bytes) -> bool:
        """Store one encoded record under the next sequence number; False when it is lost (and
        counted).
        """
        with self._lock:
            if self._busy:  # only the thread that holds the lock can come here again
                self._reentered.append(None)
                return False
            self._busy = True
            reason = "interrupted"
            try:
                if self._reentered:
                    self._count_reentered()
                self.seq = seq = self.seq + 1
                payload = SEQ.pack(seq) + record
                end = self._at + ((len(payload) + 15) & -8)
                if end > self._size or self._segment is None:
                    refused = self._make_room(len(payload))
                    if refused is not None:
                        reason = refused
                        return False
                    end = self._at + frame_bytes(len(payload))
                self._segment.append(self._at, zlib.crc32(payload), payload)  # type: ignore[union-attr]
                self._at = end
                reason = ""
            except OSError as error:
                reason = self._reason_of(error)
                return False
            finally:
                if reason:
                    self._lose(reason, 1)
                self._busy = False
            return True

    def lose(self, reason: str) -> None:
        """Count a record that never became a frame; it takes a sequence number, so that the gap
        is seen.
        """
        with self._lock:
            if self._busy:
                self._reentered.append(None)
                return
            self.seq += 1
            self._lose(reason, 1)

    def gauge(self, index: int, value: int) -> None:
        """Show a live figure (`GAUGES`) in the header."""
        with self._lock:
            self._gauges[index] = value
            if self._segment is not None and not self._busy:
                self._segment.set(gauge_at(index), value)

    def close(self) -> None:
        """Seal the segment and give the folder to the keeper. Later records are counted as lost."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._count_reentered()
            for index in range(len(GAUGES)):
                self.gauge(index, 0)
            self._seal()
            if self._owned is not None:
                self._owned.release()
            if self.seq == 0 and self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def after_fork(self) -> None:
        """Become a writer of one's own in a forked child; the parent's segment and lock stay the
        parent's.
        """
        segment, owned = self._segment, self._owned
        self._lock = threading.RLock()
        closed = self._closed
        self._reset()
        self._closed = closed
        if segment is not None:
            segment.close()
        if owned is not None:
            owned.release()

    # -- inside the lock

    def _count_reentered(self) -> None:
        count = len(self._reentered)
        if count:
            del self._reentered[:count]
            self.seq += count
            self._lose("reentrant", count)

    def _lose(self, reason: str, count: int) -> None:
        index = LOSS_REASONS.index(reason)
        self._losses[index] += count
        if self._segment is not None:
            self._segment.set(loss_at(index), self._losses[index])
            self._segment.set(LAST_SEQ_AT, self.seq)

    def _make_room(self, payload_size: int) -> str | None:
        """Open a segment that holds the payload; return the reason when that can't be done."""
        if self._closed:
            return "closed"
        if payload_size > FRAME_BYTES_MAX:
            return "too_large"
        now = time.monotonic_ns()
        if now < self._retry_ns:
            return self._refusal
        undrained = self._undrained_bytes()
        if undrained > self._spool_bytes_max:
            return self._refuse("spool_full", now)
        try:
            self._open_next()
        except OSError as error:
            return self._refuse(self._reason_of(error), now)
        if self._rotated is not None and self._number > 1:
            self._rotated(undrained)
        return None

    def _reason_of(self, error: OSError) -> str:
        self.last_error = str(error)
        return "disk_full" if error.errno in _FULL else "unavailable"

    def _refuse(self, reason: str, now_ns: int) -> str:
        self._refusal, self._retry_ns = reason, now_ns + _RETRY_NS
        return reason

    def _undrained_bytes(self) -> int:
        if self._folder is None:
            return 0
        try:
            return sum(entry.stat().st_size for entry in os.scandir(self._folder))
        except OSError:
            return 0

    def _open_first(self) -> None:
        try:
            self._open_next()
        except OSError as error:
            self._refuse(self._reason_of(error), time.monotonic_ns())

    def _open_next(self) -> None:
        folder = self._folder
        if folder is None or not folder.is_dir():
            folder = self._make_folder()
        size = min(SEGMENT_BYTES_MIN << min(self._number, 16), self._segment_bytes_max)
        header = Header(
            version=FORMAT_VERSION,
            pid=os.getpid(),
            boot_id=boot_id(),
            writer=self.writer,
            number=self._number + 1,
            created_us=time.time_ns() // 1000,
            first_seq=max(self.seq, 1),
            label=self.label,
            last_seq=max(self.seq - 1, 0),
            gauges=tuple(self._gauges),
            losses=tuple(self._losses),
        )
        opened = self._make(folder / f"{self._number + 1:010d}{SUFFIX}", size, header)
        self._seal()
        self._segment, self._at, self._size = opened, HEADER_BYTES, size
        self._number += 1

    def _seal(self) -> None:
        if self._segment is not None:
            self._segment.set(LAST_SEQ_AT, self.seq if self._closed else max(self.seq - 1, 0))
            self._segment.set(END_AT, self._at)
            self._segment.close()
            self._segment, self._size = None, 0

    def _make_folder(self) -> Path:
        """Make the writer's folder under a hidden name and show it only when its lock is held."""
        writers = self.root / WRITERS
        writers.mkdir(parents=True, exist_ok=True, mode=0o700)
        hidden = writers / f".{self.writer}"
        hidden.mkdir(mode=0o700)
        owned = FileLock(hidden / LOCK)
        owned.acquire()
        folder = writers / self.writer
        hidden.rename(folder)
        self._folder, self._owned = folder, owned
        return folder


def _after_fork_in_child() -> None:
    for spool in list(_live):
        spool.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
