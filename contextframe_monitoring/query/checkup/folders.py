"""Store and spool as folders: can they be written, do locks work there, is there room?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from contextframe_monitoring.core.checkup import Fact, Symptom
from contextframe_monitoring.query.checkup.patient import Patient
from contextframe_monitoring.store.machine import FileLock, free_bytes

FREE_BYTES_MIN = 1 << 30
"""Below this, compaction (which writes before it deletes) may run out of room."""
_OPTIONS = {"store": "--store", "spool": "spool_path"}


def check_folders(patient: Patient) -> Iterator[Fact | Symptom]:
    """Look at the folders of a store and its spool."""
    store = patient.store
    local = store.tables.local
    if local is None:
        yield Fact(check="store", says=f"{store.uri}, on object storage")
    elif not local.exists():
        yield Fact(check="store", says=f"{store.uri}: nothing has been recorded there yet")
    else:
        yield Fact(check="store", says=store.uri)
    disks: set[int] = set()
    for name, folder in (("store", local), ("spool", store.spool_root)):
        if folder is not None:
            nearest = _nearest(folder)
            yield from _written(name, nearest)
            disk = nearest.stat().st_dev
            if disk not in disks:
                yield from _room(name, nearest)
            disks.add(disk)


def _written(name: str, nearest: Path) -> Iterator[Symptom]:
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=nearest) as probe:
            works = _locks_work(Path(probe) / "lock")
    except OSError as error:
        yield Symptom(
            check=name,
            severity="critical",
            problem=f"{nearest} can't be written: {error.strerror or error}",
            remedy=f"allow it, or name another place with {_OPTIONS[name]}",
        )
        return
    if not works:
        yield Symptom(
            check="locks",
            severity="critical",
            problem=f"file locks don't work in {nearest}: two keepers could run at once",
            remedy="set spool_path to a folder on a local disk",
        )


def _nearest(folder: Path) -> Path:
    """Return the folder, or the closest one above it that exists."""
    return next((path for path in (folder, *folder.parents) if os.path.lexists(path)), folder)


def _locks_work(path: Path) -> bool:
    first, second = FileLock(path), FileLock(path)
    try:
        return first.acquire() and not second.acquire()
    except OSError:
        return False
    finally:
        first.release()
        second.release()


def _room(name: str, folder: Path) -> Iterator[Fact | Symptom]:
    free = free_bytes(folder)
    if free is None:
        return
    shown = f"{free / (1 << 30):,.1f} GiB free on the disk of the {name}"
    if free >= FREE_BYTES_MIN:
        yield Fact(check="disk", says=shown)
        return
    yield Symptom(
        check="disk",
        severity="error" if free < FREE_BYTES_MIN // 8 else "warning",
        problem=f"only {shown}",
        remedy="free space, or shorten metrics_retention_days; records that find no room are lost",
    )
