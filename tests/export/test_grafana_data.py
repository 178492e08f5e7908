"""A real Prometheus scrapes a store with one of everything: every panel and variable has data."""

from __future__ import annotations

import itertools
import json
import math
import re
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.export.exporter import MetricsExporter
from contextframe_monitoring.export.port import MetricsPort
from examples.grafana.rules import JOB, RECORDED
from tests.export.boards import BOARDS, RULES, expressions, values, variables
from tests.export.everything import RECORDS, fill
from tests.export.promql import filled_in
from tests.export.servers import prometheus_server
from tests.export.stores import Filled
from tests.processes import until

WEEK_AGO = "offset 7d"
"""What only a server that is a week old can answer."""
SECONDS_MAX = 90


def asked(server: str, path: str, **parameters: str) -> Any:
    url = f"{server}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)["data"]


def has_data(server: str, expression: str) -> bool:
    """Return whether an expression gives a number now: NaN and nothing are none."""
    found = asked(server, "query", query=expression)["result"]
    return any(not math.isnan(float(row["value"][1])) for row in found)


def panel_expressions() -> set[str]:
    found = {
        expression
        for board in BOARDS.values()
        for _, _, expression in expressions(board)
        if WEEK_AGO not in expression
    }
    return {recent(expression) for expression in found}


def recent(expression: str) -> str:
    """Return an expression with a past that a young server has."""
    return re.sub(r"offset 1d", "offset 1s", expression)


def empty_variables(server: str) -> list[tuple[str, str]]:
    """Return dashboard and name of each variable that has nothing to choose."""
    empty = []
    for name, board in BOARDS.items():
        for one in variables(board).values():
            if one["type"] != "query":
                continue
            query = filled_in(one["query"]["query"], values(board))
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
            assert found is not None
            if not asked(server, f"label/{found[2]}/values", **{"match[]": found[1]}):
                empty.append((name, one["name"]))
    return empty


@pytest.mark.requirement(
    "export:grafana:checked", "export:grafana:alerts", "export:prometheus:server"
)
def test_every_panel_has_data_and_every_variable_values(filled: Filled, tmp_path: Path) -> None:
    exporter = MetricsExporter(fill(filled).store, MonitoringConfig(store=filled.store.uri))
    port = MetricsPort(exporter.exposition, 0)
    config = (
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: ['{RULES}/*.yml']\n"
        f"scrape_configs: [{{job_name: {JOB}, static_configs: "
        f"[{{targets: ['127.0.0.1:{port.port}']}}]}}]\n"
    )
    wanted = panel_expressions() | set(RECORDED)
    try:
        with prometheus_server(tmp_path, config) as server:
            due = itertools.count(time.monotonic(), 0.5)
            missing, next_s = set(wanted), next(due)

            def answered() -> bool:
                nonlocal missing, next_s
                if time.monotonic() >= next_s:  # counters go on growing
                    filled.drain(*RECORDS)
                    next_s = next(due)
                    missing = {one for one in missing if not has_data(server, one)}
                return not missing

            try:
                until(answered, seconds=SECONDS_MAX)
            except AssertionError:
                pytest.fail("\n".join(["no data:", *sorted(missing)]))
            assert empty_variables(server) == []
            rules = [rule for group in asked(server, "rules")["groups"] for rule in group["rules"]]
            assert {rule["health"] for rule in rules} == {"ok"}
            firing = asked(server, "query", query='ALERTS{alertstate="firing"}')["result"]
            names = {row["metric"]["alertname"] for row in firing}
            assert {"ContextFrameAlertFires", "ContextFrameExportFails"} <= names
    finally:
        port.close()
