"""The export folder: the only place that a file named by an agent may stand in."""

from __future__ import annotations

import os
from pathlib import Path

from contextframe_monitoring.core.errors import InvalidError

_NAME_BYTES_MAX = 200
"""Bound of one part of a name: most file systems take 255 bytes, and `.schema.json` needs some."""
_PATH_BYTES_MAX = 1024
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"]
)
"""Names that Windows gives to devices in every folder, whatever the suffix."""


def inside(folder: Path, name: str) -> Path:
    """Return where the file `name` lies below `folder`, links resolved. Nothing is made.

    `name` is relative to the folder, or an absolute path below it. Raises `InvalidError` for what
    would lie outside (also through a link), for an existing folder, link out or device, and for
    names that some system can't keep.
    """
    allowed = f"expected a file name below {folder}"
    if not isinstance(name, str) or not name:
        raise InvalidError("output", name, allowed)
    try:
        root = folder.resolve()
        relative = _relative((folder.absolute(), root), name)
        problem = _problem(relative)
        path = root if problem else (root / relative).resolve()
        problem = problem or _unfit(root, path)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle
        raise InvalidError("output", name, f"{allowed}: {error}") from None
    if problem is not None:
        raise InvalidError("output", name, f"{allowed}: {problem}")
    return path


def _relative(folders: tuple[Path, ...], name: str) -> str:
    """Return `name` with slashes, without the folder that it starts with."""
    for folder in folders:
        if name.startswith(f"{folder}{os.sep}"):
            name = name[len(str(folder)) + 1 :]
            break
    return name.replace(os.sep, "/")


def _problem(name: str) -> str | None:
    """Return what is wrong with a relative name, on any system."""
    if name.startswith(("/", "\\", "~")) or ":" in name:
        return "an absolute path elsewhere, a drive, a URL or a home folder is not allowed"
    if "\\" in name or not name.isprintable():
        return "backslashes and characters that can't be printed are not allowed"
    if _bytes(name) > _PATH_BYTES_MAX:
        return f"at most {_PATH_BYTES_MAX} bytes"
    return next(filter(None, map(_problem_of_part, name.split("/"))), None)


def _problem_of_part(part: str) -> str | None:
    if part in {"", ".", ".."}:
        return "no part may be empty, . or .."
    if part.startswith(".") or part.endswith((".", " ")):
        return "no part may start with a dot, or end with a dot or a space"
    if part.split(".", 1)[0].strip().lower() in _DEVICES:
        return f"{part} is the name of a device"
    if _bytes(part) > _NAME_BYTES_MAX:
        return f"no part may have more than {_NAME_BYTES_MAX} bytes"
    return None


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _unfit(root: Path, path: Path) -> str | None:
    """Return why the resolved path can't be written, None when it can."""
    if not path.is_relative_to(root) or path == root:
        return "a link leads out of the folder"
    if path.is_dir():
        return "there is a folder of that name"
    if path.exists() and not path.is_file():
        return "there is something of that name that is no file"
    for parent in path.parents:
        if parent.exists():
            return None if parent.is_dir() else f"{parent.name} is a file, not a folder"
    return None
