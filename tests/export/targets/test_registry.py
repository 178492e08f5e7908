"""An exporter of another package, by entry point."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from contextframe_monitoring.core.target_settings import TARGETS
from contextframe_monitoring.export.targets.registry import EXPORTERS
from tests.export.stores import NOW_US, Filled, metric, operation
from tests.export.targets.conftest import To

PLUGIN = """
from contextframe_monitoring.export.targets.exporter import Delivered, TargetError

class Lines:
    def __init__(self, setting):
        self.path = setting.target.options["path"]

    def export(self, step):
        lines = [f"{f.name} {f.kind} {f.unit} {p.value} {dict(p.labels)}"
                 for f in step.deltas() for p in f.points]
        rows = sum(batch.num_rows for batch in step.rows("performance").batches())
        with open(self.path, "a") as file:
            file.write("\\n".join([*lines, f"rows {rows}", ""]))
        return Delivered(sent=len(lines))

    def close(self):
        pass

class Broken:
    def __init__(self, setting):
        pass

    def export(self, step):
        raise ValueError("hunter2")
"""
ENTRIES = """
[contextframe_monitoring.exporters]
lines = exporter_of_a_test:Lines
broken = exporter_of_a_test:Broken
missing = exporter_of_a_test:Missing
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    (folder / "exporter_of_a_test-1.dist-info").mkdir(parents=True)
    (folder / "exporter_of_a_test.py").write_text(PLUGIN)
    (folder / "exporter_of_a_test-1.dist-info/METADATA").write_text("Name: exporter-of-a-test\n")
    (folder / "exporter_of_a_test-1.dist-info/entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "exporter_of_a_test", raising=False)


def test_every_type_of_target_has_an_exporter() -> None:
    assert {*EXPORTERS, "plugin"} == set(TARGETS)


@pytest.mark.requirement("export:targets:plugin", "export:targets:custom")
@pytest.mark.usefixtures("package")
def test_another_package_brings_an_exporter(filled: Filled, to: To, tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    told = {"type": "plugin", "exporter": "lines", "options": {"path": str(path)}}
    filled.drain(operation(), metric(unit="By", attributes=("region=eu", "user=u1")))
    state = to(**told).run(NOW_US)
    assert state is not None
    assert (state.type, state.failures) == ("plugin", 0)
    lines = path.read_text().splitlines()
    assert "queue.depth gauge By 7.0 {'server': 'git', 'region': 'eu'}" in lines
    assert lines[-1] == "rows 1"


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "there: plugin failed with ValueError"),
        ("missing", "exporter 'missing' of exporter_of_a_test:Missing can't be opened: Attribute"),
        (
            "other",
            "targets.there.exporter = 'other' is not allowed: expected one of: broken, lines",
        ),
    ],
)
def test_one_that_fails_is_named(filled: Filled, to: To, name: str, message: str) -> None:
    filled.drain(operation())
    state = to(type="plugin", exporter=name).run(NOW_US)
    assert state is not None
    assert state.last_error is not None
    assert state.last_error.startswith(message)
    assert "hunter2" not in state.last_error
