"""Tables on real Lance: appended, scanned, compacted, deleted under us, refused when newer."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from contextframe_monitoring.core.errors import StoreError
from contextframe_monitoring.core.records import OperationRecord
from contextframe_monitoring.store.compaction import compact
from contextframe_monitoring.store.rows import Stored, rows
from contextframe_monitoring.store.schemas import (
    COST,
    PERFORMANCE,
    PERFORMANCE_SCHEMA,
    SCHEMAS,
    TABLES,
)
from contextframe_monitoring.store.tables import Tables
from tests.clocks import NOW_US
from tests.small_disk import small_disk


def some_rows(first: int, count: int, batch: int) -> pa.Table:
    stored = [
        Stored(
            "w" * 20,
            seq,
            OperationRecord(
                time_us=NOW_US + seq,
                operation_type="tools/call",
                status="success",
                duration_ms=1.0,
                target=f"tool {seq}",
            ),
        )
        for seq in range(first, first + count)
    ]
    return rows(stored, batch)[PERFORMANCE]


def targets(tables: Tables, **kwargs: Any) -> list[str]:
    found = tables.scan(PERFORMANCE, ["target"], **kwargs)
    return sorted(name for batch in found for name in batch.column(0).cast("string").to_pylist())


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(str(tmp_path / "store"))


def test_a_table_that_nobody_made_is_empty(tables: Tables) -> None:
    assert [tables.dataset(name) for name in TABLES] == [None] * len(TABLES)
    assert (tables.count(PERFORMANCE), tables.oldest_us(PERFORMANCE)) == (0, None)
    assert (tables.holds_batch(PERFORMANCE, 1), tables.batch_max(PERFORMANCE)) == (False, 0)
    assert list(tables.scan(PERFORMANCE, ["target"])) == []
    compact(tables, PERFORMANCE)
    tables.sync(PERFORMANCE)


def test_every_table_is_made_with_its_published_schema(tables: Tables) -> None:
    for name in TABLES:
        tables.create(name)
        assert lance.dataset(tables.uri(name)).schema.names == SCHEMAS[name].names
        assert lance.dataset(tables.uri(name)).schema.metadata == SCHEMAS[name].metadata


def test_rows_are_found_by_time_and_by_batch(tables: Tables) -> None:
    tables.append(PERFORMANCE, some_rows(1, 3, batch=1))
    tables.append(PERFORMANCE, some_rows(4, 2, batch=2))
    assert targets(tables) == [f"tool {n}" for n in range(1, 6)]
    assert targets(tables, start_us=NOW_US + 2, end_us=NOW_US + 4) == ["tool 2", "tool 3"]
    assert targets(tables, batch_max=1) == ["tool 1", "tool 2", "tool 3"]
    assert targets(tables, start_us=NOW_US + 3, batch_max=1) == ["tool 3"]
    assert [tables.holds_batch(PERFORMANCE, n) for n in range(4)] == [False, True, True, False]
    assert (tables.batch_max(PERFORMANCE), tables.oldest_us(PERFORMANCE)) == (2, NOW_US + 1)


def test_another_process_finds_what_was_appended(tables: Tables) -> None:
    other = Tables(tables.store)
    tables.append(PERFORMANCE, some_rows(1, 3, batch=1))
    assert other.count(PERFORMANCE) == 3
    tables.append(PERFORMANCE, some_rows(4, 3, batch=2))
    assert other.count(PERFORMANCE) == 6


@pytest.mark.requirement("spine:fault:deleted-table")
def test_a_table_that_was_deleted_while_we_run_is_made_again(tables: Tables) -> None:
    other = Tables(tables.store)
    tables.append(PERFORMANCE, some_rows(1, 3, batch=1))
    assert other.count(PERFORMANCE) == 3
    shutil.rmtree(tables.uri(PERFORMANCE))
    assert (other.count(PERFORMANCE), tables.holds_batch(PERFORMANCE, 1)) == (0, False)
    tables.append(PERFORMANCE, some_rows(4, 2, batch=2))
    assert targets(tables) == targets(other) == ["tool 4", "tool 5"]


@pytest.mark.requirement("spine:fault:newer")
def test_a_table_of_a_newer_format_is_refused(tables: Tables) -> None:
    newer = dict(PERFORMANCE_SCHEMA.metadata) | {b"contextframe_monitoring.format": b"2"}
    lance.write_dataset(
        PERFORMANCE_SCHEMA.with_metadata(newer).empty_table(), tables.uri(PERFORMANCE)
    )
    for use in (tables.count, tables.create, lambda name: list(tables.scan(name, ["seq"]))):
        with pytest.raises(StoreError) as caught:
            use(PERFORMANCE)
        assert caught.value.reason == (
            "table performance_metrics has format 2, this program knows 1"
        )


def test_a_damaged_table_is_an_error_that_names_it(tables: Tables) -> None:
    tables.append(PERFORMANCE, some_rows(1, 300, batch=1))
    (data,) = (Path(tables.uri(PERFORMANCE)) / "data").iterdir()
    data.write_bytes(bytes(data.stat().st_size))
    for fresh in (tables, Tables(tables.store)):
        with pytest.raises(StoreError, match="table performance_metrics can't be read"):
            list(fresh.scan(PERFORMANCE, ["seq"]))
    (manifest, *_) = sorted((Path(tables.uri(PERFORMANCE)) / "_versions").glob("*.manifest"))
    manifest.write_bytes(b"")
    with pytest.raises(StoreError, match="table performance_metrics can't be read"):
        Tables(tables.store).count(PERFORMANCE)


@pytest.mark.requirement("spine:fault:full")
def test_a_full_disk_is_named_and_the_table_stays_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1 << 18) as disk:
        tables = Tables(str(disk.path / "store"))
        tables.append(PERFORMANCE, some_rows(1, 100, batch=1))
        with pytest.raises(StoreError, match=r"can't be written .*free space on its disk"):
            tables.append(PERFORMANCE, some_rows(101, 60_000, batch=2))
        assert (tables.count(PERFORMANCE), tables.holds_batch(PERFORMANCE, 2)) == (100, False)
        disk.resize(32 << 20)
        tables.append(PERFORMANCE, some_rows(101, 60_000, batch=2))
        assert tables.count(PERFORMANCE) == 60_100


def test_threads_read_while_one_appends(tables: Tables) -> None:
    tables.append(PERFORMANCE, some_rows(1, 10, batch=1))
    stop, counts, problems = threading.Event(), [0, 0], []

    def read(mine: int) -> None:
        try:
            while not stop.is_set():
                rows_seen = len(targets(tables, batch_max=99))
                assert rows_seen % 10 == 0, rows_seen
                tables.holds_batch(PERFORMANCE, 3)
                counts[mine] += 1
        except Exception as error:  # noqa: BLE001 - told to the test
            problems.append(error)

    threads = [threading.Thread(target=read, args=(mine,)) for mine in range(2)]
    for thread in threads:
        thread.start()
    try:
        for batch in range(2, 40):
            tables.append(PERFORMANCE, some_rows(batch * 10, 10, batch=batch))
            tables.sync(PERFORMANCE)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert problems == []
    assert min(counts) > 0


def test_compaction_keeps_every_row_and_finds_it_by_the_same_questions(tables: Tables) -> None:
    for batch in range(1, 8):
        tables.append(PERFORMANCE, some_rows(batch * 100, 100, batch=batch))
    before = targets(tables)
    compact(tables, PERFORMANCE)
    assert tables.fragments(PERFORMANCE) == 1
    assert targets(tables) == before
    assert targets(Tables(tables.store), batch_max=2) == sorted(
        f"tool {n}" for n in range(100, 300)
    )
    assert [tables.holds_batch(PERFORMANCE, n) for n in (0, 7, 8)] == [False, True, False]
    tables.append(PERFORMANCE, some_rows(800, 100, batch=8))
    compact(tables, PERFORMANCE)
    assert (tables.count(PERFORMANCE), tables.batch_max(PERFORMANCE)) == (800, 8)


def test_labels_with_more_values_than_16_bits_count_survive_compaction(tables: Tables) -> None:
    for batch in range(1, 26):
        tables.append(PERFORMANCE, some_rows(batch * 3_000, 3_000, batch=batch))
    compact(tables, PERFORMANCE)
    assert tables.fragments(PERFORMANCE) == 1
    found = targets(tables)
    assert (len(found), len(set(found))) == (75_000, 75_000)
    target = lance.dataset(tables.uri(PERFORMANCE)).schema.field("target").type
    assert target == pa.dictionary(pa.int32(), pa.string())


def test_a_table_can_be_compacted_while_another_reads_an_old_version(tables: Tables) -> None:
    for batch in range(1, 5):
        tables.append(PERFORMANCE, some_rows(batch * 10, 10, batch=batch))
    reading = Tables(tables.store).scan(PERFORMANCE, ["target"], batch_max=4)
    first = next(reading)
    compact(tables, PERFORMANCE)
    assert first.num_rows + sum(batch.num_rows for batch in reading) == 40


def test_an_unknown_table_is_left_alone(tables: Tables) -> None:
    foreign = pa.table({"x": [1, 2]})
    lance.write_dataset(foreign, f"{tables.local}/somebody_elses.lance")
    tables.create(COST)
    assert lance.dataset(f"{tables.local}/somebody_elses.lance").count_rows() == 2
