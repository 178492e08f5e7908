"""Where a spool lies: always on a local disk, one per store."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from contextframe_monitoring import Monitor
from contextframe_monitoring.store.machine import default_store, spool_folder

APP = "contextframe-monitoring"


@pytest.mark.requirement("spine:spool:local")
def test_a_spool_lies_beside_a_local_store_else_in_the_users_state_folder(
    tmp_path: Path,
) -> None:
    assert spool_folder(str(tmp_path / "store"), None) == tmp_path / "store" / "spool"
    assert spool_folder(f"file://{tmp_path}/store", None) == tmp_path / "store" / "spool"
    first, second = (spool_folder(f"s3://bucket/{name}", None) for name in ("a", "b"))
    assert Path(platformdirs.user_state_dir(APP, appauthor=False)) in first.parents
    assert (first.parent, first == second) == (second.parent, False)
    assert first == spool_folder("s3://bucket/a", None)


@pytest.mark.requirement("spine:spool:local")
@pytest.mark.parametrize("store", ["s3://bucket/a", "store"])
def test_a_spool_path_wins_and_stores_do_not_share_it(tmp_path: Path, store: str) -> None:
    own, other = spool_folder(store, str(tmp_path)), spool_folder("other", str(tmp_path))
    assert (own.parent, other.parent, own == other) == (tmp_path, tmp_path, False)


@pytest.mark.requirement("spine:spool:local")
def test_what_is_recorded_for_a_remote_store_waits_on_the_local_disk(tmp_path: Path) -> None:
    with Monitor.open(
        store="s3://no-such-bucket/x", spool_path=str(tmp_path), start_keeper=False
    ) as monitor:
        monitor.usage.track_event("x")
    assert monitor.recorder.losses == {}
    [segment] = tmp_path.rglob("*.seg")
    assert segment.parent.parent.parent == spool_folder("s3://no-such-bucket/x", str(tmp_path))


def test_the_default_store_is_in_the_users_data_folder() -> None:
    folder = Path(platformdirs.user_data_dir(APP, appauthor=False))
    assert Path(default_store()) == folder / "store"
