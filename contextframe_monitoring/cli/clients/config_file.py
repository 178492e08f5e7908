"""A client's configuration file: read whole within a bound, replaced in one step, with a backup
beside it.

The backup holds the file as it was before we came, and its name the digest of what we wrote. So
`uninstall` knows whether the file is still what we left, and gives back every byte of the backup;
a backup that ends in `.created` stands for a file that did not exist.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contextframe_monitoring.core.errors import (
    ConflictError,
    InvalidError,
    LimitedError,
    UnavailableError,
)
from contextframe_monitoring.store.machine import copy_owner, sync_path

FILE_BYTES_MAX = 64 << 20
"""Claude Code's file grows to some megabytes."""
_MARK = ".contextframe-"
_BACKUP, _CREATED = ".backup", ".created"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a file was before `install`: `data` None when it did not exist. It `is_exact` when the
    file is still what `install` left.
    """

    path: Path
    data: bytes | None
    is_exact: bool


def read(path: Path) -> bytes | None:
    """Return what stands in a file, None when there is none.

    Raises `InvalidError` for what is no file, `LimitedError` above `FILE_BYTES_MAX`,
    `UnavailableError` when it can't be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InvalidError("configuration", str(path), "expected a file")
        if status.st_size > FILE_BYTES_MAX:
            hint = "is it the right file?"
            raise LimitedError(f"size of {path}", status.st_size, FILE_BYTES_MAX, hint)
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError(f"{path} can't be read: {error.strerror}") from None


def text_of(data: bytes | None, path: Path) -> str:
    """Return the text of a file, empty when there is none. Raises `InvalidError` for what is not
    UTF-8.
    """
    try:
        return (data or b"").decode()
    except UnicodeDecodeError as error:
        line = (data or b"").count(b"\n", 0, error.start) + 1
        byte = (data or b"")[error.start : error.start + 1]
        raise InvalidError(f"{path}, line {line}", byte, "expected UTF-8") from None


def find_backup(path: Path, data: bytes | None) -> Backup | None:
    """Return the backup of a file that now holds `data`: the one made for it, else the newest."""
    found = sorted(_backups(path), key=lambda backup: backup.stat().st_mtime_ns, reverse=True)
    exact = [backup for backup in found if _digest(data) in backup.name]
    for backup in [*exact, *found]:
        created = backup.name.endswith(_CREATED)
        return Backup(backup, None if created else read(backup), bool(exact))
    return None


def _backups(path: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        start = path.name + _MARK
        names = [name for name in os.listdir(path.parent) if name.startswith(start)]
        return [path.parent / name for name in names if name.endswith((_BACKUP, _CREATED))]
    return []


def _digest(data: bytes | None) -> str:
    return hashlib.sha256(b"" if data is None else data).hexdigest()[:16]


def install(path: Path, now: bytes | None, before: bytes | None, after: bytes) -> Path:
    """Replace a file that holds `now` by `after`, keep `before` as its backup, and return that.

    Raises `ConflictError` when the file changed meanwhile, `UnavailableError` when it, or its
    folder, can't be written.
    """
    ending = _CREATED if before is None else _BACKUP
    backup = path.with_name(f"{path.name}{_MARK}{_digest(after)}{ending}")
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _check(path, now)
        _write(backup, before or b"", _mode(path))
        _write(Path(os.path.realpath(path)), after, _mode(path))
        for old in _backups(path):
            if old != backup:
                old.unlink(missing_ok=True)
    return backup


def restore(path: Path, now: bytes | None, before: bytes | None) -> None:
    """Replace a file that holds `now` by what was before, None for nothing; its backups go.

    Raises what `install` raises.
    """
    with _explained(path):
        if before != now:
            _check(path, now)
            if before is None:
                path.unlink()
            else:
                _write(Path(os.path.realpath(path)), before, _mode(path))
        for backup in _backups(path):
            backup.unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            f"{path} can't be written: {error.strerror or error}; nothing was changed"
        ) from None


def _mode(path: Path) -> int:
    """Return the permissions of a file; a new one is its user's alone: it may hold keys."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return 0o600


def _check(path: Path, now: bytes | None) -> None:
    if read(path) != now:
        raise ConflictError(f"{path} was changed by another program meanwhile: run this again")
    if now is not None and not _mode(path) & stat.S_IWUSR:
        raise UnavailableError(f"{path} is read-only: allow its owner to write, or leave it")


def _write(path: Path, data: bytes, mode: int) -> None:
    """Replace a file in one step, durably, with the same owner where that can be set."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        copy_owner(path, name)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    sync_path(path.parent)
