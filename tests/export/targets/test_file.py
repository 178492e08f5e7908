"""Targets that are files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.export.stores import NOW_US, Filled, cost, operation
from tests.export.targets.conftest import To
from tests.small_disk import small_disk

S = 1_000_000


def test_every_row_stands_in_one_file(filled: Filled, to: To, tmp_path: Path) -> None:
    told = {"type": "file", "path": str(tmp_path / "out"), "format": "jsonl"}
    filled.drain(operation(), operation())
    to(**told).run(NOW_US)
    to(**told).run(NOW_US + 61 * S)
    filled.drain(cost())
    to(**told).run(NOW_US + 122 * S)
    filled.drain(operation())
    state = to(**told).run(NOW_US + 183 * S)
    files = {path.name: path.read_text().splitlines() for path in (tmp_path / "out").iterdir()}
    assert {name: len(lines) for name, lines in files.items()} == {
        "there-performance-000000001-000000001.jsonl": 2,
        "there-performance-000000003-000000003.jsonl": 1,
    }
    assert sorted(json.loads(line)["seq"] for lines in files.values() for line in lines) == [
        1,
        2,
        4,
    ]
    assert state is not None
    assert state.sent == 3


def test_a_step_that_was_cut_off_is_written_once(
    filled: Filled, to: To, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"type": "file", "path": str(tmp_path), "format": "parquet", "subject": "cost"}
    filled.drain(cost())
    killed = to(**told)
    put = "contextframe_monitoring.store.export_targets.TargetBook.put"
    calls: list[int] = []

    def second_fails(book: object, state: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        original(book, state)

    from contextframe_monitoring.store.export_targets import TargetBook

    original = TargetBook.put
    with monkeypatch.context() as patch:
        patch.setattr(put, second_fails)
        with pytest.raises(KeyboardInterrupt):
            killed.run(NOW_US)
    filled.drain(cost(), cost())
    state = to(**told).run(NOW_US + 1)
    assert state is not None
    assert state.batch == 1
    to(**told).run(NOW_US + 2)
    rows = [pq.read_table(path).num_rows for path in sorted(tmp_path.glob("*.parquet"))]
    assert rows == [1, 2]


def test_metrics_for_a_textfile_collector(filled: Filled, to: To, tmp_path: Path) -> None:
    path = tmp_path / "monitoring.prom"
    filled.drain(operation())
    state = to(type="file", path=str(path), format="prometheus").run(NOW_US)
    names = {family.name for family in text_string_to_metric_families(path.read_text())}
    assert "mcp_server_operation_duration_seconds" in names
    assert state is not None
    assert state.failures == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no small disks there")
def test_a_full_disk_leaves_nothing_and_the_rows_come_later(
    filled: Filled, to: To, tmp_path: Path
) -> None:
    filled.drain(*(operation(operation_id="x" * 500 + str(n)) for n in range(3000)))
    with small_disk(tmp_path / "small", 1 << 20) as disk:
        state = to(type="file", path=str(disk.path / "out")).run(NOW_US)
        assert state is not None
        assert state.last_error == "file out: No space left on device"
        assert list((disk.path / "out").iterdir()) == []
    assert state.batch == 0
