"""What differs between operating systems: clocks, file locks, process identity, folders, a
detached start.

Only the standard library, and nothing POSIX-only at import: the write path loads this module.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import subprocess
import sys
import time
import weakref
from pathlib import Path

_APP = "contextframe-monitoring"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The machine's clocks (`core.clock.Clock`)."""

    def now_us(self) -> int:
        """Return the wall time in microseconds since the epoch."""
        return time.time_ns() // 1000

    def monotonic_ns(self) -> int:
        """Return the monotonic time in nanoseconds."""
        return time.perf_counter_ns()


class FileLock:
    """An exclusive lock on a file, held by this process until it ends or `release` is called.

    A forked child never holds it: a child that outlives its killed parent would keep everybody
    else from taking over.
    """

    def __init__(self, path: Path) -> None:
        """Remember `path`; nothing is opened yet."""
        self.path = path
        self._fd: int | None = None
        _locks.add(self)

    @property
    def held(self) -> bool:
        """Whether this process holds the lock."""
        return self._fd is not None

    @property
    def stands(self) -> bool:
        """Whether this process holds the lock, and the file is the one that others ask."""
        if self._fd is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(self.path))
        except OSError:
            return False

    def acquire(self) -> bool:
        """Take the lock without waiting; False when another process holds it. Raises OSError
        otherwise.
        """
        if self._fd is not None:
            return True
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if _lock(fd):
                self._fd, fd = fd, -1
        finally:
            if fd >= 0:
                os.close(fd)
        return self._fd is not None

    def release(self) -> None:
        """Give the lock back; in a forked child, let go of the parent's."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


_locks: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _release_in_child() -> None:
    for lock in list(_locks):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_child)


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> bool:
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@functools.cache
def boot_id() -> bytes:
    """Return 16 bytes that change with every boot, zeros where the system has none."""
    try:
        return bytes.fromhex(_BOOT_ID.read_text().strip().replace("-", ""))[:16].ljust(16, b"\0")
    except (OSError, ValueError):
        return bytes(16)


def sync_path(path: Path) -> None:
    """Make a file or folder durable. Where folders can't be opened (Windows) renames are durable
    by themselves.
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except PermissionError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def default_store() -> str:
    """Return the platform's user data folder for the store."""
    import platformdirs

    return str(Path(platformdirs.user_data_dir(_APP, appauthor=False)) / "store")


def is_remote(store: str) -> bool:
    """Return whether a store is a URI of an object store (`s3://...`) instead of a local folder."""
    return "://" in store and not store.startswith("file://")


def local_store(store: str) -> Path:
    """Return the folder of a local store, absolute."""
    return Path(store.removeprefix("file://")).expanduser().absolute()


def spool_folder(store: str, spool_path: str | None) -> Path:
    """Return the root of the spool of a store: always on a local disk.

    Beside a local store; for a remote one in the user's state folder; below `spool_path` when
    given. Both of the latter are keyed by the store's URI, so that two stores never share a
    spool.
    """
    if spool_path is None and not is_remote(store):
        return local_store(store) / "spool"
    name = store if is_remote(store) else str(local_store(store))
    key = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest()
    if spool_path is not None:
        return Path(spool_path).expanduser().absolute() / key
    import platformdirs

    return Path(platformdirs.user_state_dir(_APP, appauthor=False)) / "spool" / key


def start_detached(arguments: list[str], environment: dict[str, str]) -> None:
    """Start `python -m contextframe_monitoring ARGUMENTS` that outlives us: own session, no
    inherited streams, our environment and these variables.

    Raises OSError when the process can't be started.
    """
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    child = subprocess.Popen(
        [sys.executable, "-m", "contextframe_monitoring", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        close_fds=True,
        creationflags=flags,
        env={**os.environ, **environment},
    )
    _CHILDREN[:] = [
        known for known in _CHILDREN if known.poll() is None
    ]  # reap: no zombie piles up
    _CHILDREN.append(child)


_CHILDREN: list[subprocess.Popen[bytes]] = []


def free_bytes(path: Path) -> int | None:
    """Return the free bytes of the disk that holds `path`, None where the system can't tell."""
    import shutil

    with contextlib.suppress(OSError):
        return shutil.disk_usage(path).free
    return None


def own_version() -> str:
    """Return the version of this package, `0` where it runs without being installed."""
    import importlib.metadata

    try:
        return importlib.metadata.version(_APP)
    except importlib.metadata.PackageNotFoundError:
        return "0"
