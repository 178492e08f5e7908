"""A disk that is soon full, and a connection that is watched."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mcp.relay_support import Disk
from tests.mcp.watched import Watched

_LIMIT = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
    " os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture(params=["file system", "file size"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A file system of 512 KiB where one can be mounted, and a limit on files everywhere."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if request.param == "file system" and _succeeds(mount):
        yield Disk(folder=folder, refusal="[Errno 28] No space left on device", limited=[])
        subprocess.run(["umount", str(folder)], check=True)
        return
    limited = [sys.executable, "-c", _LIMIT]
    yield Disk(folder=folder, refusal="[Errno 27] File too large", limited=limited)


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    connection = Watched(tmp_path)
    yield connection
    connection.recorder.close()
