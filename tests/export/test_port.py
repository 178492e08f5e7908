"""The keeper's own port with `/metrics`."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from contextframe_monitoring import Monitor, MonitoringConfig
from contextframe_monitoring.core.errors import UnavailableError
from contextframe_monitoring.export.port import MetricsPort
from contextframe_monitoring.keeper import Keeper, keeper_of
from contextframe_monitoring.store.store import store_of
from tests.processes import free_port, listens, until


def get(port: int, path: str = "/metrics", accept: str = "") -> tuple[int, str, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def told(keeper: Keeper) -> str | None:
    keeper.tick()
    return keeper.last_error


@pytest.fixture
def config(tmp_path: Path) -> MonitoringConfig:
    return MonitoringConfig(
        store=str(tmp_path / "store"),
        start_keeper=False,
        prometheus_enabled=True,
        prometheus_port=free_port(),
    )


@pytest.mark.requirement(
    "export:prometheus:port",
    "export:prometheus:whole-store",
    "002:config:prometheus-enabled",
    "002:config:prometheus-port",
)
@pytest.mark.requirement("export:prometheus:port", "export:prometheus:whole-store")
def test_a_keeper_serves_the_metrics_of_the_whole_store(config: MonitoringConfig) -> None:
    with Monitor.open(config, name="app") as monitor:
        with monitor.performance.operation("tools/call", "add"):
            pass
        keeper = keeper_of(store_of(config), config)
        keeper.tick()
        try:
            until(lambda: listens(config.prometheus_port))
            status, kind, text = get(config.prometheus_port)
            assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
            assert "mcp_server_operation_duration_seconds" in {f.name for f in plain(text)}
            _, kind, text = get(config.prometheus_port, accept="application/openmetrics-text")
            assert kind.startswith("application/openmetrics-text")
            assert list(openmetrics(text))
            assert get(config.prometheus_port, "/other")[0] == 404
        finally:
            keeper.release()
    with pytest.raises(urllib.error.URLError):
        get(config.prometheus_port)


def test_a_port_that_is_taken_harms_nothing_and_is_said(config: MonitoringConfig) -> None:
    taken = MetricsPort(lambda _accept: ("text/plain", b""), config.prometheus_port)
    keeper = keeper_of(store_of(config), config)
    try:
        until(lambda: told(keeper) is not None)
        assert keeper.leads
        assert f"prometheus_port {config.prometheus_port} can't be used" in (told(keeper) or "")
        taken.close()
        until(lambda: told(keeper) is None)
    finally:
        keeper.release()


@pytest.mark.requirement("export:port:taken")
def test_two_exporters_on_one_port_is_a_clear_error() -> None:
    first = MetricsPort(lambda _accept: ("text/plain", b""), 0)
    try:
        with pytest.raises(UnavailableError, match=r"can't be used .*: is another exporter"):
            MetricsPort(lambda _accept: ("text/plain", b""), first.port)
    finally:
        first.close()
