"""Importing again on change."""

from pathlib import Path

import pytest

from contextframe_monitoring.ingest.transcripts.claude_code import CLAUDE_CODE
from contextframe_monitoring.ingest.transcripts.watch import watch
from tests.ingest.transcripts.desk import Desk, line, written


@pytest.mark.requirement("cost:transcripts:watch")
def test_only_changes_are_imported_until_waiting_ends(tmp_path: Path) -> None:
    path = written(tmp_path / "p" / "s.jsonl", line("m1"))
    desk = Desk(CLAUDE_CODE, tmp_path)
    changes = iter(
        [
            lambda: written(path, line("m2")),
            lambda: None,
            lambda: written(tmp_path / "p" / "t.jsonl", line("m3"), line("m4")),
            path.unlink,
        ]
    )
    looks = []

    def wait() -> bool:
        looks.append(desk.totals()["calls"])
        change = next(changes, None)
        if change is not None:
            change()
        return change is not None

    reports = [(report.files, report.calls) for report in watch(desk.importer(), wait)]
    assert reports == [(1, 1), (1, 1), (2, 2), (1, 0)]
    assert looks == [1, 2, 2, 4, 4]
