"""What retention took out of the tables is still known to the importer."""

from __future__ import annotations

from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.ingest.recorder import open_recorder
from contextframe_monitoring.ingest.transcripts.books import open_books
from contextframe_monitoring.ingest.transcripts.claude_code import CLAUDE_CODE
from contextframe_monitoring.ingest.transcripts.importer import Importer
from contextframe_monitoring.keeper import Keeper
from contextframe_monitoring.query.completeness import verify
from contextframe_monitoring.store.catalogue import Catalogue
from contextframe_monitoring.store.store import Store
from tests.clocks import ManualClock
from tests.ingest.transcripts.desk import line, written


@pytest.mark.requirement("cost:transcripts:fact-keys")
def test_a_file_that_is_read_again_after_its_rows_expired_adds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "projects" / "-home-p" / "session.jsonl"
    old = [line("msg_1", "req_1"), line("msg_2", "req_2")]
    written(file, *old)
    store = Store(str(tmp_path / "store"))
    config = MonitoringConfig(store=store.uri, start_keeper=False)
    recorder = open_recorder(config)
    keeper = Keeper(store, ManualClock(), retention_days=30)

    def imported() -> int:
        books = open_books(store, Catalogue(), recorder.record)
        report = Importer(CLAUDE_CODE, [tmp_path / "projects"], books).run()
        keeper.tick()
        keeper.compact()
        return report.calls

    assert imported() == 2
    proof = verify(store)
    assert (proof.stored, proof.expired, proof.complete) == (0, 2, True)
    file.unlink()
    written(file, *reversed(old))  # it was rewritten, and is read from its start
    assert imported() == 0
    written(file, line("msg_3", "req_3"))
    assert imported() == 1
    recorder.close()
