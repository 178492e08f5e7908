"""Every format gives back the rows that stand in the store, and the same bytes as ever."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import CostRecord, EventRecord, Origin
from contextframe_monitoring.export.exporter import MetricsExporter
from contextframe_monitoring.store.schemas import COST, SCHEMAS, published
from tests.export.stores import NOW_US, Filled, cost, event, metric, operation, use

GOLDEN = Path(__file__).parent / "golden"
FORMATS = ("json", "jsonl", "csv", "parquet", "arrow")
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NANO = st.integers(-(2**63), 2**63 - 1)


def rows_of(filled: Filled, subject: str) -> list[dict[str, Any]]:
    """The truth: what Lance itself reads, in order."""
    dataset = filled.store.tables.dataset(f"{subject}_metrics")
    assert dataset is not None
    return list(dataset.scanner(scan_in_order=True).to_table().to_pylist())


def parsed(value: Any, name: str = "") -> Any:
    """Floats as floats, and money as the decimal that stands there."""
    if isinstance(value, dict):
        return {key: parsed(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [parsed(inner) for inner in value]
    return float(value) if isinstance(value, Decimal) and name != "amount_usd" else value


def read_json(data: bytes) -> list[dict[str, Any]]:
    return [parsed(row) for row in json.loads(data, parse_float=Decimal)]


def read_jsonl(data: bytes) -> list[dict[str, Any]]:
    lines = data.decode().split("\n")
    assert lines.pop() == ""
    return [parsed(json.loads(line, parse_float=Decimal)) for line in lines]


def read_csv(data: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def read_parquet(data: bytes) -> list[dict[str, Any]]:
    return list(pq.read_table(pa.BufferReader(data)).to_pylist())


def read_arrow(data: bytes) -> list[dict[str, Any]]:
    return list(pa.ipc.open_file(pa.BufferReader(data)).read_all().to_pylist())


READERS: dict[str, Callable[[bytes], list[dict[str, Any]]]] = {
    "json": read_json,
    "jsonl": read_jsonl,
    "csv": read_csv,
    "parquet": read_parquet,
    "arrow": read_arrow,
}


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    """How a row looks in JSON: exact money, ISO times, no float that is no number."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name == "timestamp":
            found[name] = value.isoformat(timespec="microseconds")
        elif name == "amount_usd" and "amount_nano_usd" in row:
            nano = row["amount_nano_usd"]
            found[name] = None if nano is None else Decimal(nano) / 10**9
        else:
            found[name] = value
    return found


def stands_in_csv(cell: str, value: Any) -> bool:
    """Whether a cell of CSV says the value: nothing where nothing is known."""
    if value is None or isinstance(value, bool):
        return cell == ("" if value is None else str(value).lower())
    if isinstance(value, list):
        return bool(json.loads(cell) == value)
    if isinstance(value, Decimal | float):
        return type(value)(cell) == value
    return cell == str(value)


def assert_round_trip(filled: Filled, subject: str, folder: Path) -> None:
    exporter = MetricsExporter(filled.store, MonitoringConfig())
    rows = rows_of(filled, subject)
    for name in FORMATS:
        path = folder / f"x.{name}"
        exported = exporter.export(subject, name, output=path)
        assert (exported.rows, exported.size_bytes) == (len(rows), path.stat().st_size)
        read = READERS[name](path.read_bytes())
        if name in ("parquet", "arrow"):
            assert read == rows
        elif name == "csv":
            assert [row.keys() for row in read] == [row.keys() for row in rows]
            for got, row in zip(read, map(as_json, rows), strict=True):
                assert {k: v for k, v in row.items() if not stands_in_csv(got[k], v)} == {}
        else:
            assert read == list(map(as_json, rows))


