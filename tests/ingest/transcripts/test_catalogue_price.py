"""Transcripts priced by the catalogue that ships."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from contextframe_monitoring.ingest.transcripts.catalogue_price import catalogue_price
from contextframe_monitoring.ingest.transcripts.claude_code import CLAUDE_CODE
from contextframe_monitoring.ingest.transcripts.codex import CODEX
from contextframe_monitoring.ingest.transcripts.dialect import Dialect
from contextframe_monitoring.store.catalogue import Catalogue
from tests.ingest.transcripts.desk import OPUS, Desk, line, written


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


@pytest.mark.parametrize(("dialect", "name"), [(CLAUDE_CODE, "claude_code"), (CODEX, "codex")])
def test_the_developer_data_cost_what_they_should_by_the_catalogue(
    usage_data: Path, catalogue: Catalogue, dialect: Dialect, name: str
) -> None:
    desk = Desk(dialect, usage_data / name)
    desk.price = catalogue_price(catalogue)
    desk.run()
    total = json.loads((usage_data / f"{name}.expected.json").read_text())["total"]["cost_usd"]
    assert Decimal(desk.totals()["amount_nano_usd"]).scaleb(-9) == Decimal(total)


def test_odd_names_of_models_tiers_and_speeds_are_unknown_not_errors(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    entries = [
        line("m1", "r1", model="nobody's model"),
        line("m2", "r2", usage={"service_tier": " ", "speed": ""}),
        line("m3", "r3", usage={"speed": "warp"}),
        {**line("m4", "r4", usage={"server_tool_use": {"web_search_requests": 2}})},
        line("m5", "r5", model=None),
    ]
    written(tmp_path / "p" / "s.jsonl", *entries)
    desk = Desk(CLAUDE_CODE, tmp_path)
    desk.price = catalogue_price(catalogue)
    report = desk.run()
    plain = 2 * 5000 + 1000 * 500 + 60 * 6250 + 40 * 10_000 + 10 * 25_000
    costs = {record.operation_id: record.amount_nano_usd for record in desk.records}
    assert costs == {
        "r1": None,
        "r2": plain,
        "r3": None,
        "r4": plain + 2 * 10_000_000,
        "r5": None,
    }
    assert report.unpriced == {"nobody's model": 1, OPUS: 1, "(no model)": 1}
