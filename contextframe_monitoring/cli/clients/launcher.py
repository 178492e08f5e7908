"""How a client starts our program: by absolute path, because a desktop application has another
search path than a shell.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Sequence

from contextframe_monitoring.cli.clients.entries import OWN_NAME, program

_TEMPORARY = re.compile(
    r"[/\\](?:archive|builds|environments)-v\d+[/\\]"  # uvx, uv run --with
    r"|[/\\]pipx[/\\]\.cache[/\\]|[/\\]\.cache[/\\]pipx[/\\]"  # pipx run
)


def own_launcher(argv0: str | None = None, scripts: str | None = None) -> tuple[str, ...]:
    """Return the words that start the program that runs now.

    The script by which it was started, else the one beside this Python, else this Python with our
    module. `argv0` and `scripts` stand for this process's own.
    """
    started = sys.argv[0] if argv0 is None else argv0
    folder = sysconfig.get_path("scripts") if scripts is None else scripts
    for path in (started, os.path.join(folder, OWN_NAME)):
        if program(path) == OWN_NAME and re.search(r"[/\\]", path):
            for candidate in (path, path + ".exe"):
                if os.path.isfile(candidate):
                    return (os.path.abspath(candidate),)
    return (os.path.abspath(sys.executable), "-m", "contextframe_monitoring")


def is_temporary(launcher: Sequence[str]) -> bool:
    """Return whether the program lies in an environment that `uvx` or `pipx run` may drop."""
    return _TEMPORARY.search(launcher[0]) is not None