@pytest.mark.requirement("002:core:metrics-exporter")
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.builds(
            CostRecord,
            time_us=st.integers(0, 253_402_300_799_999_999),
            cost_type=TEXT,
            provider=st.none() | TEXT,
            amount_nano_usd=st.none() | NANO,
            provenance=st.just("computed"),
            model=st.none() | TEXT,
            units=st.none() | NANO,
            input_tokens=st.none() | NANO,
            metadata=st.none() | TEXT,
            fact_id=st.none() | TEXT,
            origin=st.builds(Origin, server=st.none() | TEXT, session_id=st.none() | TEXT),
            attributes=st.lists(TEXT, max_size=3).map(tuple),
        ),
        min_size=1,
        max_size=12,
    ),
    st.lists(
        st.builds(
            EventRecord,
            time_us=st.integers(0, NOW_US),
            name=TEXT,
            category=st.none() | TEXT,
            duration_ms=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            numbers=st.dictionaries(TEXT, st.floats(-1e9, 1e9), max_size=3),
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_any_rows_read_back_from_every_format(
    costs: list[CostRecord], events: list[EventRecord]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        filled = Filled(Path(folder)).drain(*costs, *events)
        assert_round_trip(filled, "cost", Path(folder))
        assert_round_trip(filled, "usage", Path(folder))


def test_many_batches_with_their_own_dictionaries_read_back(filled: Filled, tmp_path: Path) -> None:
    for batch in range(5):
        filled.drain(
            *(
                operation(target=f"tool{(batch * n) % 7}", status="error" if n % 3 else "success")
                for n in range(50)
            )
        )
    assert_round_trip(filled, "performance", tmp_path)


def examples() -> Filled:
    filled = Filled(Path(tempfile.mkdtemp()))
    return filled.drain(
        operation(),
        operation(
            target="=cmd|' /C calc'!A0",
            status="error",
            error_type="ValueError",
            error='a "quoted",\nbroken\tline \\ and a tab',
            duration_ms=None,
            time_us=NOW_US + 1,
            correlation_id="0af7651916cd43dd8448eb211c80319c",
            attributes=("region=eu", 'note=a,"b"'),
        ),
        cost(amount_nano_usd=1),
        cost(amount_nano_usd=None, provenance=None, model="unheard-of"),
        cost(amount_nano_usd=-(2**63), units=2**63 - 1),
        use(),
        event(numbers={"quality": 0.75, "tokens": 1e6}),
        metric(kind="counter", unit="By", value=1e-7),
    )


@pytest.mark.parametrize("name", ["json", "jsonl", "csv", "csv-excel"])
@pytest.mark.parametrize("subject", ["usage", "performance", "cost"])
def test_text_formats_are_what_they_were(subject: str, name: str) -> None:
    """Run with UPDATE_GOLDEN=1 to accept new bytes."""
    exporter = MetricsExporter(examples().store, MonitoringConfig())
    content = exporter.export(subject, name).content
    assert content is not None
    path = GOLDEN / f"{subject}.{name}"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_bytes(content.encode())
    assert content == path.read_bytes().decode()


def test_spreadsheets_get_no_formula_and_programs_get_the_text_itself() -> None:
    exporter = MetricsExporter(examples().store, MonitoringConfig())
    plain = exporter.export("performance", "csv").content
    safe = exporter.export("performance", "csv-excel").content
    assert plain is not None
    assert safe is not None
    assert read_csv(plain.encode())[1]["target"] == "=cmd|' /C calc'!A0"
    assert safe.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(safe.removeprefix("\ufeff"), newline="")))
    assert rows[1]["target"] == "'=cmd|' /C calc'!A0"
    assert not any(cell[:1] in "=+-@\t\r" for row in rows for cell in row.values() if cell)


def test_typed_formats_keep_types_and_meanings(filled: Filled, tmp_path: Path) -> None:
    filled.drain(cost())
    exporter = MetricsExporter(filled.store, MonitoringConfig())
    for name in ("parquet", "arrow"):
        exporter.export("cost", name, output=tmp_path / name)
    arrow = pa.ipc.open_file(tmp_path / "arrow").read_all().schema
    for schema in (pq.read_schema(tmp_path / "parquet"), arrow):
        for field, stored in zip(schema, SCHEMAS[COST], strict=True):
            kind = stored.type
            assert field.name == stored.name
            assert field.type == (kind.value_type if pa.types.is_dictionary(kind) else kind)
            assert field.metadata[b"meaning"] == stored.metadata[b"meaning"]


def test_a_schema_file_stands_beside_every_table(filled: Filled, tmp_path: Path) -> None:
    filled.drain(cost())
    exporter = MetricsExporter(filled.store, MonitoringConfig())
    for name in FORMATS:
        exported = exporter.export("cost", name, output=tmp_path / name)
        assert exported.schema_path == str(tmp_path / f"{name}.schema.json")
        described = json.loads(Path(exported.schema_path).read_text())
        facts = described.pop("export")
        assert described == published(COST)
        notes = facts.pop("notes")
        assert facts == {
            "format": name, "rows": 1, "size_bytes": exported.size_bytes,
            "sha256": exported.sha256,
        }  # fmt: skip
        assert notes


def test_an_empty_window_is_an_empty_table_in_every_format(filled: Filled, tmp_path: Path) -> None:
    filled.drain(cost())
    exporter = MetricsExporter(filled.store, MonitoringConfig())
    for name in FORMATS:
        exported = exporter.export("cost", name, end_us=0, output=tmp_path / name)
        assert (exported.rows, READERS[name]((tmp_path / name).read_bytes())) == (0, [])


def test_rollups_go_out_as_the_deltas_that_they_are(filled: Filled) -> None:
    import base64

    from contextframe_monitoring.store.rollup import rollup_rows
    from contextframe_monitoring.store.rows import Stored, rows
    from contextframe_monitoring.store.schemas import ROLLUP_1M

    raw = rows([Stored("w", 1, operation(duration_ms=1.5)), Stored("w", 2, cost())], 1)
    filled.append({**raw, ROLLUP_1M: rollup_rows(raw, 1)}, 2)
    exporter = MetricsExporter(filled.store, MonitoringConfig())
    content = exporter.export("rollup_1m", "jsonl").content
    assert content is not None
    first, second = (msgspec.json.decode(line) for line in content.splitlines())
    assert (first["subject"], first["count"], second["nano_usd"]) == (
        "performance", 1, 60_000_000,
    )  # fmt: skip
    assert base64.b64decode(first["histogram"]) == b"\x12\x00\x01\x00\x00\x00"
