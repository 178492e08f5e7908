"""What differs between operating systems: clocks, file locks, memory maps, signals, forks, owners
of files, process identity, folders, a detached start.

Only the standard library, and nothing POSIX-only at import: the write path loads this module. No
other module asks which system it runs on.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

_fcntl: ModuleType | None
try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None

PLATFORM = sys.platform
"""What `sys.platform` says."""
OPEN_FILES_MOVE = _fcntl is not None
"""Whether a file can be renamed or unlinked while somebody has it open or mapped: POSIX."""
SPOOL_BACKEND: Literal["mmap", "write"] = "mmap" if OPEN_FILES_MOVE else "write"
"""The back end of `spool_backend = "auto"`: a mapped segment can't be unlinked on Windows."""
ENDING_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The signals that ask a process to end."""

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


def _lock(fd: int) -> bool:
    if _fcntl is None:
        msvcrt: Any = importlib.import_module("msvcrt")
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        _fcntl.flock(fd, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def after_fork_in_child(then: Callable[[], None]) -> None:
    """Call `then` in each child that is forked from now on, where processes fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=then)


after_fork_in_child(_release_in_child)


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


def copy_owner(source: Path, target: str) -> None:
    """Give `target` the owner of `source`, where files have one and we may."""
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            status = source.stat()
            os.chown(target, status.st_uid, status.st_gid)


def runnable(command: Sequence[str]) -> list[str]:
    """Return a command line that starts: Windows finds `npx.cmd` only by its whole name."""
    if PLATFORM != "win32":
        return list(command)
    import shutil

    return [shutil.which(command[0]) or command[0], *command[1:]]


def hears_terminal(number: int) -> bool:
    """Return whether a child gets this signal from the terminal itself: an interrupt goes to all
    processes of the foreground.
    """
    return number == signal.SIGINT and (PLATFORM == "win32" or os.isatty(0))


def kill_at_once(pid: int) -> None:
    """Kill a process without a word. Raises OSError."""
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows: SIGTERM is no request


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
    names = ("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP")  # Windows has no sessions
    flags = sum(getattr(subprocess, name, 0) for name in names)
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
