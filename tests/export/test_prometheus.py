"""The exposition: what prometheus_client's own parsers read is what stands in the store."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.core import Metric, Sample
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import MetricRecord, OperationRecord, Origin
from contextframe_monitoring.export.exporter import MetricsExporter
from contextframe_monitoring.export.metrics.group import Limits
from contextframe_monitoring.export.prometheus import (
    PrometheusExposition,
    metric_name,
    unit_word,
)
from contextframe_monitoring.ingest.recorder import open_recorder
from contextframe_monitoring.store.store import Store
from tests.clocks import ManualClock
from tests.export.stores import GIT, NOW_US, Filled, cost, event, metric, operation, use

GOLDEN = Path(__file__).parent / "golden"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def examples(folder: Path) -> Filled:
    return Filled(folder).drain(
        operation(correlation_id=TRACE),
        operation(status="error", error_type='bad "quotes"\\ and\nlines', target="a\tb"),
        operation(operation_type="summarise", origin=Origin(server="app")),
        cost(),
        cost(amount_nano_usd=-5),
        cost(amount_nano_usd=None, model="new"),
        use(),
        event(),
        metric(),
        metric(name="orders", kind="counter", value=2.5),
        metric(name="response size", kind="histogram", unit="By", value=700.0),
    )


def samples(families: list[Metric]) -> list[Sample]:
    return [sample for family in families for sample in family.samples]


def series(families: list[Metric]) -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    return Counter((s.name, tuple(sorted(s.labels.items()))) for s in samples(families))


def exposed(filled: Filled, **limits: Any) -> PrometheusExposition:
    return PrometheusExposition(filled.store, Limits(**limits), clock=ManualClock(NOW_US))


def test_the_texts_are_what_they_were(tmp_path: Path) -> None:
    """Run with UPDATE_GOLDEN=1 to accept new ones."""
    exposition = exposed(examples(tmp_path), attribute_keys=("region",))
    written = {"metrics.prom": exposition.text(), "metrics.om": exposition.openmetrics()}
    for name, text in written.items():
        lines = [line for line in text.splitlines(True) if "build_info{" not in line]
        if os.environ.get("UPDATE_GOLDEN"):
            (GOLDEN / name).write_text("".join(lines))
        assert "".join(lines) == (GOLDEN / name).read_text()


@pytest.mark.requirement("001:prom:own-registry", "004:ac:dashboard-format", "004:test:format")
def test_prometheus_client_writes_the_same(tmp_path: Path) -> None:
    exposition = exposed(examples(tmp_path))
    theirs = list(parse_text(generate_latest(exposition.registry).decode()))
    assert list(parse_text(exposition.text())) == theirs
    theirs = list(parse_openmetrics(generate_openmetrics(exposition.registry).decode()))
    assert list(parse_openmetrics(exposition.openmetrics())) == theirs


@pytest.mark.requirement("export:prometheus:unique")
def test_no_series_stands_twice(tmp_path: Path) -> None:
    exposition = exposed(examples(tmp_path))
    for families in (parse_text(exposition.text()), parse_openmetrics(exposition.openmetrics())):
        assert set(series(list(families)).values()) == {1}


@pytest.mark.requirement(
    "004:dash:exposition", "004:dash:counter-gauge", "004:dash:histogram", "002:order:exporter"
)
@pytest.mark.requirement("export:prometheus:names")
def test_names_and_units_are_those_of_the_conventions(tmp_path: Path) -> None:
    text = exposed(examples(tmp_path)).text()
    kinds = dict(line.split()[2:] for line in text.splitlines() if line.startswith("# TYPE"))
    assert kinds == {
        "mcp_server_operation_duration_seconds": "histogram",
        "contextframe_monitoring_operation_duration_seconds": "histogram",
        "contextframe_monitoring_operations_total": "counter",
        "contextframe_monitoring_request_size_bytes_total": "counter",
        "contextframe_monitoring_result_size_bytes_total": "counter",
        "contextframe_monitoring_usage_total": "counter",
        "contextframe_monitoring_events_total": "counter",
        "contextframe_monitoring_event_duration_seconds": "histogram",
        "contextframe_monitoring_event_number": "summary",
        "queue_depth": "gauge",
        "orders_total": "counter",
        "response_size_bytes": "histogram",
        "contextframe_monitoring_cost_usd_total": "counter",
        "contextframe_monitoring_cost_negative_usd_total": "counter",
        "contextframe_monitoring_cost_unknown_total": "counter",
        "contextframe_monitoring_tokens_total": "counter",
        "gen_ai_client_token_usage": "histogram",
        "contextframe_monitoring_recorded_total": "counter",
        "contextframe_monitoring_stored_total": "counter",
        "contextframe_monitoring_lost_total": "counter",
        "contextframe_monitoring_undrained": "gauge",
        "contextframe_monitoring_drain_lag_seconds": "gauge",
        "contextframe_monitoring_writers": "gauge",
        "contextframe_monitoring_active_operations": "gauge",
        "contextframe_monitoring_connections": "gauge",
        "contextframe_monitoring_build_info": "gauge",
    }


@pytest.mark.requirement("export:prometheus:exemplars")
def test_exemplars_carry_trace_ids_in_openmetrics_only(tmp_path: Path) -> None:
    exposition = exposed(examples(tmp_path))
    found = [s for s in samples(list(parse_openmetrics(exposition.openmetrics()))) if s.exemplar]
    assert [(s.labels["le"], s.exemplar.labels, s.exemplar.value) for s in found] == [
        ("0.02", {"trace_id": TRACE}, 0.0125)
    ]
    assert TRACE not in exposition.text()


@pytest.mark.requirement("export:prometheus:formats")
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; q=0", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=rubbish,;;,=", "application/openmetrics-text; "
         "version=1.0.0; charset=utf-8"),
        ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
         "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)  # fmt: skip
def test_the_accept_header_chooses_the_format(filled: Filled, accept: str, expected: str) -> None:
    content_type, body = exposed(filled.drain(cost())).exposition(accept)
    assert content_type == expected
    parse = parse_openmetrics if "openmetrics" in content_type else parse_text
    assert samples(list(parse(body.decode())))


@pytest.mark.requirement("export:prometheus:bounded")
def test_ten_thousand_tools_stay_within_the_bound_and_lose_no_call(filled: Filled) -> None:
    for start in range(0, 10_000, 2500):
        filled.drain(*(operation(target=f"tool{n}") for n in range(start, start + 2500)))
    families = list(parse_text(exposed(filled, series_max=100).text()))
    counts = [
        s for s in samples(families) if s.name == "mcp_server_operation_duration_seconds_count"
    ]
    assert len(counts) == 51
    assert sum(s.value for s in counts) == 10_000
    assert {s.value for s in counts if s.labels["gen_ai_tool_name"] == "other"} == {9950}


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.sampled_from(
    ["x", "x_total", "x_sum", "x_count", "x_bucket", "x_created", "x_info", "x_seconds", "x.y",
     "x-y", "X", "0x", "_", "le", "queue", "queue_gauge", "queue_negative", "orders.total"]
)  # fmt: skip


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.builds(
            MetricRecord,
            time_us=st.integers(0, NOW_US),
            name=NAMES,
            value=st.floats(allow_nan=False),
            kind=st.sampled_from(["gauge", "counter", "histogram"]),
            unit=st.none()
            | st.sampled_from(["s", "By", "1", "seconds", "total", "{x}/s", "é", ""]),
            origin=st.builds(Origin, server=st.none() | NAMES),
            attributes=st.lists(NAMES.map("k=".__add__), max_size=2).map(tuple),
        ),
        max_size=12,
    ),
    st.lists(
        st.builds(
            OperationRecord,
            time_us=st.integers(NOW_US - 10**12, NOW_US),
            operation_type=NAMES | st.just("tools/call"),
            status=st.sampled_from(["success", "error", "timeout"]),
            duration_ms=st.none() | st.floats(),
            target=st.none() | NAMES,
            error_type=st.none() | NAMES,
            correlation_id=st.none() | st.just(TRACE) | NAMES,
            origin=st.sampled_from([GIT, Origin()]),
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_any_names_and_labels_are_valid_unique_and_escaped(
    metrics: list[MetricRecord], operations: list[OperationRecord]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        filled = Filled(Path(folder)).drain(*metrics, *operations)
        exposition = exposed(filled, attribute_keys=("k",))
        for families in (
            list(parse_text(exposition.text())),
            list(parse_openmetrics(exposition.openmetrics())),
        ):
            assert set(series(families).values()) == {1}
            assert len({family.name for family in families}) == len(families)
        theirs = parse_openmetrics(generate_openmetrics(exposition.registry).decode())
        assert families == list(theirs)


@pytest.mark.requirement("export:labels:hostile")
def test_hostile_labels_come_back_printable_and_whole(filled: Filled) -> None:
    hostile = 'a"b\\c\nd\0e\u2028' + "x" * 10_000
    filled.drain(operation(target=hostile))
    shown = {s.labels.get("gen_ai_tool_name") for s in samples(list(parse_text(
        exposed(filled).text())))} - {None}  # fmt: skip
    assert shown == {'a"b\\c\ufffdd\ufffde\ufffd' + "x" * 117 + "…"}


def test_names_and_units_become_prometheus_words() -> None:
    assert [metric_name(name) for name in ("queue.depth", "7 up", "é", "", "a--b", "A_b")] == [
        "queue_depth", "_7_up", "_", "_", "a_b", "A_b",
    ]  # fmt: skip
    units = ("s", "ms", "By", "By/s", "1", "%", "{request}", "{x}/s", "USD", "µ!", "")
    assert [unit_word(unit) for unit in units] == [
        "seconds", "milliseconds", "bytes", "bytes_per_second", "", "percent", "", "per_second",
        "usd", "", "",
    ]  # fmt: skip


@pytest.mark.requirement("001:prom:metrics")
def test_the_monitor_shows_itself(tmp_path: Path) -> None:
    config = MonitoringConfig(store=str(tmp_path / "store"), start_keeper=False)
    recorder, store = open_recorder(config, label="t"), Store(str(tmp_path / "store"))
    recorder.operation_started()
    recorder.connections_changed(2)
    recorder.record(operation(time_us=NOW_US - 3_000_000))
    recorder.record(object())  # type: ignore[arg-type]
    exposition = PrometheusExposition(store, clock=ManualClock(NOW_US))
    prefix = "contextframe_monitoring_"
    shown = {
        s.name.removeprefix(prefix): s.value
        for s in samples(list(parse_text(exposition.text())))
        if s.name.startswith(prefix) and not s.labels
    }
    assert shown == {
        "recorded_total": 2, "stored_total": 0, "undrained": 1, "drain_lag_seconds": 3,
        "writers": 1, "active_operations": 1, "connections": 2,
    }  # fmt: skip
    lost = {s.labels["reason"]: s.value for s in samples(list(parse_text(exposition.text())))
            if s.name == f"{prefix}lost_total" and s.value}  # fmt: skip
    assert lost == {"invalid": 1}
    recorder.close()


def test_a_window_and_a_subject_go_out_as_text(filled: Filled, exporter: MetricsExporter) -> None:
    filled.drain(cost(), cost(time_us=NOW_US + 10), operation())
    exported = exporter.export("cost", "prometheus", end_us=NOW_US + 1)
    assert exported.content is not None
    families = list(parse_text(exported.content))
    assert exported.rows == len(samples(families))
    amounts = [s.value for s in samples(families) if s.name.endswith("cost_usd_total")]
    assert amounts == [0.06]
    assert not [family for family in families if "mcp" in family.name]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_lint(tmp_path: Path) -> None:
    text = exposed(examples(tmp_path)).text()
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
