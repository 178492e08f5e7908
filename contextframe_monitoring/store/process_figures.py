"""What this process uses of the machine, read from the operating system when it is asked for.

Linux tells it in /proc. Elsewhere psutil does where it is installed (the extra `resources`);
without it CPU time and threads of Python are what is known. A reading costs some 0.1 ms on Linux.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contextframe_monitoring.store.machine import PLATFORM

_PROC = Path("/proc/self")
_OPEN_FILES_MAX = 100_000
"""Descriptors that are counted at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFigures:
    """One reading; None is unknown."""

    cpu_seconds: float
    """User and system time of all threads since the process started."""
    memory_bytes: int | None = None
    """Physical memory in use."""
    virtual_bytes: int | None = None
    """Address space in use."""
    threads: int | None = None
    open_files: int | None = None
    """File descriptors; handles on Windows."""


def process_figures() -> ProcessFigures:
    """Return what this process uses now. Never raises."""
    cpu = time.process_time()
    if PLATFORM == "linux":
        found = _from_proc(cpu)
        if found is not None:
            return found
    return _from_psutil(cpu) or ProcessFigures(cpu_seconds=cpu, threads=threading.active_count())


def cpus_available() -> int:
    """Return the processors that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1


def _from_proc(cpu: float) -> ProcessFigures | None:
    try:
        pages = (_PROC / "statm").read_text().split()
        stat = (_PROC / "stat").read_text().rpartition(")")[2].split()  # the name may hold blanks
        page_bytes = os.sysconf("SC_PAGE_SIZE")
        return ProcessFigures(
            cpu_seconds=cpu,
            memory_bytes=int(pages[1]) * page_bytes,
            virtual_bytes=int(pages[0]) * page_bytes,
            threads=int(stat[17]),
            open_files=_open_files(),
        )
    except (OSError, ValueError, IndexError):
        return None  # no /proc in this container


def _open_files() -> int | None:
    try:
        with os.scandir(_PROC / "fd") as entries:
            number = sum(1 for _, _ in zip(entries, range(_OPEN_FILES_MAX), strict=False))
    except OSError:
        return None
    return max(number - 1, 0)  # one is this listing's own


def _from_psutil(cpu: float) -> ProcessFigures | None:
    try:
        import psutil
    except ImportError:
        return None
    process: Any = psutil.Process()
    try:
        with process.oneshot():
            memory = process.memory_info()
            count = process.num_handles if hasattr(process, "num_handles") else process.num_fds
            return ProcessFigures(
                cpu_seconds=cpu,
                memory_bytes=memory.rss,
                virtual_bytes=memory.vms,
                threads=process.num_threads(),
                open_files=count(),
            )
    except (psutil.Error, OSError):
        return None
