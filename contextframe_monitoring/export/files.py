"""Files that appear whole or not at all: written under another name, synced, renamed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from contextframe_monitoring.core.errors import (
    ErrorCode,
    InvalidError,
    LimitedError,
    MonitoringError,
    shown,
)
from contextframe_monitoring.store.machine import sync_path

_PARTIAL = ".contextframe-export-"
_PARTIAL_SECONDS_MAX = 86_400
"""A partial file of this age belongs to an export that was killed."""
_BUFFER_BYTES = 1 << 20


class ExportError(MonitoringError):
    """The place of an export refuses: it is full, read-only or gone. Nothing is left there."""

    code: ErrorCode = "unavailable"

    def __init__(self, place: str, error: OSError) -> None:
        """`error` is what the system said."""
        reason = error.strerror or type(error).__name__
        super().__init__(
            f"export to {shown(place)} failed: {reason}; nothing was left there: "
            "free space, narrow the window or choose another place"
        )
        self.reason = reason


class Sink(io.RawIOBase):
    """Where the bytes of an export go: counted, hashed, bounded, and deaf once it has failed.

    Writers of file formats write their last words when they are thrown away; an abandoned sink
    swallows them.
    """

    def __init__(self, target: IO[bytes], place: str, bytes_max: int | None = None) -> None:
        """`place` names the target in errors; `bytes_max` None means no bound."""
        super().__init__()
        self._target, self._place, self._bytes_max = target, place, bytes_max
        self._digest = hashlib.sha256()
        self._abandoned = False
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """The hash of what was written so far, in hex."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self.size_bytes

    def write(self, data: Any) -> int:
        """Write all of `data`. Raises `LimitedError` or `ExportError`."""
        view = memoryview(data).cast("B")
        if self._abandoned:
            return view.nbytes
        size = self.size_bytes + view.nbytes
        if self._bytes_max is not None and size > self._bytes_max:
            raise LimitedError(
                "size of the export in bytes",
                f"{size} or more",
                self._bytes_max,
                "narrow the window, choose another subject, or write a file where more is allowed",
            )
        with _refusals(self._place):
            self._target.write(view)
        self._digest.update(view)
        self.size_bytes = size
        return view.nbytes

    def abandon(self) -> None:
        """Swallow whatever comes from now on."""
        self._abandoned = True


@contextlib.contextmanager
def opened(target: IO[bytes], place: str, bytes_max: int | None = None) -> Iterator[Sink]:
    """Give a sink into something that is open already."""
    sink = Sink(target, place, bytes_max)
    try:
        yield sink
        with _refusals(place):
            target.flush()
    finally:
        sink.abandon()


@contextlib.contextmanager
def replaced(*paths: Path, bytes_max: int | None = None) -> Iterator[tuple[Sink, ...]]:
    """Give a sink for each path; when the block ends well, all files appear, else none.

    What stood under the names stays until then; the first path appears last. All paths lie in one
    folder. Raises `ExportError`.
    """
    for path in paths:
        if not path.parent.is_dir() or (path.exists() and not path.is_file()):
            raise InvalidError("output", str(path), "expected a file in a folder that exists")
    folder, place = paths[0].parent, str(paths[0])
    _clear(folder)
    partials = [folder / f"{_PARTIAL}{os.getpid()}-{secrets.token_hex(8)}.part" for _ in paths]
    files: list[IO[bytes]] = []
    sinks: list[Sink] = []
    try:
        with _refusals(place):
            for partial in partials:
                files.append(_create(partial))
                sinks.append(Sink(files[-1], place, bytes_max))
        yield tuple(sinks)
        with _refusals(place):
            for file in files:
                file.flush()
                os.fsync(file.fileno())
                file.close()
            for partial, path in reversed(list(zip(partials, paths, strict=True))):
                partial.replace(path)
            sync_path(folder)
    finally:
        for sink in sinks:
            sink.abandon()
        _drop(files, partials)


@contextlib.contextmanager
def _refusals(place: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(place, error) from error


def _create(path: Path) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    fd = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
    return os.fdopen(fd, "wb", buffering=_BUFFER_BYTES)


def _drop(files: list[IO[bytes]], partials: list[Path]) -> None:
    for file in files:
        with contextlib.suppress(OSError):  # closing flushes, and the disk may be full
            file.close()
    for partial in partials:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _clear(folder: Path) -> None:
    """Remove what killed exports left behind: nothing else ever has such a name."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{_PARTIAL}*.part"):
            if time.time() - path.stat().st_mtime > _PARTIAL_SECONDS_MAX:
                path.unlink(missing_ok=True)
