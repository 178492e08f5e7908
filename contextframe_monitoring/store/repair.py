"""Repair after a power loss: a newest version of a table that is torn is rolled back.

Lance does not sync on a local disk, and we sync only after a commit: a power loss in between may
leave a manifest that is empty or cut, or data files that are. What such a version held is in no
done batch and in no watermark, so the version before it is right, and the ledger has the rest
written again. The torn manifest is moved into `torn` beside the table's versions, not deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lance

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.store.machine import sync_path
from contextframe_monitoring.store.schemas import TABLES
from contextframe_monitoring.store.tables import Tables

TORN = "torn"
VERSIONS_MAX = 3
"""So many versions at most are rolled back: every one of ours is synced before the next but one."""
_MAGIC = b"LANC"
"""The last four bytes of a whole manifest."""
_LANCE_ERRORS = (ValueError, OSError, RuntimeError)


def repair(tables: Tables, checkpoint: Callable[[str], None]) -> list[str]:
    """Roll torn versions of local tables back; return what was moved aside. Only the holder of the
    keeper's lock may do it. Raises `StoreError` when a manifest can't be moved.
    """
    if tables.local is None:
        return []
    moved = []
    for name in TABLES:
        versions = Path(tables.uri(name)) / "_versions"
        for _ in range(VERSIONS_MAX):
            manifests = _manifests(versions)
            if not _is_torn(tables, name, manifests):
                break
            moved.append(_set_aside(tables, manifests[0]))
            tables.forget(name)
            checkpoint(f"repair:{name}")
    return moved


def _manifests(versions: Path) -> list[Path]:
    """Return the manifests of a table, the newest first."""
    found = {_version(path): path for path in versions.glob("*.manifest")}
    return [found[version] for version in sorted(found, reverse=True)]


def _version(path: Path) -> int:
    """Return the version that a manifest's name says: counted down from 2**64 - 1, or plainly."""
    number = int(path.stem) if path.stem.isdigit() else 0
    return 2**64 - 1 - number if len(path.stem) == 20 else number


def _is_torn(tables: Tables, name: str, manifests: list[Path]) -> bool:
    """Return whether the newest version is not whole and there is one to go back to: its manifest
    is cut, or a file that it added.
    """
    if not manifests:
        return False
    newest, *older = manifests
    with newest.open("rb") as file:
        file.seek(max(file.seek(0, 2) - len(_MAGIC), 0))
        cut = file.read() != _MAGIC
    if not older:
        return cut and not any((Path(tables.uri(name)) / "data").glob("*"))  # it was just made
    return cut or (not _is_whole(tables, name, newest) and _is_whole(tables, name, older[0]))


def _is_whole(tables: Tables, name: str, manifest: Path) -> bool:
    """Return whether the files of a version have the sizes that it says."""
    folder = Path(tables.uri(name)) / "data"
    try:
        dataset = lance.dataset(tables.uri(name), version=_version(manifest))
        return all(
            file.file_size_bytes is None
            or (folder / file.path).stat().st_size == file.file_size_bytes
            for fragment in dataset.get_fragments()
            for file in fragment.data_files()
        )
    except _LANCE_ERRORS:
        return False


def _set_aside(tables: Tables, manifest: Path) -> str:
    aside = manifest.parent.parent / TORN
    try:
        aside.mkdir(exist_ok=True)
        place = aside / f"{manifest.name}.{len(list(aside.iterdir()))}"
        manifest.replace(place)
        sync_path(manifest.parent)
        sync_path(aside)
    except OSError as error:
        raise StoreError(
            tables.store, f"a torn version can't be moved aside ({error})", "run doctor"
        ) from error
    return str(place.relative_to(tables.local)) if tables.local is not None else str(place)
