"""Rows that are kept for the next answer: bounded, and gone when they would be wrong."""

from __future__ import annotations

import pyarrow as pa
import pytest

from contextframe_monitoring.store.kept_rollups import KeptRollups


def rows(count: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"count": pa.array([1] * count, pa.int64())})


def unasked(_batch: int) -> int | None:
    raise AssertionError("nothing came since")


@pytest.mark.requirement("004:api:caching")
def test_rows_are_kept_until_a_later_batch_touches_their_time() -> None:
    kept = KeptRollups()
    kept.meet(3, "none", unasked)
    kept.put(3, "old", 100, rows(1))
    kept.put(3, "new", 200, rows(2))
    kept.meet(3, "none", unasked)
    assert [kept.get(3, key) for key in ("old", "new", "other")] == [rows(1), rows(2), None]
    kept.meet(5, "none", {3: 150}.get)
    assert [kept.get(5, key) for key in ("old", "new")] == [rows(1), None]
    kept.meet(6, "none", {5: None}.get)
    assert kept.get(6, "old") == rows(1)


def test_an_older_look_neither_finds_nor_leaves_anything() -> None:
    kept = KeptRollups()
    kept.meet(3, "none", unasked)
    kept.put(3, "a", 100, rows(1))
    kept.meet(4, "none", {3: 150}.get)
    kept.meet(3, "none", unasked)
    kept.put(3, "b", 100, rows(1))
    assert [kept.get(3, "a"), kept.get(4, "b"), kept.get(4, "a")] == [None, None, rows(1)]


def test_nothing_is_kept_over_a_removal() -> None:
    kept = KeptRollups()
    kept.meet(3, "none", unasked)
    kept.put(3, "a", 100, rows(1))
    kept.meet(3, "some", unasked)
    assert kept.get(3, "a") is None


def test_what_was_used_least_recently_makes_room() -> None:
    kept = KeptRollups(bytes_max=8 * 100)
    kept.meet(1, "none", unasked)
    for key in "abcde":
        kept.put(1, key, 100, rows(20))
    assert kept.get(1, "a") == rows(20)
    kept.put(1, "f", 100, rows(20))
    kept.put(1, "too large", 100, rows(26))
    found = {key: kept.get(1, key) is not None for key in ("a", "b", "c", "f", "too large")}
    assert found == {"a": True, "b": False, "c": True, "f": True, "too large": False}
