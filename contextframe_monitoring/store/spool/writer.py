"""`Spool`: where a process puts its frames. No thread, no sync, no wait; a loss is counted, never
raised.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn
from zlib import crc32

from contextframe_monitoring.store.machine import (
    OPEN_FILES_MOVE,
    FileLock,
    after_fork_in_child,
    boot_id,
)
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
    Loss,
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
GAUGES_WORD = gauge_at(0) >> 3
"""Where the gauges stand among a segment's `words`."""
_RETRY_NS = 100_000_000
"""After the disk refused a segment, the next attempt waits this long: a refusal costs 30 us, a
lost record 1 us.
"""

_SEGMENTS_MIN = 4
"""A spool has room for so many segments: one that is written to, one to come, some undrained."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOSS_INDEX: dict[str, int] = {reason: index for index, reason in enumerate(LOSS_REASONS)}

_pack_seq = SEQ.pack
_live: weakref.WeakSet[Spool] = weakref.WeakSet()


class _Refused(Exception):  # noqa: N818 - it never leaves this module
    """A record finds no place; `loss` says why."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss


class Spool:
    """The frames of one process run, in segments below `root/writers/<writer>`.

    `put` is safe from any thread, from signal handlers and after a fork. `rotated` is called
    after the frame that opened a new segment, outside the lock, with the bytes that this writer
    has undrained; it must not raise.
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
        self._segment_bytes_max = max(
            min(segment_bytes_max, spool_bytes_max // _SEGMENTS_MIN), SEGMENT_BYTES_MIN
        )
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
        self.gauges = [0] * len(GAUGES)
        """What `gauge` has shown; the recorder, which counts operations, does its work itself."""
        self._deferred: list[Literal["put", "close"]] = []
        self._busy = self._closed = False
        self._segment: Segment | None = None
        self.words: memoryview | None = None
        self._at = self._size = self._number = self._retry_ns = self._undrained = 0
        self._next_bytes = SEGMENT_BYTES_MIN
        self._refusal: Loss = "unavailable"
        self._folder: Path | None = None
        self._owned: FileLock | None = None

    @property
    def losses(self) -> dict[str, int]:
        """Records lost so far, by reason; only the reasons that happened."""
        with self._lock:
            if not self._busy:
                self._catch_up()
            return {r: n for r, n in zip(LOSS_REASONS, self._losses, strict=True) if n}

    @property
    def undrained_bytes(self) -> int:
        """Bytes of this writer's segments that no keeper has taken away; looks at the disk."""
        return self._undrained_bytes()

    def put(self, record: bytes) -> bool:
        """Store one encoded record under the next number; False when it is lost, and counted."""
        lock = self._lock  # taken by hand: `with` costs 70 ns more, a tenth of all
        moved = False
        try:
            lock.acquire()  # inside: an exception from outside may come as soon as it is held
            if self._busy:  # only the thread that holds the lock can come here again
                self._deferred.append("put")
                return False
            self._busy, payload = True, b""
            try:
                self.seq = seq = self.seq + 1
                if self._deferred:
                    self._catch_up()
                payload = _pack_seq(seq) + record
                size, at = len(payload), self._at
                end = at + ((size + 15) & -8)
                if end > self._size or size > FRAME_BYTES_MAX:
                    self._make_room(size)
                    moved, at = True, self._at
                    end = at + frame_bytes(size)
                self._segment.append(at, crc32(payload), payload)  # type: ignore[union-attr]
                self._at = end
            except (OSError, _Refused) as error:
                self._failed(error, payload)
                return False
            except BaseException as error:
                self._failed(error, payload)
                raise
            finally:
                self._busy = False
        finally:
            try:  # noqa: SIM105 - on every record: `suppress` takes half as long as all the rest
                lock.release()
            except RuntimeError:
                pass  # interrupted while it waited for another thread
        if moved and self._rotated is not None:
            self._rotated(self._undrained)
        return True

    def lose(self, reason: Loss) -> None:
        """Count a record that never became a frame; it takes a sequence number, so that the gap
        is seen.
        """
        with self._lock:
            if self._busy:
                self._deferred.append("put")
                return
            self.seq += 1
            self._losses[_LOSS_INDEX[reason]] += 1
            self._show_loss(reason)

    def gauge(self, index: int, value: int) -> None:
        """Show a live figure (`GAUGES`) in the header."""
        self.gauges[index] = value
        words = self.words
        if words is not None:
            try:  # noqa: SIM105 - on every operation: `suppress` takes longer than the store
                words[GAUGES_WORD + index] = value
            except ValueError:
                pass  # sealed meanwhile: the next header holds the figure
            return
        with self._lock:
            if not self._busy:
                self._show(gauge_at(index), value)

    def close(self) -> None:
        """Seal the segment and give the folder to the keeper. Later records are counted as lost."""
        with self._lock:
            self._deferred.append("close")
            if not self._busy:
                self._catch_up()

    def after_fork(self) -> None:
        """Become a writer of one's own in a forked child; the segment stays the parent's, and so
        does the folder's lock (`FileLock` sees to it).
        """
        segment, closed = self._segment, self._closed
        self._lock = threading.RLock()
        self._reset()
        self._closed = closed
        if segment is not None:
            segment.close()

    # -- inside the lock

    def _catch_up(self) -> None:
        """Do what could not be done while a record was being put."""
        closing = "close" in self._deferred
        count = self._deferred.count("put")
        del self._deferred[:]
        self.seq += count
        self._losses[_LOSS_INDEX["reentrant"]] += count
        if count:
            self._show_loss("reentrant")
        if closing and not self._closed:
            self._closed = True
            self._shut()

    def _shut(self) -> None:
        for index in range(len(GAUGES)):
            self.gauges[index] = 0
            self._show(gauge_at(index), 0)
        self._seal(self.seq)
        if self._owned is not None:
            self._owned.release()
        if self.seq == 0 and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _failed(self, error: BaseException, payload: bytes) -> None:
        """Count a loss, unless the frame stands all the same: an exception from outside may come
        between the two last steps of a put.
        """
        if isinstance(error, _Refused):
            loss = error.loss
        elif isinstance(error, OSError):
            loss = self._loss_of(error)
        else:
            loss = "interrupted"
            if self._segment is not None and payload:
                with contextlib.suppress(OSError):
                    if self._segment.holds(self._at, crc32(payload), payload):
                        self._at += frame_bytes(len(payload))
                        return
        self._losses[_LOSS_INDEX[loss]] += 1
        self._show_loss(loss)

    def _show_loss(self, loss: Loss) -> None:
        index = _LOSS_INDEX[loss]
        self._show(loss_at(index), self._losses[index])
        self._show(LAST_SEQ_AT, self.seq)

    def _show(self, at: int, value: int) -> None:
        """Set a figure of the header; a disk that refuses it costs only the figure."""
        if self._segment is not None:
            try:
                self._segment.set(at, value)
            except OSError as error:
                self.last_error = str(error)

    def _make_room(self, size: int) -> None:
        """Open the next segment, for a payload of this size. Raises `_Refused` when that can't be
        done, and for one that is too large for any.
        """
        if size > FRAME_BYTES_MAX:
            raise _Refused("too_large")
        if self._closed:
            raise _Refused("closed")
        now = time.monotonic_ns()
        if now < self._retry_ns:
            raise _Refused(self._refusal)
        self._undrained = self._undrained_bytes()
        if self._undrained + self._next_bytes > self._spool_bytes_max:
            self._refuse("spool_full", now)
        try:
            self._open_next()
        except OSError as error:
            self._refuse(self._loss_of(error), now)

    def _loss_of(self, error: OSError) -> Loss:
        self.last_error = str(error)
        return "disk_full" if error.errno in _FULL else "unavailable"

    def _refuse(self, loss: Loss, now_ns: int) -> NoReturn:
        self._refusal, self._retry_ns = loss, now_ns + _RETRY_NS
        raise _Refused(loss)

    def _undrained_bytes(self) -> int:
        if self._folder is None:
            return 0
        try:
            return sum((self._folder / name).stat().st_size for name in os.listdir(self._folder))
        except OSError:
            return 0

    def _open_first(self) -> None:
        try:
            self._open_next()
        except OSError as error:
            with contextlib.suppress(_Refused):
                self._refuse(self._loss_of(error), time.monotonic_ns())

    def _open_next(self) -> None:
        folder = self._folder
        if folder is None or not folder.is_dir():
            folder = self._make_folder()
        size = self._next_bytes
        self._number += 1  # not used again, even when this attempt fails
        header = Header(
            version=FORMAT_VERSION,
            pid=os.getpid(),
            boot_id=boot_id(),
            writer=self.writer,
            number=self._number,
            created_us=time.time_ns() // 1000,
            first_seq=max(self.seq, 1),
            label=self.label,
            size=size if self._make is MappedSegment else 0,
            last_seq=max(self.seq - 1, 0),
            gauges=tuple(self.gauges),
            losses=tuple(self._losses),
        )
        opened = self._make(folder / f"{self._number:010d}{SUFFIX}", size, header)
        self._seal(max(self.seq - 1, 0))
        self._at, self._size, self._segment = HEADER_BYTES, size, opened
        self.words = opened.words
        for index, value in enumerate(self.gauges):  # they need no lock, so they may have moved
            self._show(gauge_at(index), value)
        self._next_bytes = min(2 * size, self._segment_bytes_max)

    def _seal(self, last_seq: int) -> None:
        """Say in the header where the segment ends, and let go of it."""
        if self._segment is not None:
            self._size = 0  # whatever comes between, nothing is put behind its end
            self.words = None
            self._show(LAST_SEQ_AT, last_seq)
            self._show(END_AT, self._at)
            sealed, self._segment = self._segment, None
            sealed.close()

    def _make_folder(self) -> Path:
        """Make the writer's folder under a hidden name and show it only when its lock is held.

        Where a folder with an open file can't be renamed it is in sight from the start.
        """
        writers = self.root / WRITERS
        writers.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = writers / self.writer
        hidden = writers / f".{self.writer}" if OPEN_FILES_MOVE else folder
        hidden.mkdir(exist_ok=True, mode=0o700)  # an attempt before this one may have made it
        owned = FileLock(hidden / LOCK)
        owned.acquire()
        if hidden != folder:
            hidden.rename(folder)
        if self._owned is not None:
            self._owned.release()
        self._folder, self._owned = folder, owned
        return folder


def _after_fork_in_child() -> None:
    for spool in list(_live):
        spool.after_fork()


after_fork_in_child(_after_fork_in_child)
