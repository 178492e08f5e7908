"""Claude Code: the user's file, which holds the servers of each project too, and the file that a
project shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contextframe_monitoring.cli.clients.place import Place

TITLE = "Claude Code"
RESTART = "start a new session of Claude Code to use it"
USER_FILE, PROJECT_FILE = ".claude.json", ".mcp.json"
_SHARED = (
    "this file is shared with everybody who works on the project: what is wrapped in it names"
    " programs of this machine; don't commit that"
)


def places(platform: str, environ: Mapping[str, str], home: Path, cwd: Path) -> list[Place]:
    """Return the user's file and the current project's (`Places`)."""
    del platform
    settings = environ.get("CLAUDE_CONFIG_DIR")
    user = Path(settings).expanduser() if settings else home
    folder = user if settings else home / ".claude"
    return [
        Place(file=user / USER_FILE, folder=folder, typed=True),
        Place(file=cwd / PROJECT_FILE, serves=False, typed=True, note=_SHARED),
    ]
