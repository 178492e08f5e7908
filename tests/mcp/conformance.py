"""The conformance suite of the protocol, run against a server by its URL."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.mcp.installed import installed
from tests.mcp.relay_support import ENVIRONMENT

SUITE_SECONDS_MAX = 120
_CHECKS = re.compile(r"^[✓✗] ([\w-]+): (\d+) passed, (\d+) failed", re.MULTILINE)


def checks(url: str, version: str, folder: Path) -> dict[str, tuple[int, int]]:
    """Return passed and failed checks by scenario."""
    suite = installed("node", "node_modules", "@modelcontextprotocol", "conformance")
    program = Path(suite) / "dist" / "index.js"
    command = [installed("node", "bin", "node"), str(program), "server", "--url", url]
    done = subprocess.run(
        [*command, "--suite", "all", "--spec-version", version, "-o", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SUITE_SECONDS_MAX,
        env=ENVIRONMENT,
    )
    return {name: (int(good), int(bad)) for name, good, bad in _CHECKS.findall(done.stdout)}
