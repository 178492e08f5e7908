"""One drain: the frames of all writers become one batch in the tables, exactly once, whatever is
killed in between.

The steps, by the names that `checkpoint` is called with: `collected` -> the ledger opens batch n
(`ledger`) -> rows with `batch = n` are appended to each table that does not hold n
(`append:<table>`) -> files and folders are synced (`sync`) -> the ledger closes n (`done`) ->
what is wholly drained is unlinked (`unlink`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow as pa

from contextframe_monitoring.core.clock import Clock
from contextframe_monitoring.core.grouping import DEFAULT_GROUPING, Grouping
from contextframe_monitoring.store.cardinality import Bound
from contextframe_monitoring.store.ledger import Ledger, Slice, WriterState
from contextframe_monitoring.store.rollup import rollup_rows
from contextframe_monitoring.store.rows import Stored, decode, rows
from contextframe_monitoring.store.sampling import ALL_ROWS, Sampling, sampled
from contextframe_monitoring.store.schemas import PERFORMANCE, RAW_TABLES, ROLLUP_1M, TABLES
from contextframe_monitoring.store.spool.reader import (
    SegmentView,
    glance,
    is_alive,
    quarantine,
    quarantine_path,
    quarantined_bytes,
    read_segment,
    remove_writer,
    segment_paths,
    writer_folders,
)
from contextframe_monitoring.store.spool.segment import HEADER_BYTES, LOSS_REASONS, Header
from contextframe_monitoring.store.spool.writer import WRITERS
from contextframe_monitoring.store.tables import Tables

FRAMES_PER_BATCH_MAX = 100_000
QUARANTINE_BYTES_MAX = 64 << 20
"""Damaged segments are kept up to this; all that could be read of them is in the tables."""
_SEQ_MAX = 2**63 - 1
_NO_LOSSES = (0,) * len(LOSS_REASONS)


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
    def name(self) -> str:
        """The writer's id."""
        return self.folder.name

    @property
    def state(self) -> WriterState:
        """The writer as the ledger keeps it."""
        header = self.header
        if header is None:
            return WriterState(writer=self.name)
        return WriterState(
            writer=self.name, label=header.label, pid=header.pid, created_us=header.created_us
        )

    @property
    def slice(self) -> Slice:
        """The frames as the ledger names them."""
        return Slice(
            writer=self.name,
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
        grouping: Grouping = DEFAULT_GROUPING,
        sampling: Sampling = ALL_ROWS,
    ) -> None:
        """`root` is the spool's folder; `checkpoint` is called with the name of each step."""
        self._grouping, self._sampling = grouping, sampling
        self._root, self._tables, self._ledger, self._clock = root, tables, ledger, clock
        self._checkpoint = checkpoint
        self._offsets: dict[Path, int] = {}
        self._suspects: dict[Path, str] = {}
        self._losses: dict[str, tuple[int, ...]] = {}
        self._unfinished = True
        self.unreadable: dict[str, str] = {}
        """Writers whose folder can't be read, and why: their frames stay where they are."""

    def resume(self) -> int:
        """Finish the batch that a crash or an error left open; return the number of its frames."""
        self._adopt()
        found = self._ledger.unfinished()
        stored: list[Stored] = []
        if found is not None:
            batch, slices = found
            stored = [item for part in slices for item in self._again(part)]
            self._store(batch, slices, stored, again=True)
        self._unfinished = False
        return len(stored)

    def _adopt(self) -> None:
        """Go on behind what the tables hold when the ledger was lost or is an older copy: a
        number that is used twice would hide new rows behind old ones.
        """
        last = self._ledger.last_batch()
        held = max(self._tables.batch_max(name, last) for name in TABLES)
        if not held:
            return
        waiting = {folder.name for folder in writer_folders(self._root)}
        drained: dict[str, int] = {}
        for name in RAW_TABLES:
            for writer, seq in self._tables.last_seqs(name).items():
                if writer in waiting:
                    drained[writer] = max(seq, drained.get(writer, 0))
        self._ledger.adopt(held, drained, self._clock.now_us())

    def run(self) -> int:
        """Drain what stands in the spool now, about `FRAMES_PER_BATCH_MAX` frames; return their
        number.
        """
        if self._unfinished:
            self.resume()
        seen = self._look()
        self._meet(seen)
        slices = [writer.slice for writer in seen if writer.stored]
        stored = [item for writer in seen for item in writer.stored]
        if stored:
            self._checkpoint("collected")
            self._unfinished = True  # until it is closed, whatever is raised before
            batch = self._ledger.open_batch(slices, self._clock.now_us())
            self._checkpoint("ledger")
            self._store(batch, slices, stored)
            self._unfinished = False
        self._clear(seen)
        return len(stored)

    def _store(
        self, batch: int, slices: list[Slice], stored: list[Stored], *, again: bool = False
    ) -> None:
        tables: dict[str, pa.Table] = rows(stored, batch)
        bound = Bound(self._grouping.groups_max)
        tables[ROLLUP_1M] = rollup_rows(tables, batch, self._grouping.attributes, bound)
        dropped: dict[str, int] = {}
        if PERFORMANCE in tables:
            tables[PERFORMANCE], dropped = sampled(tables[PERFORMANCE], self._sampling)
        for name in TABLES:
            table = tables.get(name)
            if table is None or table.num_rows == 0:
                continue
            if not (again and self._tables.holds_batch(name, batch)):
                self._tables.append(name, table)
            self._checkpoint(f"append:{name}")
        for name, table in tables.items():
            if table.num_rows:
                self._tables.sync(name)
        self._checkpoint("sync")
        now_us = self._clock.now_us()
        self._ledger.close_batch(batch, slices, now_us, bound.others, dropped)
        self._checkpoint("done")

    def _again(self, part: Slice) -> list[Stored]:
        """Return the frames of a slice that the ledger names."""
        folder = self._root / WRITERS / part.writer
        alive = is_alive(folder)
        segments = (read_segment(path, live=alive) for path in segment_paths(folder))
        return [
            item
            for segment in segments
            if segment is not None
            for item in self._decoded(segment, part.first_seq, part.last_seq)
        ]

    # what stands in the spool

    def _look(self) -> list[_Seen]:
        self.unreadable = {}
        folders = [folder for folder in writer_folders(self._root) if not self._is_quiet(folder)]
        if not folders:
            return []
        _, drained = self._ledger.position([folder.name for folder in folders])
        seen: list[_Seen] = []
        room = FRAMES_PER_BATCH_MAX
        for folder in folders:
            try:
                writer = self._look_at(folder, drained.get(folder.name, 0), room)
            except OSError as error:
                self.unreadable[folder.name] = str(error)
                continue
            seen.append(writer)
            room -= len(writer.stored)
            if room <= 0:
                break
        return seen

    def _is_quiet(self, folder: Path) -> bool:
        """Whether a living writer has put and lost nothing since the last look: the usual case of
        an idle keeper.
        """
        try:
            paths = segment_paths(folder)
        except OSError:
            return False  # the full look says what is wrong
        if len(paths) != 1 or paths[0] not in self._offsets:
            return False
        header, more = glance(paths[0], self._offsets[paths[0]])
        losses = None if header is None else header.losses
        return not more and losses == self._losses.get(folder.name) and is_alive(folder)

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
        return seen

    def _take(self, segment: SegmentView, drained_seq: int, seen: _Seen) -> None:
        seen.stored += self._decoded(segment, drained_seq + 1, _SEQ_MAX)
        if segment.scan.damaged:
            self._suspects[segment.path] = f"{segment.scan.damaged} damaged place(s)"
        if segment.problem is not None and not segment.live:
            self._suspects[segment.path] = segment.problem
        if segment.header is not None:
            seen.header = segment.header
            seen.last_seq = max(seen.last_seq, segment.header.last_seq)
        seen.consumed.append(segment)

    def _decoded(self, segment: SegmentView, first_seq: int, last_seq: int) -> list[Stored]:
        """Return the records of a segment with these numbers."""
        writer, found = segment.path.parent.name, []
        for frame in segment.frames():
            if first_seq <= frame.seq <= last_seq:
                try:
                    found.append(Stored(writer, frame.seq, decode(frame.record)))
                except msgspec.MsgspecError as error:
                    self._suspects[segment.path] = f"frame {frame.seq} is no record ({error})"
        return found

    def _meet(self, seen: list[_Seen]) -> None:
        """Enter new writers and new losses into the ledger."""
        new = [writer for writer in seen if writer.name not in self._losses and writer.consumed]
        if new:
            self._ledger.meet([writer.state for writer in new])
        lost: dict[str, dict[str, int]] = {}
        for writer in seen:
            losses = writer.header.losses if writer.header is not None else _NO_LOSSES
            if losses != self._losses.get(writer.name, _NO_LOSSES):
                counts = zip(LOSS_REASONS, losses, strict=True)
                lost[writer.name] = {reason: count for reason, count in counts if count}
            if writer.consumed:
                self._losses[writer.name] = losses
        if lost:
            self._ledger.note_losses(lost)

    # what is no longer needed there

    def _clear(self, seen: list[_Seen]) -> None:
        """Unlink what is wholly drained, move aside what is damaged, part with the dead."""
        ended: dict[str, int] = {}
        for writer in seen:
            self._checkpoint("unlink")
            try:
                kept = self._clear_segments(writer)
            except OSError as error:
                self.unreadable[writer.name] = str(error)
                continue
            if not kept and not writer.alive:
                ended[writer.name] = writer.last_seq
        if ended:
            self._ledger.part_with(ended)
        for name in ended:
            remove_writer(self._root / WRITERS / name)
            self._losses.pop(name, None)

    def _clear_segments(self, seen: _Seen) -> bool:
        """Return whether any segment is still needed."""
        kept = seen.rest
        for segment in seen.consumed:
            if segment.live:
                self._offsets[segment.path] = segment.end
                kept = True
                continue
            self._offsets.pop(segment.path, None)
            problem = self._suspects.get(segment.path)
            if problem is not None:
                self._set_aside(segment.path, problem)
                del self._suspects[segment.path]
            else:
                segment.path.unlink(missing_ok=True)
        return kept

    def _set_aside(self, path: Path, problem: str) -> None:
        """Move a segment into quarantine, or drop it where that is full; the note comes first, so
        that none lies there or goes unnamed.
        """
        kept = quarantined_bytes(self._root) + path.stat().st_size <= QUARANTINE_BYTES_MAX
        note = problem[:500] if kept else f"{problem[:400]}; not kept: the quarantine is full"
        name = quarantine_path(self._root, path).name
        self._ledger.note_quarantine(name, path.parent.name, note, self._clock.now_us())
        if kept:
            quarantine(self._root, path)
        else:
            path.unlink()
