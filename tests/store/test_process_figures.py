"""What the operating system says of this process, with /proc and without."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from contextframe_monitoring.store import process_figures as module
from contextframe_monitoring.store.process_figures import cpus_available, process_figures

MB = 1_000_000


def test_open_files_threads_and_memory_follow_what_the_process_does(tmp_path: Path) -> None:
    before = process_figures()
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    files = [os.open(tmp_path / str(number), os.O_CREAT) for number in range(5)]
    held = bytearray(os.urandom(64 * MB))
    after = process_figures()
    for file in files:
        os.close(file)
    stop.set()
    for thread in threads:
        thread.join()
    assert after.threads is not None
    assert before.threads is not None
    assert after.threads - before.threads == 3
    assert (after.open_files or 0) - (before.open_files or 0) == 5
    assert (after.memory_bytes or 0) - (before.memory_bytes or 0) > len(held) // 2
    assert (after.virtual_bytes or 0) >= (after.memory_bytes or 0) > 10 * MB
    assert after.cpu_seconds > before.cpu_seconds > 0
    assert cpus_available() >= 1


def test_without_proc_psutil_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = process_figures()
    monkeypatch.setattr(module, "_PROC", tmp_path)
    found = process_figures()
    assert found.threads == usual.threads
    assert found.open_files == pytest.approx(usual.open_files, abs=1)
    assert found.memory_bytes == pytest.approx(usual.memory_bytes, rel=0.1)
    assert found.virtual_bytes == pytest.approx(usual.virtual_bytes, rel=0.1)


def test_without_both_what_python_knows_is_said_and_the_rest_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PROC", tmp_path)
    monkeypatch.setitem(sys.modules, "psutil", None)
    found = process_figures()
    assert found.cpu_seconds > 0
    assert found.threads == threading.active_count()
    assert (found.memory_bytes, found.virtual_bytes, found.open_files) == (None, None, None)
