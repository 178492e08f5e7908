"""Blotting out: a drained frame loses its record, and nothing else changes for any reader."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from contextframe_monitoring.store.spool.blotting import blot
from contextframe_monitoring.store.spool.reader import read_spool
from contextframe_monitoring.store.spool.writer import Spool


def frames(root: Path) -> list[tuple[int, bytes]]:
    return [
        (frame.seq, bytes(frame.record))
        for writer in read_spool(root)
        for segment in writer.segments
        for frame in segment.frames()
    ]


@pytest.mark.parametrize("backend", ["mmap", "write"])
def test_a_living_segment_keeps_its_shape_and_its_writer_goes_on(
    tmp_path: Path, backend: Literal["mmap", "write"]
) -> None:
    spool = Spool(tmp_path, backend=backend)
    for record in (b"one", b"two two", b"three", b"two 4"):
        spool.put(record)
    (segment,) = read_spool(tmp_path)[0].segments
    assert blot(segment, 3, lambda data: bytes(data).startswith(b"two")) == 1
    spool.put(b"five")
    assert frames(tmp_path) == [
        (1, b"one"),
        (2, bytes(7)),
        (3, b"three"),
        (4, b"two 4"),
        (5, b"five"),
    ]
    (again,) = read_spool(tmp_path)[0].segments
    assert blot(again, 3, lambda _: True) == 2
    assert not again.scan.damaged
    spool.close()
    assert [seq for seq, _ in frames(tmp_path)] == [1, 2, 3, 4, 5]
    assert not read_spool(tmp_path)[0].segments[0].scan.damaged


def test_a_segment_that_is_gone_is_blotted_out_already(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"one")
    (segment,) = read_spool(tmp_path)[0].segments
    segment.path.unlink()
    assert blot(segment, 1, lambda _: True) == 0
    spool.close()
