"""A Prometheus server for tests, as its Debian package has it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import free_port, until


def missing(program: str) -> None:
    """Skip for want of a program; fail in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed")
    pytest.skip(f"{program} is not installed")


@contextlib.contextmanager
def prometheus_server(folder: Path, config: str, *options: str) -> Iterator[str]:
    """Give its address when it is ready; skip where there is none, except in CI."""
    program = shutil.which("prometheus")
    if program is None:
        missing("prometheus")
    assert program is not None
    file = folder / "prometheus.yml"
    file.write_text(config)
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [program, f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}",
         f"--web.listen-address={address}", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        until(ready, seconds=30)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)
