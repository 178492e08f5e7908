"""A bit flips in a data file of a table: what can't be read any more is named by `verify`.

Lance has no checksums: a flipped bit of a value that can still be read is not noticed.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.schemas import PERFORMANCE, SCHEMAS
from contextframe_monitoring.store.store import Store
from tests.clocks import ManualClock
from tests.faults.sizes import FULL
from tests.store.filled import recorded_into, store_in

pytestmark = pytest.mark.faults
FLIPS = 150 if FULL else 30


def readable(store: Store) -> bool:
    """Whether every row of the table can be read with all its columns."""
    try:
        for _ in store.tables.scan(PERFORMANCE, SCHEMAS[PERFORMANCE].names):
            pass
    except StoreError:
        return False
    return True


def named(store: Store) -> bool:
    """Whether `verify` says which table is damaged, in a finding or because it can't go on."""
    try:
        report = verify(store)
    except StoreError as error:
        return PERFORMANCE in str(error)
    assert report.complete == (not report.findings)
    return any(PERFORMANCE in finding.problem for finding in report.findings)


@pytest.mark.requirement("time:fault:flipped-bit")
def test_no_flipped_bit_that_makes_rows_unreadable_is_passed_as_complete(tmp_path: Path) -> None:
    store, rng = store_in(tmp_path), random.Random(1)
    recorded_into(store, 400)
    keeper = Keeper(store, ManualClock())
    keeper.tick()
    keeper.compact()
    keeper.release()
    files = (Path(store.tables.uri(PERFORMANCE)) / "data").glob("*.lance")
    file = max(files, key=lambda path: path.stat().st_mtime_ns)
    whole, damaged = file.read_bytes(), 0
    for _ in range(FLIPS):
        at, bit = rng.randrange(len(whole)), rng.randrange(8)
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
        if not readable(Store(store.uri)):
            damaged += 1
            assert named(Store(store.uri)), (at, bit)
    assert damaged > 0
    file.write_bytes(whole)
    assert verify(Store(store.uri)).findings == []
