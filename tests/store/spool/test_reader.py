"""Readers of a spool: complete, unharmed by damage, and never fooled about who lives."""

from __future__ import annotations

import os
import resource
import struct
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.store.machine import FileLock
from contextframe_monitoring.store.spool.reader import (
    glance,
    is_alive,
    quarantine,
    read_segment,
    read_spool,
    read_writer,
    remove_writer,
    segment_paths,
    writer_folders,
)
from contextframe_monitoring.store.spool.segment import END_AT, HEADER_BYTES
from contextframe_monitoring.store.spool.writer import LOCK, Spool
from tests.store.spool.stored import frames_in, frames_of, only_writer

LAW = settings(derandomize=True, deadline=None, max_examples=150)
BACKENDS = pytest.mark.parametrize("backend", ["mmap", "write"])
Backend = Literal["mmap", "write"]
RECORDS = [f"record {n}".encode() * (n % 7) for n in range(40)]
WHOLE = list(enumerate(RECORDS, 1))


@pytest.fixture(scope="module", params=["mmap", "write"])
def dead_segment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segment of 40 frames whose writer is gone without a word."""
    root = tmp_path_factory.mktemp("spool")
    spool = Spool(root, backend=request.param)
    assert all(spool.put(record) for record in RECORDS)
    assert spool._owned is not None
    spool._owned.release()
    (path,) = segment_paths(writer_folders(root)[0])
    return path


@LAW
@given(data=st.data())
def test_whatever_happens_to_a_segment_no_wrong_record_comes_out_of_it(
    dead_segment: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    hurt = bytearray(dead_segment.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(hurt), 4000) - 1))
        blow = data.draw(st.binary(min_size=1, max_size=30))
        hurt[at : at + len(blow)] = blow
    cut = data.draw(st.integers(0, len(hurt)) | st.none())
    path = tmp_path_factory.getbasetemp() / "hurt.seg"
    path.write_bytes(hurt[:cut])
    for live in (False, True):
        segment = read_segment(path, live=live)
        assert segment is not None
        frames = [(frame.seq, frame.record) for frame in segment.frames()]
        assert frames == [pair for pair in WHOLE if pair in frames]


def test_frames_can_be_asked_for_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"one")
    view = only_writer(tmp_path)
    assert frames_of(view) == frames_of(view) == [(1, b"one")]


@pytest.mark.requirement("spine:spool:unknown-version")
def test_a_newer_format_is_left_alone_and_named(dead_segment: Path, tmp_path: Path) -> None:
    block = bytearray(dead_segment.read_bytes())
    header = only_writer(dead_segment.parents[2]).header
    assert header is not None
    newer = type(header)(**{f: getattr(header, f) for f in header.__slots__} | {"version": 2})
    block[:HEADER_BYTES] = newer.pack()
    path = tmp_path / "0000000001.seg"
    path.write_bytes(block)
    segment = read_segment(path, live=False)
    assert segment is not None
    assert (segment.newer, segment.problem) == (True, "its format 2 is newer than 1")
    assert list(segment.frames()) == []


def test_a_file_below_its_size_is_named_truncated(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"one")
    spool.close()
    (path,) = only_writer(tmp_path).segments
    os.truncate(path.path, 5000)
    (cut,) = only_writer(tmp_path).segments
    assert cut.problem == "it is truncated: 5000 of 65536 bytes"
    os.truncate(path.path, HEADER_BYTES - 1)
    assert only_writer(tmp_path).segments[0].problem == "it is truncated"


def test_a_sealed_file_that_was_cut_between_two_frames_is_named_truncated(tmp_path: Path) -> None:
    spool = Spool(tmp_path, backend="write")
    spool.put(b"one")
    first = spool._at
    spool.put(b"two")
    spool.close()
    (segment,) = only_writer(tmp_path).segments
    os.truncate(segment.path, first)
    (cut,) = only_writer(tmp_path).segments
    assert (list(cut.frames())[-1].seq, cut.scan.damaged) == (1, 0)
    assert cut.problem == f"it is truncated: {first} of {spool._at} bytes"


@BACKENDS
def test_a_damaged_header_costs_no_frame(tmp_path: Path, backend: Backend) -> None:
    spool = Spool(tmp_path, backend=backend)
    spool.put(b"one")
    path = segment_paths(writer_folders(tmp_path)[0])[0]
    with path.open("r+b") as file:
        file.write(b"garbage!")
    view = only_writer(tmp_path)
    assert (view.header, frames_of(view)) == (None, [(1, b"one")])
    assert [(s.problem, s.live) for s in view.segments] == [("its header is damaged", True)]


def test_the_newest_segment_of_a_living_writer_is_live_whatever_its_header_says(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path)
    spool.put(b"one")
    path = segment_paths(writer_folders(tmp_path)[0])[0]
    with path.open("r+b") as file:
        file.seek(END_AT)
        file.write(struct.pack("<Q", 600))
    assert [segment.live for segment in only_writer(tmp_path).segments] == [True]
    spool.put(b"two")
    assert frames_of(only_writer(tmp_path)) == [(1, b"one"), (2, b"two")]


def test_a_writer_is_alive_until_its_lock_is_free(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    (folder,) = writer_folders(tmp_path)
    assert is_alive(folder)
    assert not remove_writer(folder)
    spool.put(b"one")
    spool.close()
    assert not is_alive(folder)
    assert not remove_writer(folder)  # it has a segment
    segment_paths(folder)[0].unlink()
    assert remove_writer(folder)
    assert not folder.exists()
    assert not is_alive(folder)


def test_a_writer_that_cannot_be_asked_counts_as_alive(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"one")
    spool.close()
    (folder,) = writer_folders(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (folder / LOCK).open("rb"):  # so that the next descriptor is one too many
        lowest = os.open(os.devnull, os.O_RDONLY)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            assert is_alive(folder)
            assert not remove_writer(folder)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not is_alive(folder)


def test_asking_who_lives_leaves_the_lock_free(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / LOCK)
    assert not is_alive(tmp_path)
    assert lock.acquire()
    assert is_alive(tmp_path)
    lock.release()


def test_a_glance_tells_an_idle_keeper_whether_a_full_look_is_due(tmp_path: Path) -> None:
    spool = Spool(tmp_path, label="me")
    (path,) = segment_paths(writer_folders(tmp_path)[0])
    assert glance(path, HEADER_BYTES)[1] is False
    spool.put(b"one")
    assert glance(path, HEADER_BYTES)[1] is True
    header, more = glance(path, spool._at)
    assert header is not None
    assert (header.label, header.losses, more) == ("me", (0,) * 8, False)
    assert glance(tmp_path / "gone.seg", HEADER_BYTES) == (None, True)


def test_hidden_folders_strange_files_and_missing_spools_are_no_writers(tmp_path: Path) -> None:
    assert read_spool(tmp_path / "nowhere") == []
    spool = Spool(tmp_path)
    (folder,) = writer_folders(tmp_path)
    (folder.parent / ".half-made").mkdir()
    (folder.parent / "a file").write_text("no writer")
    (folder / "²notes.seg").write_bytes(b"no segment")
    spool.put(b"one")
    view = only_writer(tmp_path)
    assert [(s.number, s.problem) for s in view.segments] == [(1, None), (0, "it is truncated")]
    assert frames_of(view) == [(1, b"one")]


def test_a_reader_starts_where_it_stopped(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"one")
    (folder,) = writer_folders(tmp_path)
    (segment,) = read_writer(folder).segments
    assert [frame.seq for frame in segment.frames()] == [1]
    spool.put(b"two")
    (later,) = read_writer(folder, {segment.path: segment.end}).segments
    assert [frame.seq for frame in later.frames()] == [2]
    assert later.end == spool._at


def test_a_segment_that_goes_while_it_is_read_is_none(tmp_path: Path) -> None:
    assert read_segment(tmp_path / "gone.seg", live=True) is None


@pytest.mark.requirement("spine:fault:damaged-segment")
def test_a_damaged_segment_is_moved_aside_under_the_name_of_its_writer(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"one")
    spool.close()
    (path,) = segment_paths(writer_folders(tmp_path)[0])
    aside = quarantine(tmp_path, path)
    assert aside == tmp_path / "quarantine" / f"{spool.writer}-0000000001.seg"
    assert (path.exists(), aside.exists(), frames_in(tmp_path)) == (False, True, [])
