"""Reading a spool that others write: who the writers are, and the frames of their segments.

Segments are read with plain reads, never mapped: a file that is cut while we look must not kill us.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from contextframe_monitoring.store.machine import FileLock
from contextframe_monitoring.store.spool.frames import HEAD_BYTES, Frame, Scan
from contextframe_monitoring.store.spool.segment import (
    FORMAT_VERSION,
    HEADER_BYTES,
    Header,
    read_header,
)
from contextframe_monitoring.store.spool.writer import LOCK, SUFFIX, WRITERS

QUARANTINE = "quarantine"


@dataclass(slots=True, kw_only=True)
class SegmentView:
    """One segment as it was when it was read.

    `problem` says what is wrong with its header; its frames speak for themselves all the same,
    unless a newer program wrote them (`newer`): then nothing of it is touched.
    """

    path: Path
    number: int
    live: bool
    header: Header | None
    data: bytes
    offset: int
    problem: str | None = None
    newer: bool = False
    scan: Scan = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the scan."""
        self.scan = self._scan()

    def _scan(self) -> Scan:
        header = self.header
        written = header.end - self.offset if header is not None and header.end else None
        grown = header is not None and header.size == 0
        return Scan(data=self.data, end=0, sealed=not self.live, written_end=written, grown=grown)

    def frames(self) -> Iterator[Frame]:
        """Yield the valid frames of the bytes from `offset` on, in order, from the first again at
        each call.
        """
        if not self.newer:
            self.scan = self._scan()
            yield from self.scan

    @property
    def end(self) -> int:
        """Position in the file up to which frames were yielded."""
        return self.offset + self.scan.end


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterView:
    """One writer's folder. `alive` is False when its lock is free: the process is gone. `problem`
    says why its segments can't be read.
    """

    writer: str
    folder: Path
    alive: bool
    segments: tuple[SegmentView, ...]
    problem: str | None = None

    @property
    def header(self) -> Header | None:
        """The newest readable header: it holds the loss counters and gauges."""
        readable = [s.header for s in self.segments if s.header is not None]
        return readable[-1] if readable else None

    @property
    def last_seq(self) -> int:
        """The highest sequence number that a header knows to be taken."""
        return max((s.header.last_seq for s in self.segments if s.header is not None), default=0)


def writer_folders(root: Path) -> list[Path]:
    """Return the folders of all writers, oldest name first; hidden ones are not finished yet."""
    try:
        with os.scandir(root / WRITERS) as entries:
            return sorted(
                Path(entry.path)
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            )
    except FileNotFoundError:
        return []


def segment_paths(folder: Path) -> list[Path]:
    """Return the segments of a writer in the order of their numbers."""
    try:
        names = [name for name in os.listdir(folder) if name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []
    return [folder / name for name in sorted(names)]


def is_alive(folder: Path) -> bool:
    """Return whether the writer of a folder still holds its lock.

    Where that can't be asked (no right, no descriptor left, no locks on this file system) it is
    alive: what a living writer still maps must never be unlinked.
    """
    lock = FileLock(folder / LOCK)
    try:
        free = lock.acquire()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    lock.release()
    return not free


def glance(path: Path, offset: int) -> tuple[Header | None, bool]:
    """Return a segment's header, and whether anything stands at `offset`: the cheap question of
    an idle keeper.
    """
    try:
        with path.open("rb", buffering=0) as file:
            header = read_header(file.read(HEADER_BYTES))
            file.seek(offset)
            return header, file.read(HEAD_BYTES).strip(b"\0") != b""
    except OSError:
        return None, True  # the full look says what is wrong


def read_segment(
    path: Path, *, live: bool, newest: bool = False, offset: int = HEADER_BYTES
) -> SegmentView | None:
    """Read a segment from `offset` on; None when it was unlinked meanwhile.

    `live` says that its writer lives. A living writer may still write to its `newest` segment,
    and to any whose header does not say where it ended.
    """
    try:
        with path.open("rb", buffering=0) as file:
            block = file.read(HEADER_BYTES)
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return None
    header = read_header(block)
    newer = header is not None and header.version > FORMAT_VERSION
    return SegmentView(
        path=path,
        number=int(path.stem) if path.stem.isdecimal() else 0,
        live=live and (newest or header is None or header.end == 0),
        header=header,
        data=data,
        offset=offset,
        problem=_problem(header, len(block), offset + len(data)),
        newer=newer,
    )


def _problem(header: Header | None, block_bytes: int, file_bytes: int) -> str | None:
    """Return what is wrong with a segment, as far as its header tells."""
    if header is None:
        return "its header is damaged" if block_bytes >= HEADER_BYTES else "it is truncated"
    if header.version > FORMAT_VERSION:
        return f"its format {header.version} is newer than {FORMAT_VERSION}"
    due = max(header.size, header.end)
    return f"it is truncated: {file_bytes} of {due} bytes" if file_bytes < due else None


def read_writer(folder: Path, offsets: dict[Path, int] | None = None) -> WriterView:
    """Read all segments of a writer, each from its known offset on.

    Liveness is asked first: a writer that dies later is read as live, which only leaves its tail
    for the next time.
    """
    alive = is_alive(folder)
    known = offsets or {}
    views: list[SegmentView | None] = []
    problem = None
    try:
        paths = segment_paths(folder)
        for path in paths:
            newest, offset = path == paths[-1], known.get(path, HEADER_BYTES)
            views.append(read_segment(path, live=alive, newest=newest, offset=offset))
    except OSError as error:
        problem = str(error)
    return WriterView(
        writer=folder.name,
        folder=folder,
        alive=alive,
        segments=tuple(view for view in views if view is not None),
        problem=problem,
    )


def read_spool(root: Path) -> list[WriterView]:
    """Read every writer of a spool: a snapshot that stays whole when segments go."""
    return [read_writer(folder) for folder in writer_folders(root)]


def quarantine_path(root: Path, path: Path) -> Path:
    """Return where a damaged segment is kept aside."""
    return root / QUARANTINE / f"{path.parent.name}-{path.name}"


def quarantined_bytes(root: Path) -> int:
    """Return how much is kept aside."""
    try:
        return sum(path.stat().st_size for path in (root / QUARANTINE).iterdir())
    except FileNotFoundError:
        return 0


def quarantine(root: Path, path: Path) -> Path:
    """Move a damaged segment aside and return its new place."""
    aside = quarantine_path(root, path)
    aside.parent.mkdir(exist_ok=True, mode=0o700)
    path.rename(aside)
    return aside


def remove_writer(folder: Path) -> bool:
    """Remove the folder of a dead writer that has no segment left; False when it came back to
    life or has some.
    """
    lock = FileLock(folder / LOCK)
    try:
        if segment_paths(folder) or not lock.acquire():
            return False
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return False
    finally:
        lock.release()
    return True
