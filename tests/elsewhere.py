"""A program that finds itself on a system without what POSIX has, as far as Linux can play one.

For our package the modules are gone; for all, the names in `os` and `signal` that the documentation
of Python marks as `Availability: Unix` and that no package we use asks for where Linux is said to
be. `msvcrt.locking` is played by a lock of this system, which is what it stands
for there. What else is different on Windows (renaming open files, drive letters) is not played.
"""

import asyncio  # noqa: F401 - the standard library knows Windows by msvcrt: it came before
import builtins
import errno
import os
import signal
import subprocess  # noqa: F401 - as above
import sys
import types
from typing import Any

MISSING_MODULES = ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog")
MISSING_NAMES = {
    os: (
        "chown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getpgid", "getuid", "killpg",
        "mkfifo", "posix_fallocate", "pread", "pwrite", "register_at_fork", "setsid",
    ),
    signal: ("SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "setitimer"),
}  # fmt: skip


def _locking(flock: Any, flags: int) -> Any:
    def locking(fd: int, _mode: int, _size: int) -> None:
        try:
            flock(fd, flags)
        except BlockingIOError as error:
            raise OSError(errno.EDEADLOCK, "the byte is locked") from error

    return locking


def _importing(found: Any) -> Any:
    def import_(name: str, globals_: Any = None, *more: Any, **given: Any) -> Any:
        importer = (globals_ or {}).get("__name__", "")
        if name in MISSING_MODULES and importer.startswith("contextframe_monitoring"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return found(name, globals_, *more, **given)

    return import_


def leave_posix() -> None:
    """Take away what only POSIX has, before anything of ours is imported."""
    import fcntl

    windows: Any = types.ModuleType("msvcrt")
    windows.LK_NBLCK = 2
    windows.locking = _locking(fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    builtins.__import__ = _importing(builtins.__import__)
    sys.modules["msvcrt"] = windows
    for module, names in MISSING_NAMES.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)


if __name__ == "__main__":
    leave_posix()
    from contextframe_monitoring.__main__ import main

    main()
    sys.exit(0)
