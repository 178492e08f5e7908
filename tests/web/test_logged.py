"""`serve --http` with a log file and samples of itself: one id over both layers, metrics at the
scrape.
"""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.records import OWN_SERVER
from contextframe_monitoring.core.resource_settings import ResourceSettings
from contextframe_monitoring.ingest.otlp.bodies import SIGNALS
from contextframe_monitoring.mcp.serve import http_app
from contextframe_monitoring.web.app import web_app
from tests.ingest.otlp.payloads import JSON, encoded, span, traces
from tests.logs.lines import lines_of, logging_monitor
from tests.processes import free_port, started, until
from tests.support import recorded
from tests.web.conftest import BASE


def client_of(monitor: Monitor) -> httpx2.AsyncClient:
    app = web_app(monitor, http_app(monitor, "127.0.0.1"))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE)


async def test_each_request_has_a_line_probes_are_quiet_and_nothing_is_recorded(
    tmp_path: Path,
) -> None:
    with logging_monitor(tmp_path) as monitor:
        async with client_of(monitor) as client:
            for path in ("/health/live", "/metrics", "/health/ready", "/nowhere"):
                answer = await client.get(path, headers={"X-Correlation-ID": "mine"})
                assert answer.headers["x-correlation-id"] == "mine"
    found = [(line["message"], line["context"]["target"]) for line in lines_of(tmp_path)]
    assert found == [("request.failed", "/health/ready"), ("request.handled", "(no route)")]
    assert recorded(tmp_path / "store") == []


async def test_without_a_log_file_answers_name_no_id(tmp_path: Path) -> None:
    with logging_monitor(tmp_path, logging={"file": None}) as monitor:
        async with client_of(monitor) as client:
            answer = await client.get("/health/live", headers={"X-Correlation-ID": "mine"})
    assert "x-correlation-id" not in answer.headers


async def test_what_opentelemetry_tells_keeps_its_own_ids(tmp_path: Path) -> None:
    assert "traces" in SIGNALS
    body: Any = encoded("traces", traces(span()), JSON)
    headers = {"content-type": JSON, "X-Correlation-ID": "bringer"}
    with logging_monitor(tmp_path) as monitor:
        async with client_of(monitor) as client:
            answer = await client.post("/v1/traces", content=body, headers=headers)
            assert answer.status_code == 200
    ids = {record.correlation_id for record in recorded(tmp_path / "store")}
    assert ids
    assert "bringer" not in ids


@pytest.mark.requirement("002:perf:resource-utilization", "004:log:trace-services")
@pytest.mark.parametrize("era", ["auto", "legacy"])
@pytest.mark.requirement("export:resources:sampled")
async def test_serve_samples_itself_and_logs_both_layers_with_one_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, era: Any
) -> None:
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_RESOURCES__SAMPLE_SECONDS", "0.5")
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_LOGGING__FILE", str(tmp_path / "app.log"))
    port = free_port()
    address = f"127.0.0.1:{port}"
    with started("serve", "--http", address, "--store", str(tmp_path / "store")):
        wanted = ("process_memory_usage_bytes", "process_cpu_utilization",
                  "process_unix_file_descriptor_count", "monitoring_event_loop_lag_seconds",
                  "monitoring_spool_undrained_bytes", "process_cpu_time_seconds_total")  # fmt: skip
        until(
            lambda: all(f'{name}{{server="{OWN_SERVER}"}}' in _scrape(address) for name in wanted)
        )
        async with Client(f"http://{address}/mcp", mode=era) as client:
            status = await client.call_tool("get_monitoring_status", {})
    [use] = status.structured_content["resources"]
    assert use["server"] == OWN_SERVER
    assert 0 <= use["figures"]["monitoring.event_loop.lag"] <= 1
    assert use["figures"]["process.memory.usage"] > 10_000_000
    assert "event loop lag" in status.content[0].text
    by_id: dict[str, list[str]] = {}
    for line in lines_of(tmp_path):
        by_id.setdefault(line["correlation_id"], []).append(line["logger"])
    assert ["mcp", "http"] in by_id.values()


def _scrape(address: str) -> str:
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def test_keep_samples_itself_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTEXTFRAME_MONITORING_RESOURCES__SAMPLE_SECONDS", "0.5")
    config = MonitoringConfig(
        store=str(tmp_path / "store"), enabled=False, resources=ResourceSettings(sample_seconds=0)
    )
    with started("keep", "--store", str(tmp_path / "store")), Monitor.open(config) as monitor:
        until(lambda: [use.server for use in monitor.reports.status().resources] == [OWN_SERVER])
