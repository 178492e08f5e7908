"""Reports go out whole as JSON, and as the rows of their breakdown."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.export.exporter import MetricsExporter


class Tokens(BaseModel):
    input_tokens: int
    output_tokens: int | None = None


class Row(BaseModel):
    category: str
    cost: Decimal | None
    tokens: Tokens
    keys: dict[str, str] = {}
    tags: tuple[str, ...] = ()


class Report(BaseModel):
    total_cost: Decimal
    start: dt.datetime
    breakdown: tuple[Row, ...]


REPORT = Report(
    total_cost=Decimal("123456789.000000001"),
    start=dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
    breakdown=(
        Row(category="=a", cost=Decimal("0.000000001"), tokens=Tokens(input_tokens=1)),
        Row(
            category="b",
            cost=None,
            tokens=Tokens(input_tokens=2, output_tokens=3),
            keys={"model": "m"},
            tags=("x", "y"),
        ),
    ),
)


def test_json_is_the_whole_report_with_exact_money(exporter: MetricsExporter) -> None:
    exported = exporter.export_report(REPORT)
    assert exported.content is not None
    assert exported.rows == 2
    assert json.loads(exported.content, parse_float=Decimal) == {
        "total_cost": Decimal("123456789.000000001"),
        "start": "2026-11-01T00:00:00Z",
        "breakdown": [
            {
                "category": "=a", "cost": Decimal("0.000000001"),
                "tokens": {"input_tokens": 1, "output_tokens": None}, "keys": {}, "tags": [],
            },
            {
                "category": "b", "cost": None, "tokens": {"input_tokens": 2, "output_tokens": 3},
                "keys": {"model": "m"}, "tags": ["x", "y"],
            },
        ],
    }  # fmt: skip
    assert '"cost": 0.000000001,' in exported.content


def test_csv_holds_the_rows_of_the_breakdown(exporter: MetricsExporter) -> None:
    content = exporter.export_report(REPORT, "csv").content
    assert content is not None
    assert list(csv.DictReader(io.StringIO(content))) == [
        {
            "category": "=a", "cost": "0.000000001", "tokens.input_tokens": "1",
            "tokens.output_tokens": "", "tags": "[]", "keys.model": "",
        },
        {
            "category": "b", "cost": "", "tokens.input_tokens": "2",
            "tokens.output_tokens": "3", "tags": '["x","y"]', "keys.model": "m",
        },
    ]  # fmt: skip


def test_parquet_keeps_decimals_and_describes_its_columns(
    exporter: MetricsExporter, tmp_path: Path
) -> None:
    exported = exporter.export_report(REPORT, "parquet", output=tmp_path / "r.parquet")
    rows = pq.read_table(tmp_path / "r.parquet").to_pylist()
    assert [row["cost"] for row in rows] == [Decimal("0.000000001"), None]
    assert exported.schema_path is not None
    described = json.loads(Path(exported.schema_path).read_text())
    assert described["report"] == "Report"
    assert described["columns"][0] == {"name": "category", "type": "string"}


def test_a_report_without_a_breakdown_is_one_row(exporter: MetricsExporter) -> None:
    content = exporter.export_report(Tokens(input_tokens=5), "jsonl").content
    assert content == '{"input_tokens":5,"output_tokens":null}\n'


def test_a_report_is_no_exposition(exporter: MetricsExporter) -> None:
    with pytest.raises(InvalidError, match="a report goes out as json, jsonl or csv"):
        exporter.export_report(REPORT, "prometheus")
