"""Where transcripts lie on disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from contextframe_monitoring.core.errors import LimitedError, NotFoundError

FILES_MAX = 200_000
SUFFIX = ".jsonl"


def found_files(
    paths: Iterable[Path],
    folders_of: Callable[[Path], list[Path]],
    unreadable: list[str],
    files_max: int = FILES_MAX,
) -> dict[Path, os.stat_result]:
    """Return the transcripts below `paths` with their status, sorted by path.

    `folders_of` narrows a folder to those inside it that hold transcripts. A path that is a file is
    taken whatever its suffix. Folders that can't be read are named in `unreadable`. Raises
    `NotFoundError` for a path that doesn't exist, `LimitedError` above `files_max`.
    """
    found: dict[Path, os.stat_result] = {}
    for path in paths:
        place = Path(os.path.abspath(path))
        if not place.exists():
            raise NotFoundError(
                "transcript path", os.fspath(path), "give a folder or a .jsonl file"
            )
        for file in [place] if place.is_file() else _walk(folders_of(place), unreadable):
            status = _status(file)
            if status is not None:
                found[file] = status
            if len(found) > files_max:
                raise LimitedError(
                    "transcript files", len(found), files_max, "import one project folder at a time"
                )
    return dict(sorted(found.items()))


def printable(text: str) -> str:
    """Return `text` fit for a database: what isn't UTF-8 or printable is written as an escape."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _walk(folders: Iterable[Path], unreadable: list[str]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        unreadable.append(str(error.filename))

    for folder in folders:
        for here, _, names in os.walk(folder, onerror=note):
            for name in names:
                if name.endswith(SUFFIX):
                    yield Path(here, name)


def _status(file: Path) -> os.stat_result | None:
    """Return the status of a regular file: a pipe would block, and a file may be gone by now."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None
