"""OTLP/HTTP: what real instrumentations send, and what nobody should."""

from __future__ import annotations

import gzip
import itertools
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.ingest.otlp.bodies import BODY_BYTES_MAX, INFLATED_BYTES_MAX, SIGNALS
from contextframe_monitoring.ingest.otlp.documents import document
from contextframe_monitoring.ingest.otlp.logs import read_logs
from contextframe_monitoring.ingest.otlp.metrics import read_points
from contextframe_monitoring.ingest.otlp.reading import Reading
from contextframe_monitoring.ingest.otlp.spans import read_spans
from contextframe_monitoring.store.facts import IMPORT_LOCK
from contextframe_monitoring.store.machine import FileLock
from contextframe_monitoring.web.otlp import door_of
from tests.ingest.otlp.desk import desk, totals
from tests.ingest.otlp.payloads import JSON, PROTOBUF, encoded, metrics, point, span, traces
from tests.processes import free_port, listens, started, until
from tests.support import recorded

FLAVOURS = ["openllmetry", "otelv2", "js", "pydantic_ai"]
ENDINGS = {"pb": PROTOBUF, "json": JSON}
NANO_USD = {
    # gpt-4o-mini, gpt-4o, gpt-5-mini, embedding, gpt-5, sonnet 4.5, haiku 4.5
    "openllmetry": 193_200 + 3_220_000 + 369_600 + 160 + 1_848_000 + 14_488_800 + 4_829_600,
    "otelv2": 270_000 + 4_500_000 + 600_000 + 160,
    "js": 270_000 + 600_000 + 160,
    "pydantic_ai": 2 * 3_220_000 + 14_488_800,
}
"""Worked out by hand from the public price lists; pydantic-ai reports the same 0.0209288 USD."""
ORDERS = [
    ("traces", "metrics", "metrics_2"),
    ("metrics", "metrics_2", "traces", "metrics", "traces"),
    ("metrics_2", "traces", "metrics"),
]


def costs(store: Path) -> list[CostRecord]:
    return [record for record in recorded(store) if isinstance(record, CostRecord)]


