"""`MetricsExporter`: into answers, streams and files; bounded; complete."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import InvalidError, LimitedError, StoreError
from contextframe_monitoring.export.exporter import ANSWER_BYTES_MAX, Exported, MetricsExporter
from contextframe_monitoring.export.files import ExportError
from contextframe_monitoring.ingest.recorder import open_recorder
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.store.store import Store
from tests.export.stores import NOW_US, Filled, cost, operation
from tests.small_disk import small_disk


@pytest.mark.requirement("002:core:metrics-exporter", "004:dash:export")
def test_an_export_stands_in_the_answer_when_no_file_is_named(
    filled: Filled, exporter: MetricsExporter
) -> None:
    filled.drain(operation())
    exported = exporter.export("performance", "csv")
    assert exported.content is not None
    data = exported.content.encode()
    assert exported == Exported(
        format="csv",
        rows=1,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content=exported.content,
    )


def test_an_answer_is_bounded_and_says_how_to_narrow(
    filled: Filled, exporter: MetricsExporter
) -> None:
    filled.drain(*(operation() for _ in range(1000)))
    with pytest.raises(LimitedError) as caught:
        exporter.export("performance", "json")
    assert str(caught.value).endswith(
        f"is above its limit of {ANSWER_BYTES_MAX}: narrow the window, choose another subject, "
        "or write a file where more is allowed"
    )
    assert exporter.export("performance", "json", bytes_max=10**6).rows == 1000


def test_binary_formats_never_stand_in_an_answer(exporter: MetricsExporter) -> None:
    for name in ("parquet", "arrow"):
        with pytest.raises(InvalidError, match="a binary format needs a file"):
            exporter.export("usage", name)


def test_a_window_has_its_start_and_not_its_end(filled: Filled, exporter: MetricsExporter) -> None:
    filled.drain(*(operation(time_us=NOW_US + n) for n in range(5)))
    window = {"start_us": NOW_US + 1, "end_us": NOW_US + 3}
    content = exporter.export("performance", "jsonl", **window).content  # type: ignore[arg-type]
    assert content is not None
    times = [json.loads(line)["timestamp"] for line in content.splitlines()]
    assert times == [f"2026-11-18T11:06:40.00000{n}+00:00" for n in (1, 2)]


@pytest.mark.parametrize(
    ("subject", "name", "window", "message"),
    [
        ("sales", "csv", {}, "subject = 'sales' is not allowed: expected one of usage, perf"),
        ("all", "csv", {}, "subject = 'all' is not allowed: expected one of usage, performance"),
        ("usage", "xls", {}, "format = 'xls' is not allowed: expected one of json, jsonl, csv"),
        ("rollup_1m", "prometheus", {}, "subject = 'rollup_1m' is not allowed: expected one of al"),
        ("usage", "csv", {"start_us": 2, "end_us": 1}, "end_us = 1 is not allowed: expected 2 "),
    ],
)
def test_what_is_not_known_is_named_with_what_is(
    exporter: MetricsExporter, subject: str, name: str, window: dict[str, int], message: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        exporter.export(subject, name, **window)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_progress_is_told_and_may_end_the_export(
    filled: Filled, exporter: MetricsExporter, tmp_path: Path
) -> None:
    filled.drain(*(operation() for _ in range(20)))
    filled.drain(*(operation() for _ in range(10)))
    told: list[tuple[int, int]] = []
    exporter.export("performance", "csv", progress=lambda *now: told.append(now))
    assert (told[-1], told == sorted(told)) == ((30, 30), True)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "out.parquet"
    with pytest.raises(KeyboardInterrupt):
        exporter.export("performance", "parquet", output=path, progress=stop)
    assert [p.name for p in tmp_path.iterdir() if "export" in p.name or p == path] == []


def test_undrained_records_are_exported_like_drained_ones(tmp_path: Path) -> None:
    config = MonitoringConfig(store=str(tmp_path / "store"), start_keeper=False)
    recorder, store = open_recorder(config), Store(str(tmp_path / "store"))
    recorder.record(operation(operation_id="drained"))
    Keeper(store).tick()
    recorder.record(operation(operation_id="waiting"))
    content = MetricsExporter(store, config).export("performance", "jsonl").content
    assert content is not None
    rows = [json.loads(line) for line in content.splitlines()]
    assert [(row["operation_id"], row["batch"]) for row in rows] == [
        ("drained", 1), ("waiting", None),
    ]  # fmt: skip
    recorder.close()


def test_a_store_that_holds_nothing_exports_nothing(exporter: MetricsExporter) -> None:
    assert exporter.export("cost", "json").content == "[]\n"
    assert exporter.export("cost", "prometheus").rows == 0


def test_a_stream_gets_the_bytes_and_stays_open(filled: Filled, exporter: MetricsExporter) -> None:
    filled.drain(cost())
    stream = io.BytesIO()
    exported = exporter.export("cost", "parquet", output=stream)
    assert stream.getvalue()[-4:] == b"PAR1"
    assert (exported.path, exported.content) == (None, None)
    assert exported.sha256 == hashlib.sha256(stream.getvalue()).hexdigest()


def test_the_export_folder_is_the_configured_one_else_beside_the_store(
    filled: Filled, exporter: MetricsExporter, tmp_path: Path
) -> None:
    assert exporter.folder == tmp_path / "store/exports"
    assert exporter.inside("a/b.csv") == tmp_path / "store/exports/a/b.csv"
    assert (tmp_path / "store/exports/a").is_dir()
    config = MonitoringConfig(export_path=str(tmp_path / "out"))
    assert MetricsExporter(filled.store, config).inside("x") == tmp_path / "out/x"
    with pytest.raises(InvalidError):
        exporter.inside("../x.csv")


def test_a_broken_store_is_the_stores_error_and_leaves_no_file(
    filled: Filled, exporter: MetricsExporter, tmp_path: Path
) -> None:
    filled.drain(cost())
    fresh = Store(filled.store.uri)
    for manifest in (tmp_path / "store/cost_metrics.lance/_versions").iterdir():
        manifest.write_bytes(b"rubbish")
    with pytest.raises(StoreError):
        MetricsExporter(fresh, MonitoringConfig()).export("cost", "csv", output=tmp_path / "x.csv")
    assert [*tmp_path.glob("*.csv"), *tmp_path.glob(".context*")] == []


@pytest.mark.requirement("export:files:whole")
@pytest.mark.skipif(sys.platform == "win32", reason="no small disks there")
@pytest.mark.parametrize("name", ["csv", "json", "parquet", "arrow"])
@pytest.mark.requirement("export:files:full-disk")
def test_a_full_disk_is_a_clear_error_and_leaves_nothing(
    filled: Filled, exporter: MetricsExporter, tmp_path: Path, name: str
) -> None:
    filled.drain(*(operation(operation_id=os.urandom(500).hex()) for _ in range(3000)))
    with small_disk(tmp_path / "small", 1 << 20) as disk:
        path = disk.path / "x"
        path.write_text("old")
        with pytest.raises(ExportError) as caught:
            exporter.export("performance", name, output=path)
        assert str(caught.value).endswith(
            "; nothing was left there: free space, narrow the window or choose another place"
        )
        assert [(file.name, file.read_text()) for file in disk.path.iterdir()] == [("x", "old")]


_CHILD = """
import pathlib, sys
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.export.exporter import MetricsExporter
from contextframe_monitoring.store.store import Store

def wait(done, total):
    print("half", flush=True)
    sys.stdin.read()

exporter = MetricsExporter(Store(sys.argv[1]), MonitoringConfig())
exporter.export("performance", "csv", output=pathlib.Path(sys.argv[2]), progress=wait)
"""


def test_a_killed_export_leaves_no_file_under_its_name(filled: Filled, tmp_path: Path) -> None:
    filled.drain(*(operation() for _ in range(10)))
    output = tmp_path / "out"
    output.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, filled.store.uri, str(output / "x")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.kill()
    process.communicate(timeout=60)
    assert [path.name for path in output.iterdir() if not path.name.startswith(".")] == []
