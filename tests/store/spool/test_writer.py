"""`Spool.put`: what it acknowledged is readable, what it lost is counted."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Literal

import pytest

from contextframe_monitoring.store.spool.frames import FRAME_BYTES_MAX, SEQ
from contextframe_monitoring.store.spool.reader import segment_paths, writer_folders
from contextframe_monitoring.store.spool.segment import HEADER_BYTES, Segment
from contextframe_monitoring.store.spool.writer import SEGMENT_BYTES_MIN, Spool
from tests.small_disk import small_disk
from tests.store.spool.stored import frames_in, frames_of, only_writer

Backend = Literal["mmap", "write"]
BACKENDS = pytest.mark.parametrize("backend", ["mmap", "write"])
LARGE = bytes(40_000)


@pytest.mark.requirement("spine:record:safe-when-back", "spine:spool:back-ends")
@BACKENDS
@pytest.mark.requirement("doors:portability:fallback")
def test_a_record_is_readable_by_others_when_put_returns(tmp_path: Path, backend: Backend) -> None:
    spool = Spool(tmp_path, backend=backend, label="me")
    assert spool.put(b"one")
    view = only_writer(tmp_path)
    assert (view.writer, view.alive, frames_of(view)) == (spool.writer, True, [(1, b"one")])
    assert view.header is not None
    assert (view.header.label, view.header.pid) == ("me", os.getpid())


@pytest.mark.requirement("spine:spool:writer-folder")
@BACKENDS
def test_segments_start_small_double_to_a_bound_and_are_sealed_in_order(
    tmp_path: Path, backend: Backend
) -> None:
    spool = Spool(tmp_path, backend=backend, segment_bytes_max=256 << 10)
    assert all(spool.put(LARGE) for _ in range(30))
    view = only_writer(tmp_path)
    assert frames_of(view) == [(n, LARGE) for n in range(1, 31)]
    headers = [segment.header for segment in view.segments]
    assert [h.number for h in headers if h] == list(range(1, len(headers) + 1))
    assert [h.first_seq for h in headers if h] == [1, 2, 5, 11, 17, 23, 29]
    assert [h.last_seq for h in headers if h] == [1, 4, 10, 16, 22, 28, 28]
    assert [h.end > HEADER_BYTES for h in headers if h] == [True] * 6 + [False]
    if backend == "mmap":
        sizes = [path.stat().st_size >> 10 for path in segment_paths(view.folder)]
        assert sizes == [64, 128, 256, 256, 256, 256, 256]


@pytest.mark.requirement("001:arch:ring-buffers")
@BACKENDS
def test_a_spool_never_takes_more_than_its_bound_and_goes_on_when_it_was_drained(
    tmp_path: Path, backend: Backend
) -> None:
    bound = 1 << 20
    spool = Spool(tmp_path, backend=backend, segment_bytes_max=64 << 20, spool_bytes_max=bound)
    put = [spool.put(LARGE) for _ in range(60)]
    (folder,) = writer_folders(tmp_path)
    used = sum(path.stat().st_size for path in segment_paths(folder))
    assert bound - (256 << 10) - len(LARGE) < used <= bound
    assert spool.losses == {"spool_full": put.count(False)}
    for path in segment_paths(folder)[:-1]:
        path.unlink()
    spool._retry_ns = 0
    assert spool.put(LARGE)
    assert spool.seq == 61


@pytest.mark.requirement("spine:record:lost-takes-seq")
@BACKENDS
def test_the_largest_record_is_kept_and_a_larger_one_is_counted(
    tmp_path: Path, backend: Backend
) -> None:
    spool = Spool(tmp_path, backend=backend)
    for _ in range(3):  # so that there is room enough in the segment for the one that is too large
        assert spool.put(bytes(FRAME_BYTES_MAX - SEQ.size))
    assert not spool.put(bytes(FRAME_BYTES_MAX - SEQ.size + 1))
    assert spool.put(b"after")
    assert [seq for _, seq, _ in frames_in(tmp_path)] == [1, 2, 3, 5]
    assert spool.losses == {"too_large": 1}


@pytest.mark.requirement("spine:spool:counters-survive")
@BACKENDS
def test_losses_stand_in_the_header_at_once(tmp_path: Path, backend: Backend) -> None:
    spool = Spool(tmp_path, backend=backend)
    spool.put(b"one")
    spool.lose("invalid")
    spool.put(bytes(FRAME_BYTES_MAX))
    header = only_writer(tmp_path).header
    assert header is not None
    assert (header.losses, header.last_seq) == ((0, 0, 1, 1, 0, 0, 0, 0), 3)


@BACKENDS
def test_a_closed_spool_is_sealed_and_counts_what_comes_later(
    tmp_path: Path, backend: Backend
) -> None:
    spool = Spool(tmp_path, backend=backend)
    spool.gauge(0, 7)
    spool.put(b"one")
    spool.close()
    spool.close()
    assert not spool.put(b"two")
    spool.gauge(0, 9)
    view = only_writer(tmp_path)
    assert (view.alive, frames_of(view), spool.losses) == (False, [(1, b"one")], {"closed": 1})
    assert view.header is not None
    assert (view.header.end, view.header.last_seq, view.header.gauges) == (
        HEADER_BYTES + 24, 1, (0, 0, 0),
    )  # fmt: skip


def test_a_spool_that_recorded_nothing_leaves_nothing(tmp_path: Path) -> None:
    Spool(tmp_path).close()
    assert list((tmp_path / "writers").iterdir()) == []


@pytest.mark.filterwarnings("ignore:lance is not fork-safe")
def test_a_spool_that_was_not_closed_is_read_to_its_last_frame(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        Spool(tmp_path).put(b"one")
        os._exit(0)
    os.waitpid(pid, 0)
    view = only_writer(tmp_path)
    assert (view.alive, frames_of(view)) == (False, [(1, b"one")])


def test_a_folder_that_cannot_be_made_costs_the_records_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool = Spool(tmp_path / "file")
    assert [spool.put(b"one"), spool.put(b"two")] == [False, False]
    assert spool.losses == {"unavailable": 2}
    assert spool.last_error is not None
    spool.close()


def test_a_half_made_folder_is_used_by_the_next_attempt(tmp_path: Path) -> None:
    (tmp_path / "writers").write_text("in the way")
    spool = Spool(tmp_path)
    (tmp_path / "writers").unlink()
    (tmp_path / "writers" / f".{spool.writer}").mkdir(parents=True)
    spool._retry_ns = 0
    assert spool.put(b"one")
    assert frames_in(tmp_path) == [(spool.writer, 1, b"one")]


def test_a_folder_that_was_deleted_is_made_again_with_the_next_segment(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"one")
    shutil.rmtree(tmp_path)
    kept = [spool.put(LARGE) for _ in range(4)]
    assert kept == [True] * 4
    view = only_writer(tmp_path)
    assert (view.alive, [seq for seq, _ in frames_of(view)]) == (True, [3, 4, 5])


@pytest.mark.requirement("spine:fault:spool-full")
@BACKENDS
def test_a_full_disk_costs_records_but_neither_a_signal_nor_an_error(
    tmp_path: Path, backend: Backend
) -> None:
    with small_disk(tmp_path / "disk", 300 << 10) as disk:
        spool = Spool(disk.path, backend=backend)
        put = [spool.put(LARGE) for _ in range(20)]
        assert put[0]
        assert not put[-1]
        assert spool.losses == {"disk_full": put.count(False)}
        kept = [n for n, stored in enumerate(put, 1) if stored]
        assert [seq for _, seq, _ in frames_in(disk.path)] == kept
        disk.resize(8 << 20)
        spool._retry_ns = 0
        assert spool.put(LARGE)
        assert [seq for _, seq, _ in frames_in(disk.path)] == [*kept, 21]
        spool.close()


def test_a_disk_that_is_full_from_the_start_is_counted_until_it_has_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 40 << 10) as disk:
        spool = Spool(disk.path)
        assert not spool.put(b"one")
        disk.resize(1 << 20)
        spool._retry_ns = 0
        assert spool.put(b"two")
        assert frames_in(disk.path) == [(spool.writer, 2, b"two")]
        header = only_writer(disk.path).header
        assert header is not None
        assert header.losses[0] == 1
        spool.close()


class Refusing:
    """A segment whose disk refuses every write, as a stale network mount does."""

    def append(self, at: int, crc: int, payload: bytes) -> None:
        raise OSError(5, "Input/output error")

    def holds(self, at: int, crc: int, payload: bytes) -> bool:
        raise OSError(5, "Input/output error")

    def set(self, at: int, value: int) -> None:
        raise OSError(5, "Input/output error")

    def close(self) -> None:
        """Nothing to let go of."""


def test_a_disk_that_refuses_even_the_counters_never_reaches_the_caller(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    segment: Segment = Refusing()
    spool._segment = segment
    assert not spool.put(b"one")
    spool.gauge(0, 3)
    spool.lose("invalid")
    assert spool.losses == {"unavailable": 1, "invalid": 1}
    assert spool.last_error == "[Errno 5] Input/output error"
    spool.close()


def test_new_segments_are_told_after_their_first_frame_and_outside_the_lock(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def rotated(undrained_bytes: int) -> None:
        other = threading.Thread(target=lambda: spool.put(b"from another thread"))
        other.start()
        other.join()
        told.append((undrained_bytes, spool.seq))

    spool = Spool(tmp_path, rotated=rotated)
    for _ in range(4):
        spool.put(LARGE)
    assert told == [(SEGMENT_BYTES_MIN, 3)]
    assert len(frames_in(tmp_path)) == spool.seq == 5


@pytest.mark.requirement("spine:record:writer-seq")
@BACKENDS
def test_many_threads_share_one_writer_without_a_gap(tmp_path: Path, backend: Backend) -> None:
    spool = Spool(tmp_path, backend=backend)
    start = threading.Barrier(8)

    def work(name: int) -> None:
        start.wait()
        for n in range(400):
            assert spool.put(f"{name}-{n}".encode())

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = frames_in(tmp_path)
    assert [seq for _, seq, _ in found] == list(range(1, 3201))
    assert {record for *_, record in found} == {
        f"{name}-{n}".encode() for name in range(8) for n in range(400)
    }
