"""What a reader finds of one writer: the view that the tests of the spool share."""

from __future__ import annotations

from pathlib import Path

from contextframe_monitoring.store.spool.reader import WriterView, read_spool


def only_writer(root: Path) -> WriterView:
    """Return the one writer below a spool."""
    (view,) = read_spool(root)
    return view


def frames_of(view: WriterView) -> list[tuple[int, bytes]]:
    """Return (seq, record) of every frame of a writer, in order."""
    return [(f.seq, f.record) for segment in view.segments for f in segment.frames()]


def frames_in(root: Path) -> list[tuple[str, int, bytes]]:
    """Return (writer, seq, record) of every frame of a spool."""
    return [(view.writer, *frame) for view in read_spool(root) for frame in frames_of(view)]
