"""A disk that is really full: a small tmpfs where we may mount one, else a bound on file sizes."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class SmallDisk:
    """A folder that takes only so many bytes, until it is given more."""

    path: Path
    mounted: bool

    def resize(self, size_bytes: int) -> None:
        """Give the disk another size."""
        if self.mounted:
            subprocess.run(
                ["mount", "-o", f"remount,size={size_bytes}", str(self.path)], check=True
            )
        else:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))


@contextlib.contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """Mount a disk of `size_bytes` at `path` (root), or bound every file of this process to it."""
    path.mkdir()
    if os.geteuid() == 0 and shutil.which("mount") and _mount(path, size_bytes):
        try:
            yield SmallDisk(path, mounted=True)
        finally:
            subprocess.run(["umount", "-l", str(path)], check=True)
        return
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    disk = SmallDisk(path, mounted=False)
    disk.resize(size_bytes)
    try:
        yield disk
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def _mount(path: Path, size_bytes: int) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(path)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
