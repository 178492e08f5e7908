"""What stands in a spool, decoded: the view that tests of the write path have."""

from __future__ import annotations

from pathlib import Path

from contextframe_monitoring.core.records import Record
from contextframe_monitoring.store.rows import decode
from contextframe_monitoring.store.spool.reader import read_spool


def recorded(root: Path) -> list[Record]:
    """Return every record below the spool `root`, writer by writer, in order."""
    return [
        decode(frame.record)
        for writer in read_spool(root)
        for segment in writer.segments
        for frame in segment.frames()
    ]
