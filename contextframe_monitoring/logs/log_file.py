"""`LogFile`: lines appended to a file that several processes may share, set aside and expired.

A line is one write to a descriptor opened for appending, so lines never mix. A file that has grown
too large, or is of an earlier day, is renamed under its time by whoever finds it so, one at a time;
the others notice that the path names another file, and follow.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import os
import re
import shutil
import stat
import threading
import weakref
from pathlib import Path

import msgspec

from contextframe_monitoring.core.clock import US_PER_DAY, Clock
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.trusted_time import TrustedTime
from contextframe_monitoring.store.machine import FileLock, after_fork_in_child

_STAMP = "%Y%m%dT%H%M%S"
_ASIDE = re.compile(r"(\d{8}T\d{6})-\d{6}(?:\.gz)?")
_SETTLED = dt.timedelta(minutes=1)
_PAUSE_NS = 1_000_000_000
"""After a write that the disk refused, the next try waits this long: a full disk is no busy one."""


class LogFile:
    """Appends lines. `write` never raises: what the disk refuses is counted in `lost`."""

    def __init__(
        self,
        path: str,
        clock: Clock,
        *,
        rotate_bytes: int,
        keep_days: int,
        keep_files_max: int,
        compress: bool,
    ) -> None:
        """Nothing is opened yet. Raises `InvalidError` when `path` is no regular file."""
        self.path = Path(path).expanduser().absolute()
        self._clock, self._rotate_bytes = clock, rotate_bytes
        self._keep_days, self._keep_files_max = keep_days, keep_files_max
        self._compress = compress
        self._time = TrustedTime(clock)
        self._lock = threading.RLock()
        self._turn = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        self._fd: int | None = None
        self._day = 0
        self._refused_ns: int | None = None
        self.lost = self._told = 0
        """Lines that could not be written; so many of them the file says itself."""
        if _is_forbidden(self.path):
            allowed = "expected a regular file; standard output belongs to the protocol"
            raise InvalidError("logging.file", path, allowed)
        _files.add(self)

    def write(self, line: bytes) -> None:
        """Append one line."""
        with self._lock:
            if self._refused_ns is not None:
                if self._clock.monotonic_ns() - self._refused_ns < _PAUSE_NS:
                    self.lost += 1
                    return
                self._refused_ns = None
            try:
                fd = self._ready(len(line))
                if os.write(fd, line) < len(line):
                    self.lost += 1
                    os.write(fd, b"\n")  # the disk is full: what stands there is no JSON, alone
                elif self.lost > self._told:
                    os.write(fd, _about(self.lost - self._told, self._clock.now_us()))
                    self._told = self.lost
            except OSError:
                self.lost += 1
                self._refused_ns = self._clock.monotonic_ns()
                self.close()

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def _ready(self, size: int) -> int:
        """Return the descriptor of a file that may take so many bytes more. Raises OSError."""
        fd = self._opened()
        today = self._clock.now_us() // US_PER_DAY
        found = os.fstat(fd)
        too_large = found.st_size + size > self._rotate_bytes
        if found.st_size and (too_large or self._day < today):
            with contextlib.suppress(OSError):  # held open (Windows) or not ours: it grows on
                self._set_aside()
            fd = self._opened()
        if self._day != today and os.fstat(fd).st_size == 0:
            self._day = today
        return fd

    def _opened(self) -> int:
        """Return the descriptor of the file that the path names now."""
        if self._fd is not None:
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._fd), os.stat(self.path)):
                    return self._fd
            self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._fd = fd = os.open(self.path, flags | getattr(os, "O_NONBLOCK", 0), 0o600)
        found = os.fstat(fd)
        self._day = int(found.st_mtime * 1_000_000) // US_PER_DAY if found.st_size else 0
        return fd

    def _set_aside(self) -> None:
        """Rename the file under its time, unless another process just did; expire old ones."""
        if not self._turn.acquire():
            return
        try:
            if self._fd is None or not os.path.samestat(os.fstat(self._fd), os.stat(self.path)):
                return
            now = dt.datetime.fromtimestamp(self._clock.now_us() / 1e6, dt.UTC)
            os.rename(self.path, self._name_aside(now))
            self.close()
            if self._compress:
                self._pack_older(now)
            self._expire()
        finally:
            self._turn.release()

    def _name_aside(self, now: dt.datetime) -> Path:
        number = now.microsecond
        while True:
            name = f"{self.path.name}.{now.strftime(_STAMP)}-{number:06d}"
            aside = self.path.with_name(name)
            if not aside.exists() and not aside.with_name(f"{name}.gz").exists():
                return aside
            number += 1

    def _pack_older(self, now: dt.datetime) -> None:
        """Pack what was set aside a while ago: another process may be about to write into newer
        ones.
        """
        limit = f"{self.path.name}.{(now - _SETTLED).strftime(_STAMP)}"
        for path in files_of(self.path):
            if path != self.path and path.suffix != ".gz" and path.name < limit:
                _pack(path)

    def _expire(self) -> None:
        """Delete files that were set aside long ago, or are too many."""
        names = [path for path in files_of(self.path) if path != self.path]
        gone = names[: max(len(names) - self._keep_files_max, 0)]
        now_us = self._time.now_us()
        if now_us is not None:
            first = dt.datetime.fromtimestamp(now_us / 1e6, dt.UTC)
            first -= dt.timedelta(days=self._keep_days)
            limit = f"{self.path.name}.{first.strftime(_STAMP)}"
            gone += [path for path in names if path.name < limit and path not in gone]
        for path in gone:
            with contextlib.suppress(OSError):  # another process was quicker, or may not
                path.unlink()


def _about(lost: int, now_us: int) -> bytes:
    """Return the line that says how many are missing before it."""
    at = dt.datetime.fromtimestamp(now_us / 1e6, dt.UTC).isoformat(timespec="microseconds")
    head = {"timestamp": at.replace("+00:00", "Z"), "level": "warning", "message": "log.lost"}
    return msgspec.json.encode({**head, "logger": "logs", "context": {"lines": lost}}) + b"\n"


def _is_forbidden(path: Path) -> bool:
    """Return whether a path names a device, a pipe, a folder, or where standard output goes."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode):
        return True
    with contextlib.suppress(OSError):
        return os.path.samestat(found, os.fstat(1))
    return False


def files_of(path: Path) -> list[Path]:
    """Return the files of a log, the oldest first, the one that is written to last."""
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:
        names = []
    start = f"{path.name}."
    aside = [
        path.with_name(name)
        for name in names
        if name.startswith(start) and _ASIDE.fullmatch(name.removeprefix(start))
    ]
    return [*aside, path] if path.name in names else aside


def _pack(path: Path) -> None:
    packed = path.with_name(f"{path.name}.gz")
    part = path.with_name(f"{path.name}.part")
    with open(path, "rb") as plain, open(part, "wb") as raw:
        os.chmod(part, 0o600)
        with gzip.GzipFile("", "wb", 6, raw) as file:
            shutil.copyfileobj(plain, file)
    os.replace(part, packed)
    path.unlink()


_files: weakref.WeakSet[LogFile] = weakref.WeakSet()


def _renew_in_child() -> None:
    for file in list(_files):
        file._lock = threading.RLock()  # noqa: SLF001 - another thread may have held the parent's


after_fork_in_child(_renew_in_child)
