"""Log files: shared by processes, set aside by size and day, expired, no trouble to the caller."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.logs.log_file import LogFile, files_of
from tests.clocks import ManualClock
from tests.small_disk import small_disk


def log_file(path: Path, clock: ManualClock, **more: object) -> LogFile:
    settings = {"rotate_bytes": 100, "keep_days": 14, "keep_files_max": 100, "compress": False}
    return LogFile(str(path), clock, **{**settings, **more})  # type: ignore[arg-type]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def written(path: Path) -> list[bytes]:
    found = []
    for file in files_of(path):
        opener = gzip.open if file.suffix == ".gz" else open
        with opener(file, "rb") as lines:
            found += lines.read().splitlines()
    return found


@pytest.mark.requirement("004:log:retention")
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.requirement("export:logs:rotation")
def test_a_file_that_has_grown_is_set_aside_and_no_line_is_lost(
    path: Path, clock: ManualClock, compress: bool
) -> None:
    file = log_file(path, clock, compress=compress)
    for number in range(100):
        file.write(b"%03d\n" % number)
        clock.pass_ms(5000)
    assert written(path) == [b"%03d" % number for number in range(100)]
    packed = [name.suffix == ".gz" for name in files_of(path)]
    assert packed == [compress, compress, False, False]
    assert (path.stat().st_mode & 0o777, file.lost) == (0o600, 0)


def test_a_file_of_an_earlier_day_is_set_aside(path: Path, clock: ManualClock) -> None:
    file = log_file(path, clock)
    os.utime(path.parent)
    file.write(b"a\n")
    clock.pass_days(400)
    file.write(b"b\n")
    assert [name.read_bytes() for name in files_of(path)] == [b"a\n", b"b\n"]


@pytest.mark.requirement("004:log:retention")
@pytest.mark.requirement("export:logs:rotation")
def test_files_expire_after_their_days_and_beyond_their_number(
    path: Path, clock: ManualClock
) -> None:
    file = log_file(path, clock, keep_days=3, keep_files_max=2)
    for number in range(9):
        file.write(b"%d\n" % number)
        clock.pass_days(1)
    assert written(path) == [b"6", b"7", b"8"]
    for _ in range(5):
        clock.pass_days(1)
        file.write(b"9\n")
    assert written(path) == [b"9", b"9", b"9"]


def test_a_clock_that_jumps_expires_nothing(path: Path, clock: ManualClock) -> None:
    file = log_file(path, clock, keep_days=3)
    for number in range(3):
        file.write(b"%d\n" % number)
        clock.pass_days(1)
    clock.us += 4000 * 86_400_000_000
    file.write(b"3\n")
    assert written(path) == [b"0", b"1", b"2", b"3"]


def test_only_files_that_a_log_set_aside_are_ever_deleted(path: Path, clock: ManualClock) -> None:
    strangers = [path.with_name(name) for name in ("app.log.old", "app.log.1", "app.log.2026", "x")]
    for stranger in strangers:
        stranger.write_text("mine")
    file = log_file(path, clock, keep_days=1, keep_files_max=1)
    for _ in range(5):
        file.write(b"x\n")
        clock.pass_days(1)
    assert [stranger.read_text() for stranger in strangers] == 4 * ["mine"]


def test_processes_that_share_a_file_lose_and_mix_nothing(path: Path) -> None:
    code = (
        "import sys\n"
        "from contextframe_monitoring.logs.log_file import LogFile\n"
        "from contextframe_monitoring.store.machine import SystemClock\n"
        "file = LogFile(sys.argv[1], SystemClock(), rotate_bytes=5000, keep_days=9,\n"
        "               keep_files_max=10000, compress=True)\n"
        "for n in range(2000): file.write(f'{sys.argv[2]}-{n:05d}\\n'.encode())\n"
        "assert file.lost == 0\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in ("a", "b", "c")
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    found = written(path)
    assert sorted(found) == sorted(
        f"{name}-{n:05d}".encode() for name in ("a", "b", "c") for n in range(2000)
    )
    assert len(files_of(path)) > 5


def test_a_child_writes_while_another_thread_of_its_parent_was_writing(
    path: Path, clock: ManualClock
) -> None:
    file = log_file(path, clock)
    file.write(b"parent\n")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(file._lock.acquire).result()  # that thread is not there in the child
        child = os.fork()
        if not child:
            file.write(b"child\n")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        pool.submit(file._lock.release).result()
    assert written(path) == [b"parent", b"child"]


def test_a_file_that_is_taken_away_is_made_anew(path: Path, clock: ManualClock) -> None:
    file = log_file(path, clock)
    file.write(b"a\n")
    path.unlink()
    file.write(b"b\n")
    assert (path.read_bytes(), file.lost) == (b"b\n", 0)


def test_what_the_disk_refuses_is_counted_and_tried_again_after_a_second(
    tmp_path: Path, clock: ManualClock
) -> None:
    folder = tmp_path / "logs"
    folder.write_text("in the way")
    file = log_file(folder / "app.log", clock)
    file.write(b"a\n")
    folder.unlink()
    file.write(b"b\n")  # too soon
    assert file.lost == 2
    clock.pass_ms(1001)
    file.write(b"c\n")
    file.write(b"d\n")
    first, about, last = written(folder / "app.log")
    assert (first, last, file.lost) == (b"c", b"d", 2)
    told = json.loads(about)
    assert (told["message"], told["context"]) == ("log.lost", {"lines": 2})


def test_a_full_disk_is_counted_and_no_half_line_is_taken_for_one(
    tmp_path: Path, clock: ManualClock
) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        log = disk.path / "app.log"
        file = log_file(log, clock, rotate_bytes=1 << 30)
        line = b"x" * 9_999 + b"\n"
        count = 0
        while not file.lost:
            file.write(line)
            count += 1
            assert count < 1_000
        assert [len(one) for one in written(log)][: count - 1] == [9_999] * (count - 1)


@pytest.mark.parametrize("device", ["/dev/null", "/dev/stdout"])
def test_a_device_or_folder_is_no_log_file(device: str, tmp_path: Path, clock: ManualClock) -> None:
    for path in (device, str(tmp_path)):
        with pytest.raises(InvalidError, match="standard output belongs to the protocol"):
            log_file(Path(path), clock)
