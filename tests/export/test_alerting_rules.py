"""Alert rules as Prometheus alerting rules: promtool takes them, and they fire alike."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring.core.rule_tables import rule_of
from contextframe_monitoring.export.alerting_rules import alerting_rules

BASE: dict[str, Any] = {"name": "r", "window": "5m"}
TABLES: list[dict[str, Any]] = [
    {"signal": "cost", "threshold": 5, "filter": {"provider": "anthropic"}, "group_by": ["model"]},
    {"signal": "cost", "threshold": 0.5, "relative_to": "baseline"},
    {"signal": "cost_rate", "threshold": 5, "comparison": "below"},
    {"signal": "error_rate", "threshold": 0.1, "count_min": 10, "group_by": ["server", "method"]},
    {"signal": "error_count", "threshold": 1, "relative_to": "previous"},
    {"signal": "api_failures", "threshold": 3, "for": "2m", "keep_firing_for": "10m"},
    {"signal": "latency", "threshold": 2000, "group_by": ["tool"], "statistic": "p99"},
    {"signal": "latency", "threshold": 2000, "statistic": "mean", "count_min": 5},
    {"signal": "slow_count", "threshold": 5, "slower_than_ms": 2000},
    {"signal": "throughput", "threshold": 5, "comparison": "below"},
    {"signal": "usage_count", "threshold": 5, "group_by": ["category"]},
    {
        "signal": "category_share", "threshold": 0.2, "relative_to": "target", "target": 0.07,
        "filter": {"event": "summarized"}, "share_of": {"category": "llm"},
    },
    {"signal": "no_data"},
    {"signal": "records_lost"},
    {
        "signal": "drain_lag", "labels": {"team": "ops-1"}, "severity": "critical",
        "annotations": {"summary": '{value} of "{labels.team}" above {threshold}'},
    },
]  # fmt: skip
RULES = [rule_of({**BASE, **table, "name": f"r{n}"}) for n, table in enumerate(TABLES)]


def promtool(*arguments: str) -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.requirement("alerts:prometheus:rules")
def test_promtool_takes_every_rule(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    text = alerting_rules(RULES)
    assert "is not exported" not in text
    file.write_text(text, encoding="utf-8")
    assert f"SUCCESS: {len(RULES)} rules found" in promtool("check", "rules", str(file))


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"signal": "cost", "threshold": 5, "window": "today"}, "window 'today' is a calendar"),
        ({"signal": "cost", "threshold": 5, "group_by": ["agent"]}, "no metric has the label"),
        ({"signal": "error_rate", "threshold": 0.1, "status_codes": [500]}, "no metric has status"),
        ({"signal": "latency", "threshold": 5, "statistic": "max"}, "buckets don't know the max"),
        ({"signal": "slow_count", "threshold": 5, "slower_than_ms": 1500}, "no bucket ends at"),
        (
            {"signal": "cost", "threshold": 5, "recovery_threshold": 4},
            "PromQL has no recovery threshold",
        ),
        ({"signal": "anomaly"}, "signal 'anomaly' has no metric"),
    ],
)
def test_what_promql_can_not_say_is_left_out_with_a_reason(table: dict[str, Any], why: str) -> None:
    first, *rest = alerting_rules([rule_of({**BASE, **table})]).splitlines()
    assert first.startswith(f"# r is not exported: {why}")
    assert rest == ["groups:", "- name: contextframe-monitoring", "  rules: []"]


SCENARIO = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - series: 'contextframe_monitoring_operations_total{server="s",direction="in",status="error"}'
    values: '0+3x10'
  - series: 'contextframe_monitoring_operations_total{server="s",direction="in",status="success"}'
    values: '0+3x10'
  - series: 'contextframe_monitoring_operations_total{server="s",direction="out",status="error"}'
    values: '0+90x10'
  - series: 'contextframe_monitoring_cost_usd_total{provider="anthropic",model="m"}'
    values: '0+2x10'
  - series: 'mcp_server_operation_duration_seconds_bucket{server="s",le="2.0"}'
    values: '0+1x10'
  - series: 'mcp_server_operation_duration_seconds_bucket{server="s",le="+Inf"}'
    values: '0+4x10'
  - series: 'mcp_server_operation_duration_seconds_count{server="s"}'
    values: '0+4x10'
  alert_rule_test:
  - eval_time: 10m
    alertname: errors
    exp_alerts:
    - exp_labels: {severity: warning, server: s}
      exp_annotations: {summary: "0.5 share for s"}
  - eval_time: 10m
    alertname: errors_above
    exp_alerts: []
  - eval_time: 10m
    alertname: cost
    exp_alerts:
    - exp_labels: {severity: error}
  - eval_time: 10m
    alertname: slow
    exp_alerts:
    - exp_labels: {severity: warning}
  - eval_time: 10m
    alertname: silence
    exp_alerts: []
"""


@pytest.mark.requirement("alerts:prometheus:equal")
def test_the_exported_rules_fire_as_ours_would(tmp_path: Path) -> None:
    tables = [
        {
            "name": "errors", "signal": "error_rate", "threshold": 0.45, "group_by": ["server"],
            "annotations": {"summary": "{value} for {group.server}"},
        },
        {"name": "errors above", "signal": "error_rate", "threshold": 0.55},
        {"name": "cost", "signal": "cost", "threshold": 9, "severity": "error"},
        {"name": "slow", "signal": "slow_count", "threshold": 14, "slower_than_ms": 2000},
        {"name": "silence", "signal": "no_data"},
    ]  # fmt: skip
    text = alerting_rules([rule_of({**BASE, **table}) for table in tables])
    (tmp_path / "rules.yml").write_text(text, encoding="utf-8")
    (tmp_path / "test.yml").write_text(SCENARIO, encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "test.yml"))
