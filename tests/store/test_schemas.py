"""The tables as others meet them: the seed's columns first, readable without our code."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import lancedb
import pyarrow as pa
import pytest

from contextframe_monitoring.keeper import drain_once
from contextframe_monitoring.store.schemas import COST, METRIC_TABLES, PERFORMANCE, SCHEMAS, USAGE
from tests.store.filled import recorded_into, store_in

TIME, TEXT, NUMBER, COUNT = pa.timestamp("us", tz="UTC"), pa.string(), pa.float64(), pa.int64()
OF_THE_SEED = {
    USAGE: {
        "timestamp": TIME,
        "metric_type": TEXT,
        "resource_id": TEXT,
        "operation": TEXT,
        "agent_id": TEXT,
        "value": NUMBER,
        "metadata": TEXT,
    },
    PERFORMANCE: {
        "timestamp": TIME,
        "operation_id": TEXT,
        "operation_type": TEXT,
        "agent_id": TEXT,
        "duration_ms": NUMBER,
        "status": TEXT,
        "error": TEXT,
        "result_size": COUNT,
    },
    COST: {
        "timestamp": TIME,
        "operation_id": TEXT,
        "cost_type": TEXT,
        "provider": TEXT,
        "amount_usd": NUMBER,
        "units": COUNT,
        "agent_id": TEXT,
        "metadata": TEXT,
    },
}
ADDED_TO_ALL = {
    "writer", "seq", "batch", "server", "session_id", "correlation_id", "user_id", "environment",
    "agent_source", "attributes",
}  # fmt: skip
ADDED = {
    USAGE: {"category", "outcome", "duration_ms", "operation_id"},
    PERFORMANCE: {
        "target", "direction", "kind", "transport", "protocol_version", "error_type",
        "status_code", "request_size", "request_tokens", "result_tokens", "tokens_estimated",
    },
    COST: {
        "model", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens",
        "cache_write_1h_tokens", "output_tokens", "reasoning_tokens", "amount_nano_usd",
        "provenance", "price_id", "source", "fact_id",
    },
}  # fmt: skip
LABEL = pa.dictionary(pa.int32(), pa.string())


def _columns(table: str) -> dict[str, pa.DataType]:
    """Name -> type, a label counting as the text that it is to a reader."""
    return {
        field.name: TEXT if field.type.equals(LABEL) else field.type for field in SCHEMAS[table]
    }


@pytest.mark.requirement("002:schema:usage-timestamp", "002:schema:usage-metric-type")
@pytest.mark.requirement("002:schema:usage-resource-id", "002:schema:usage-operation")
@pytest.mark.requirement("002:schema:usage-agent-id", "002:schema:usage-value")
@pytest.mark.requirement("002:schema:usage-metadata", "002:schema:perf-timestamp")
@pytest.mark.requirement("002:schema:perf-operation-id", "002:schema:perf-operation-type")
@pytest.mark.requirement("002:schema:perf-agent-id", "002:schema:perf-duration")
@pytest.mark.requirement("002:schema:perf-status", "002:schema:perf-error")
@pytest.mark.requirement("002:schema:perf-result-size", "002:schema:cost-timestamp")
@pytest.mark.requirement("002:schema:cost-operation-id", "002:schema:cost-type")
@pytest.mark.requirement("002:schema:cost-provider", "002:schema:cost-amount")
@pytest.mark.requirement("002:schema:cost-units", "002:schema:cost-agent-id")
@pytest.mark.requirement("002:schema:cost-metadata")
@pytest.mark.parametrize("table", METRIC_TABLES)
def test_the_columns_of_the_seed_stand_first_with_their_types(table: str) -> None:
    wanted = OF_THE_SEED[table]
    assert list(_columns(table).items())[: len(wanted)] == list(wanted.items())


@pytest.mark.requirement("spine:tables:added-columns")
@pytest.mark.parametrize("table", METRIC_TABLES)
def test_what_the_design_adds_is_there(table: str) -> None:
    assert (ADDED_TO_ALL | ADDED[table]) - _columns(table).keys() == set()


def test_labels_have_the_only_keys_that_compaction_keeps() -> None:
    kinds = {field.type for schema in SCHEMAS.values() for field in schema}
    assert {kind for kind in kinds if pa.types.is_dictionary(kind)} == {LABEL}


@pytest.mark.requirement("002:store:lance", "spine:tables:lancedb", "spine:tables:any-tool")
@pytest.mark.requirement("000:dep:time-series-db", "003:dep:timescale")
def test_the_tables_are_read_with_lance_and_lancedb_alone(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    writer = recorded_into(store, 50).writer
    drain_once(store)
    database = lancedb.connect(store.uri)
    held = {name: database.open_table(name).count_rows() for name in METRIC_TABLES}
    assert held == {USAGE: 30, PERFORMANCE: 10, COST: 10}
    program = f"""
import json, lance, sys
seen = []
for table in {METRIC_TABLES!r}:
    rows = lance.dataset(f"{store.uri}/{{table}}.lance").to_table(["writer", "seq"]).to_pylist()
    seen += [[row["writer"], row["seq"]] for row in rows]
assert not [name for name in sys.modules if name.startswith("contextframe")]
print(json.dumps(seen))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    seen = Counter(map(tuple, json.loads(run.stdout)))
    assert seen == Counter({(writer, seq): 1 for seq in range(1, 51)})
