"""One drain: the frames of all writers become one batch in the tables, exactly once, whatever is
killed in between.

The steps, by the names that `checkpoint` is called with: `collected` -> the ledger opens batch n
(`ledger`) -> rows with `batch = n` are appended to each table that does not hold n
(`append:<table>`) -> files and folders are synced (`sync`) -> the ledger closes n (`done`) ->
what is wholly drained is unlinked (`unlink`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow as pa

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.store.ledger import Ledger, Slice, WriterState
from contextframe_monitoring.store.rollup import rollup_rows
from contextframe_monitoring.store.rows import Stored, decode, rows
from contextframe_monitoring.store.schemas import ROLLUP_1M, TABLES
from contextframe_monitoring.store.spool.frames import Frame
from contextframe_monitoring.store.spool.reader import (
    SegmentView,
    has_frame_at,
    is_alive,
    quarantine,
    read_segment,
    remove_writer,
    segment_paths,
    writer_folders,
)
from contextframe_monitoring.store.spool.segment import HEADER_BYTES, LOSS_REASONS, Header
from contextframe_monitoring.store.spool.writer import WRITERS
from contextframe_monitoring.store.tables import Tables

FRAMES_PER_BATCH_MAX = 100_000


def no_checkpoint(_step: str) -> None:
    """Go on: only fault tests stop here."""


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What one look at one writer found."""

    folder: Path
    alive: bool
    header: Header | None = None
    stored: list[Stored] = field(default_factory=list)
    consumed: list[SegmentView] = field(default_factory=list)
    last_seq: int = 0
    rest: bool = False

    @property
    def slice(self) -> Slice:
        """The frames as the ledger names them."""
        return Slice(
            writer=self.folder.name,
            first_seq=self.stored[0].seq,
            last_seq=self.stored[-1].seq,
            frames=len(self.stored),
        )


