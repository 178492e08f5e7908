"""The cost report over imported transcripts: the truth of the shared data, to the nano-dollar."""

from __future__ import annotations

import json
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.queries import ReportQuery
from contextframe_monitoring.core.reports import CostReport
from contextframe_monitoring.core.windows import Window, day_start_us
from contextframe_monitoring.ingest.transcripts.claude_code import CLAUDE_CODE
from contextframe_monitoring.query.cost import cost_report
from tests.ingest.transcripts.desk import Desk
from tests.query.row_sources import Tables

FEBRUARY = Window(day_start_us(date(2026, 2, 1), "UTC"), day_start_us(date(2026, 3, 1), "UTC"))


def asked(desk: Desk, key: str) -> CostReport:
    query = ReportQuery(window=FEBRUARY, group_by=(key,), limit=1_000)
    return cost_report(Tables(*desk.records), query, MonitoringConfig())


def test_the_report_is_the_truth_by_model_day_and_session(shared_data: Path) -> None:
    usage = shared_data / "usage"
    truth: dict[str, Any] = json.loads((usage / "claude_code.expected.json").read_text())
    desk = Desk(CLAUDE_CODE, usage / "claude_code")
    desk.run()
    for key, part in (("model", "by_model"), ("day", "daily"), ("session", "by_session_id")):
        report = asked(desk, key)
        assert report.total_cost == Decimal("11.04254485")
        assert {row.category: (row.cost, row.count) for row in report.breakdown} == {
            name: (Decimal(wanted["cost_usd"]), wanted["messages"])
            for name, wanted in truth[part].items()
            if wanted["messages"]
        }
        tokens = report.tokens.model_dump(exclude={"reasoning_tokens"})
        assert tokens == {name: truth["total"][name] for name in tokens}


def test_an_import_in_pieces_reports_what_one_import_reports(
    shared_data: Path, tmp_path: Path
) -> None:
    """Growing files are imported again and again: corrections add up, and no fact counts twice."""
    source = shared_data / "usage" / "claude_code"
    folder = tmp_path / "claude_code"
    files = sorted(source.rglob("*.jsonl"))
    pieces = Desk(CLAUDE_CODE, folder)
    for share in (0.3, 0.6, 1.0):
        for file in files:
            place = folder / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            lines = file.read_bytes().splitlines(keepends=True)
            place.write_bytes(b"".join(lines[: max(int(len(lines) * share), 1)]))
        pieces.run()
    shutil.rmtree(folder)
    whole = Desk(CLAUDE_CODE, source)
    whole.run()
    assert len(pieces.records) > len(whole.records)
    for key in ("model", "session", "tool", "project"):
        found, wanted = asked(pieces, key), asked(whole, key)
        assert found.breakdown == wanted.breakdown
        assert found.total_cost == wanted.total_cost
        assert found.tokens == wanted.tokens