async def post(
    http: httpx2.AsyncClient, signal: str, body: bytes, media: str, **headers: str
) -> Any:
    named = {"content-type": media, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await http.post(f"/v1/{signal}", content=body, headers=named)


@pytest.mark.requirement("cost:well:captures")
@pytest.mark.parametrize("order", ORDERS, ids=["spans-first", "metrics-first", "mixed"])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_what_was_served_is_counted_once(
    http: httpx2.AsyncClient,
    store: Path,
    shared_data: Path,
    flavour: str,
    ending: str,
    order: tuple[str, ...],
) -> None:
    for name in order:
        file = shared_data / "otlp" / flavour / f"{name}.{ending}"
        if file.exists():
            signal, media = name.split("_")[0], ENDINGS[ending]
            answer = await post(http, signal, file.read_bytes(), media)
            assert (answer.status_code, answer.headers["content-type"]) == (200, media)
            assert answer.content == (b"{}" if media == JSON else b"")
    expected = json.loads((shared_data / "otlp" / "expected.json").read_text())["flavours"][flavour]
    truth = expected["totals"] | expected.get("recoverable_from_spans", {})
    found = totals(costs(store))
    cached = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    assert found["input_tokens"] + sum(found[name] for name in cached) == truth["input_tokens"]
    assert found["output_tokens"] == truth["output_tokens"]
    if flavour not in ("otelv2", "js"):  # these two say nothing of the cache
        assert found["cache_read_tokens"] == truth["cache_read_tokens"]
        assert found["cache_write_1h_tokens"] == truth["cache_write_1h_tokens"]
        assert found["cache_write_5m_tokens"] == (
            truth["cache_write_tokens"] - truth["cache_write_1h_tokens"]
        )
    assert found["amount_nano_usd"] == NANO_USD[flavour]
    assert found["unknown"] == truth["calls_without_usage"]
    missing = 1 if flavour == "otelv2" else 0
    assert found["calls"] == truth["calls"] - truth["errors"] - missing


@pytest.mark.requirement("cost:otlp:door")
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_both_encodings_give_the_same_rows(tmp_path: Path, shared_data: Path, flavour: str) -> None:
    rows = []
    for ending, media in ENDINGS.items():
        with desk(tmp_path / ending) as door:
            for name in ("metrics", "traces"):
                body = (shared_data / "otlp" / flavour / f"{name}.{ending}").read_bytes()
                assert door.door.receive(name, body, media).status == 200
            rows.append(door.costs)
    assert rows[0] == rows[1]


@pytest.mark.requirement("cost:otlp:door")
@pytest.mark.parametrize("media", [JSON, PROTOBUF])
async def test_a_body_may_be_compressed(http: httpx2.AsyncClient, store: Path, media: str) -> None:
    body = encoded("traces", traces(span()), media)
    packed = gzip.compress(body[:40]) + gzip.compress(body[40:])
    answer = await post(http, "traces", packed, f"{media}; charset=utf-8", content_encoding="gzip")
    assert (answer.status_code, totals(costs(store))["calls"]) == (200, 1)


BOMB = gzip.compress(b" " * (INFLATED_BYTES_MAX + 1), 1)
REFUSED = {
    "json-garbage": (b"{", JSON, {}, 400, "body = '1 bytes' is not allowed: OTLP/JSON: "),
    "json-list": (b"[]", JSON, {}, 400, "body = 'list' is not allowed: OTLP/JSON: expected"),
    "json-deep": (b"[" * 100_000, JSON, {}, 400, "body = '100000 bytes' is not allowed"),
    "protobuf-garbage": (b"\xff\xfe\xfd", PROTOBUF, {}, 400, "body = '3 bytes' is not allowed"),
    "text": (b"hello", "text/plain", {}, 415, "Content-Type = 'text/plain' is not supported"),
    "untyped": (b"{}", "", {}, 415, "Content-Type = "),
    "brotli": (b"{}", JSON, {"content_encoding": "br"}, 415, "Content-Encoding = 'br'"),
    "no-gzip": (b"{}", JSON, {"content_encoding": "gzip"}, 400, "body = '2 bytes' is not allowed"),
    "cut-gzip": (BOMB[:30], JSON, {"content_encoding": "gzip"}, 400, "body = '30 bytes' is not"),
    "bomb": (BOMB, JSON, {"content_encoding": "gzip"}, 413, "inflated body = "),
    "huge": (b" " * (BODY_BYTES_MAX + 1), PROTOBUF, {}, 413, "body = "),
}


@pytest.mark.requirement("cost:otlp:limits", "cost:bad:otlp")
@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_read_is_one_clear_error(
    http: httpx2.AsyncClient, store: Path, name: str
) -> None:
    body, media, headers, status, message = REFUSED[name]
    for signal in SIGNALS:
        answer = await post(http, signal, body, media, **headers)
        assert answer.status_code == status
        if media == PROTOBUF:  # google.rpc.Status: 1 code, 2 message
            assert answer.headers["content-type"] == PROTOBUF
            assert answer.content[0] == 8
            assert message.encode() in answer.content
        else:
            told = answer.json()
            assert sorted(told) == ["code", "message"]
            assert told["message"].startswith(message)
    assert recorded(store) == []


@pytest.mark.requirement("cost:otlp:limits")
async def test_a_partial_success_is_said_in_protobuf_too(http: httpx2.AsyncClient) -> None:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceResponse,
    )

    body = encoded("metrics", metrics(point(-5.0), point(5.0)), PROTOBUF)
    answer = await post(http, "metrics", body, PROTOBUF)
    told = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, told.rejected_data_points) == (200, 1)
    assert told.error_message.startswith("gen_ai.client.token.usage = -5 is not allowed")


