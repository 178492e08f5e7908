"""A real Prometheus server scrapes the keeper's port."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.export.exporter import MetricsExporter
from contextframe_monitoring.export.port import MetricsPort
from tests.export.servers import prometheus_server
from tests.export.stores import NOW_US, Filled, cost, metric, operation
from tests.processes import until

TRACE = "0af7651916cd43dd8448eb211c80319c"


def asked(server: str, path: str, **parameters: str) -> list[dict[str, object]]:
    url = f"{server}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            found = json.load(answer)["data"]
    except OSError:
        return []
    return found["result"] if isinstance(found, dict) else found  # type: ignore[no-any-return]


@pytest.mark.requirement("export:prometheus:server")
def test_a_server_scrapes_and_evaluates(filled: Filled, tmp_path: Path) -> None:
    filled.drain(
        operation(correlation_id=TRACE, time_us=NOW_US),
        operation(target='a "quoted"\\ tool\n'),
        cost(),
        metric(name="orders", kind="counter", value=2.5, unit="By"),
    )
    exporter = MetricsExporter(filled.store, MonitoringConfig(store=filled.store.uri))
    port = MetricsPort(exporter.exposition, 0)
    rules = tmp_path / "rules.yml"
    rules.write_text(
        "groups: [{name: g, interval: 1s, rules: [{alert: Spent, expr: "
        "'sum(contextframe_monitoring_cost_usd_total) > 0.05'}]}]\n"
    )
    config = (
        "global: {scrape_interval: 1s}\n"
        f"rule_files: ['{rules}']\n"
        "scrape_configs: [{job_name: monitor, static_configs: "
        f"[{{targets: ['127.0.0.1:{port.port}']}}]}}]\n"
    )
    try:
        with prometheus_server(tmp_path, config, "--enable-feature=exemplar-storage") as server:
            until(lambda: bool(asked(server, "query", query="up == 1")))
            found = asked(server, "query", query="mcp_server_operation_duration_seconds_count")
            tools = {row["metric"]["gen_ai_tool_name"] for row in found}  # type: ignore[index]
            assert tools == {"git_log", 'a "quoted"\\ tool\ufffd'}
            until(lambda: bool(asked(server, "query", query='ALERTS{alertname="Spent"}')))
            quantile = (
                "histogram_quantile(0.5, sum by (le) "
                "(mcp_server_operation_duration_seconds_bucket))"
            )
            [median] = asked(server, "query", query=quantile)
            assert 0.01 < float(median["value"][1]) < 0.02  # type: ignore[index]
            [orders] = asked(server, "query", query="orders_bytes_total")
            assert orders["value"][1] == "2.5"  # type: ignore[index]
    finally:
        port.close()