class Drain:
    """Carries frames from one spool into one store. Only the holder of the keeper's lock may use
    it.
    """

    def __init__(
        self,
        root: Path,
        tables: Tables,
        ledger: Ledger,
        clock: Clock,
        checkpoint: Callable[[str], None] = no_checkpoint,
    ) -> None:
        """`root` is the spool's folder; `checkpoint` is called with the name of each step."""
        self._root, self._tables, self._ledger, self._clock = root, tables, ledger, clock
        self._checkpoint = checkpoint
        self._offsets: dict[Path, int] = {}
        self._suspects: dict[Path, str] = {}
        self._losses: dict[str, tuple[int, ...]] = {}

    def resume(self) -> int:
        """Finish the batch that a crash left open; return the number of its frames."""
        found = self._ledger.unfinished()
        if found is None:
            return 0
        batch, slices = found
        stored = [item for part in slices for item in self._again(part)]
        self._store(batch, slices, stored)
        return len(stored)

    def run(self) -> int:
        """Drain what stands in the spool now, about `FRAMES_PER_BATCH_MAX` frames; return their
        number.
        """
        _, drained = self._ledger.position()
        seen = self._look(drained)
        stored = [item for writer in seen for item in writer.stored]
        if stored:
            slices = [writer.slice for writer in seen if writer.stored]
            self._checkpoint("collected")
            batch = self._ledger.open_batch(slices, self._clock.now_us())
            self._checkpoint("ledger")
            self._store(batch, slices, stored)
        for writer in seen:
            self._clear(writer)
        return len(stored)

    def _store(self, batch: int, slices: list[Slice], stored: list[Stored]) -> None:
        tables: dict[str, pa.Table] = rows(stored, batch)
        tables[ROLLUP_1M] = rollup_rows(tables, batch)
        for name in TABLES:
            table = tables.get(name)
            if table is None or table.num_rows == 0:
                continue
            if not self._tables.holds_batch(name, batch):
                self._tables.append(name, table)
            self._checkpoint(f"append:{name}")
        for name, table in tables.items():
            if table.num_rows:
                self._tables.sync(name)
        self._checkpoint("sync")
        self._ledger.close_batch(batch, slices, self._clock.now_us())
        self._checkpoint("done")

    def _again(self, part: Slice) -> Iterator[Stored]:
        """Yield the frames of a slice that the ledger names."""
        folder = self._root / WRITERS / part.writer
        alive = is_alive(folder)
        for path in segment_paths(folder):
            segment = read_segment(path, live=alive)
            for frame in segment.frames() if segment else ():
                if part.first_seq <= frame.seq <= part.last_seq:
                    item = self._decoded(path, frame)
                    if item is not None:
                        yield item

    # what stands in the spool

    def _look(self, drained: dict[str, int]) -> list[_Seen]:
        seen: list[_Seen] = []
        room = FRAMES_PER_BATCH_MAX
        for folder in writer_folders(self._root):
            if self._is_quiet(folder):
                continue
            writer = self._look_at(folder, drained.get(folder.name, 0), room)
            seen.append(writer)
            room -= len(writer.stored)
            if room <= 0:
                break
        return seen

    def _is_quiet(self, folder: Path) -> bool:
        """Whether a living writer has put nothing since the last look: the usual case of an idle
        keeper.
        """
        paths = segment_paths(folder)
        if len(paths) != 1 or paths[0] not in self._offsets:
            return False
        return not has_frame_at(paths[0], self._offsets[paths[0]]) and is_alive(folder)

    def _look_at(self, folder: Path, drained_seq: int, room: int) -> _Seen:
        seen = _Seen(folder=folder, alive=is_alive(folder))
        paths = segment_paths(folder)
        for path in paths:
            segment = read_segment(
                path,
                live=seen.alive,
                newest=path == paths[-1],
                offset=self._offsets.get(path, HEADER_BYTES),
            )
            if segment is None:
                continue
            if segment.newer or len(seen.stored) >= room:
                seen.rest = True  # it stays in place, and so does all that follows it
                break
            self._take(segment, drained_seq, seen)
        self._meet(seen)
        return seen

    def _take(self, segment: SegmentView, drained_seq: int, seen: _Seen) -> None:
        for frame in segment.frames():
            if frame.seq > drained_seq:
                item = self._decoded(segment.path, frame)
                if item is not None:
                    seen.stored.append(item)
        if segment.scan.damaged:
            self._suspects[segment.path] = f"{segment.scan.damaged} damaged place(s)"
        if segment.problem is not None and not segment.live:
            self._suspects[segment.path] = segment.problem
        if segment.header is not None:
            seen.header = segment.header
            seen.last_seq = max(seen.last_seq, segment.header.last_seq)
        seen.consumed.append(segment)

    def _decoded(self, path: Path, frame: Frame) -> Stored | None:
        try:
            return Stored(path.parent.name, frame.seq, decode(frame.record))
        except msgspec.MsgspecError as error:
            self._suspects[path] = f"frame {frame.seq} is no record ({error})"
            return None

    def _meet(self, seen: _Seen) -> None:
        header, writer = seen.header, seen.folder.name
        if header is None:
            return
        if writer not in self._losses:
            self._ledger.meet(
                WriterState(
                    writer=writer,
                    drained_seq=0,
                    label=header.label,
                    pid=header.pid,
                    created_us=header.created_us,
                    ended=False,
                )
            )
        if header.losses != self._losses.get(writer, (0,) * len(LOSS_REASONS)):
            counts = dict(zip(LOSS_REASONS, header.losses, strict=True))
            self._ledger.note_losses(writer, {r: n for r, n in counts.items() if n})
        self._losses[writer] = header.losses

    # what is no longer needed there

    def _clear(self, seen: _Seen) -> None:
        """Unlink what is wholly drained, move aside what is damaged, part with the dead."""
        self._checkpoint("unlink")
        kept = seen.rest
        for segment in seen.consumed:
            if segment.live:
                self._offsets[segment.path] = segment.end
                kept = True
                continue
            self._offsets.pop(segment.path, None)
            problem = self._suspects.pop(segment.path, None)
            if problem is not None:
                self._set_aside(segment.path, problem)
            else:
                segment.path.unlink(missing_ok=True)
        if not kept and not seen.alive and remove_writer(seen.folder):
            self._ledger.part_with(seen.folder.name, seen.last_seq)
            self._losses.pop(seen.folder.name, None)

    def _set_aside(self, path: Path, problem: str) -> None:
        target = quarantine(self._root, path)
        self._ledger.note_quarantine(
            target.name, path.parent.name, problem[:500], self._clock.now_us()
        )