async def test_without_protobuf_json_still_works_and_the_answer_says_what_to_install(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry.proto")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "opentelemetry.proto", None)
    answer = await post(http, "traces", b"", PROTOBUF)
    assert answer.status_code == 415
    assert b"pip install 'contextframe-monitoring[otlp]'" in answer.content
    assert (await post(http, "traces", b"{}", JSON)).status_code == 200


async def test_other_methods_hosts_and_pages_are_refused(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/v1/traces")).status_code == 405
    foreign = await post(http, "traces", b"{}", JSON, host="evil.example")
    page = await post(http, "traces", b"{}", JSON, origin="https://evil.example")
    own = await post(http, "traces", b"{}", JSON, origin="http://localhost:3000")
    assert [foreign.status_code, page.status_code, own.status_code] == [421, 403, 200]


async def test_while_an_import_is_at_work_the_sender_is_told_to_come_again(
    tmp_path: Path,
) -> None:
    with desk(tmp_path / "s") as found:
        lock = FileLock(found.monitor.store.spool_root / IMPORT_LOCK)
        assert lock.acquire()
        found.door._lock_wait_seconds = 0.0
        assert found.send("traces", traces(span())).status == 503
        lock.release()
        assert found.send("traces", traces(span())).status == 200


@pytest.mark.parametrize("switch", ["enabled", "track_costs"])
def test_where_nothing_is_recorded_nothing_is_taken(tmp_path: Path, switch: str) -> None:
    with Monitor.open(store=str(tmp_path / "s"), start_keeper=False, **{switch: False}) as monitor:
        answer = door_of(monitor).receive("traces", b"{}", JSON)
    assert answer.status == 503
    assert switch.encode() in answer.body


def test_a_real_server_takes_telemetry_and_reports_it(tmp_path: Path) -> None:
    store, port = str(tmp_path / "store"), free_port()
    body = gzip.compress(encoded("traces", traces(span()), PROTOBUF))
    headers = {"Content-Type": PROTOBUF, "Content-Encoding": "gzip"}
    url = f"http://127.0.0.1:{port}"
    with started("serve", "--http", f"127.0.0.1:{port}", "--store", store):
        until(lambda: listens(port))
        for _ in range(2):
            request = urllib.request.Request(f"{url}/v1/traces", body, headers)
            with urllib.request.urlopen(request, timeout=20) as answer:
                assert (answer.status, answer.read()) == (200, b"")
        assert totals(_stored(store))["calls"] == 1
        until(lambda: _status(f"{url}/health/ready") == 200)
        assert _status(f"{url}/health/live") == 200


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _stored(store: str) -> list[CostRecord]:
    """The cost rows of a store, drained or not, as records."""
    from contextframe_monitoring.store.schemas import COST
    from contextframe_monitoring.store.snapshot import Snapshot
    from contextframe_monitoring.store.store import Store

    columns = ["metadata", "amount_nano_usd", "input_tokens"]
    rows = [
        row
        for batch in Snapshot(Store(store)).batches(COST, columns, None, None)
        for row in batch.to_pylist()
    ]
    return [
        CostRecord(time_us=0, cost_type="llm", provider=None, provenance=None, **row)
        for row in rows
    ]


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**400, 10**400 + 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
KEYS = st.sampled_from(
    [
        "resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "intValue", "traceId",
        "resourceMetrics", "scopeMetrics", "metrics", "name", "sum", "dataPoints", "asInt", "scope",
        "resourceLogs", "scopeLogs", "logRecords", "timeUnixNano", "status", "stringValue", "kind",
    ]
)  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(tree=st.dictionaries(KEYS, TREES, max_size=3))
@settings(max_examples=150, deadline=None)
def test_no_document_is_more_than_refused(tree: dict[str, Any]) -> None:
    reading = Reading()
    read_points(tree, reading)
    assert [read_spans(tree).facts, read_logs(tree).facts] == [[], []]


MUTATED = st.tuples(st.sampled_from(["span", "point"]), st.integers(0, 20), LEAVES | TREES)


@given(mutation=MUTATED)
@settings(max_examples=150, deadline=None)
def test_no_value_of_a_field_is_more_than_refused(mutation: tuple[str, int, Any]) -> None:
    kind, number, value = mutation
    one = span() if kind == "span" else point(5.0)
    paths = [(one, key) for key in one]
    paths += [(pair["value"], next(iter(pair["value"]))) for pair in one["attributes"]]
    holder, key = paths[number % len(paths)]
    holder[key] = value
    reading = Reading()
    if kind == "span":
        read_spans(traces(one))
    else:
        read_points({"resourceMetrics": [{"scopeMetrics": [{"metrics": [_metric(one)]}]}]}, reading)


def _metric(one: dict[str, Any]) -> dict[str, Any]:
    data = {"aggregationTemporality": 2, "dataPoints": [{**one, "sum": one.get("value")}]}
    return {"name": "gen_ai.client.token.usage", "histogram": data}


@given(body=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_bytes_are_more_than_refused(body: bytes) -> None:
    from contextframe_monitoring.core.errors import InvalidError

    for signal, media in itertools.product(SIGNALS, (JSON, PROTOBUF)):
        try:
            found = document(signal, media, body)
        except InvalidError:
            continue
        read_spans(found)
