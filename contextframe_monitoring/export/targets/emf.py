"""Lines in CloudWatch's embedded metric format, appended to a file that a log agent reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import cast

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.target_settings import EmfTarget
from contextframe_monitoring.export.emf import lines
from contextframe_monitoring.export.targets.exporter import Delivered, Setting, TargetError
from contextframe_monitoring.export.targets.step import Step


class EmfExporter:
    """Appends what a step added up to, in one write, and syncs it."""

    def __init__(self, setting: Setting) -> None:
        """Nothing is opened yet."""
        self._target = cast("EmfTarget", setting.target)
        self._path = Path(self._target.path).expanduser()
        self._namespace = self._target.namespace or setting.config.cloudwatch_namespace
        self._key = f"targets.{setting.name}.path"

    def export(self, step: Step) -> Delivered:
        """Append the lines of a step. Raises `TargetError` where the file can't be written."""
        found = list(lines([*step.deltas(), *step.monitor()], self._namespace, step.end_us))
        try:
            self._append(b"".join(found))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise TargetError(f"file {self._path.name}", reason) from None
        return Delivered(sent=len(found))

    def _append(self, data: bytes) -> None:
        """Append everything or nothing."""
        self._rotate(len(data))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        fd = os.open(self._path, flags | getattr(os, "O_CLOEXEC", 0), 0o640)
        try:
            before = os.fstat(fd)
            if not stat.S_ISREG(before.st_mode):
                allowed = "expected a regular file: `export all --format emf` writes to a pipe"
                raise InvalidError(self._key, str(self._path), allowed)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                os.fsync(fd)
            except OSError:
                os.ftruncate(fd, before.st_size)
                raise
        finally:
            os.close(fd)

    def _rotate(self, more: int) -> None:
        """Move a file that would grow too large out of the way, over the one before it."""
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return
        full = found.st_size + more > self._target.size_bytes_max
        if found.st_size and full and stat.S_ISREG(found.st_mode):
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))

    def close(self) -> None:
        """Nothing is held open."""
