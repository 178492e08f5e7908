"""Rules out of tables: what is read, what is refused and how it is said."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.config import MonitoringConfig
from contextframe_monitoring.core.errors import MonitoringError
from contextframe_monitoring.core.rule_tables import (
    changed_rule,
    rule_of,
    rules_of,
    shown_table,
    table_of,
    toml_of,
)
from contextframe_monitoring.core.rule_words import AlertRule, AlertSeverity, AlertType
from contextframe_monitoring.core.rules import Rule

COST: dict[str, Any] = {"name": "HighDailyCost", "signal": "cost", "threshold": 500}


@pytest.mark.requirement("001:rules:configurable", "003:rtab:name", "003:rtab:threshold")
@pytest.mark.requirement("alerts:rules:model")
def test_the_rule_of_the_design_is_read() -> None:
    text = """
    [[alert_rules]]
    name = "HighDailyCost"
    signal = "cost"
    threshold = 500.0
    comparison = "above"
    window = "1d"
    for = "0s"
    severity = "warning"
    filter = { provider = "anthropic" }
    group_by = []
    channels = ["ops-slack"]
    """
    [rule] = rules_of(tomllib.loads(text)["alert_rules"], "alert rule")
    assert rule == Rule(
        name="HighDailyCost",
        signal="cost",
        threshold=500.0,
        comparison="above",
        window="1d",
        severity="warning",
        filter={"provider": "anthropic"},
        channels=["ops-slack"],
    )
    assert (rule.window_us, rule.for_us, rule.unit) == (86_400_000_000, 0, "USD")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "the rule: name = None is not allowed: every alert rule needs a name"),
        ({"name": "a\nb"}, "alert rule: name = 'a\\nb' is not allowed"),
        ({"signal": "cots"}, "alert rule 'HighDailyCost': signal = 'cots' is not allowed: "
                             "expected one of cost, cost_rate,"),
        ({"treshold": 1}, "unknown key 'treshold' in alert rule 'HighDailyCost': "
                          "did you mean 'threshold'?"),
        ({"threshold": "many"}, "threshold = 'many' is not allowed"),
        ({"threshold": None}, "threshold = None is not allowed"),
        ({"threshold": float("nan")}, "threshold = nan is not allowed: expected a finite number"),
        ({"window": "5 years"}, "window = '5 years' is not allowed: expected a span such as 30s"),
        ({"window": "0s"}, "window = '0s' is not allowed"),
        ({"window": "9999d"}, "window = '9999d' is not allowed"),
        ({"window": "yesterday"}, "window = 'yesterday' is not allowed"),
        ({"for": "-1m"}, "for = '-1m' is not allowed"),
        ({"keep_firing_for": "100d"}, "keep_firing_for = '100d' is not allowed"),
        ({"severity": "bad"}, "severity = 'bad' is not allowed: expected one of info, warning, "
                              "error, critical"),
        ({"signal": "error_rate", "threshold": 5}, "a share from 0 to 1: 0.05 is 5 %"),
        ({"recovery_threshold": 600}, "recovery_threshold = 600.0 is not allowed: expected it not "
                                      "above the threshold 500"),
        ({"relative_to": "target"}, "target = None is not allowed"),
        ({"target": 5}, "target = 5.0 is not allowed"),
        ({"relative_to": "baseline", "window": "month"}, "a baseline needs a span such as 4h"),
        ({"signal": "drain_lag", "relative_to": "previous"}, "not for signal 'drain_lag'"),
        ({"group_by": ["a", "b", "c", "d"]}, "expected at most 3 different keys"),
        ({"group_by": ["agent", "agent"]}, "expected at most 3 different keys"),
        ({"statistic": "p95"}, "only for latency and metric"),
        ({"signal": "latency", "statistic": "sum"}, "one of mean, p50, p90, p95, p99, max"),
        ({"signal": "metric"}, "metric = None is not allowed: it is needed here"),
        ({"metric": "queue"}, "metric = 'queue' is not allowed: not for signal 'cost'"),
        ({"signal": "category_share", "threshold": 0.1}, "share_of = {} is not allowed"),
        ({"status_codes": [500]}, "status_codes = [500] is not allowed: not for signal 'cost'"),
        ({"signal": "records_lost", "filter": {"agent": "a"}}, "not for signal 'records_lost'"),
        ({"annotations": {"summary": "{annotations.summary}"}}, "unknown placeholder"),
        ({"annotations": {"summary": "{group.agent}"}}, "unknown placeholder {group.agent}"),
        ({"annotations": {"summary": "{{value}}"}}, "braces come in pairs and do not nest"),
        ({"labels": {"x": "y" * 501}}, "texts up to 500 characters"),
        ({"filter": {"agent": ["a"]}}, "filter = {'agent': ['a']} is not allowed"),
        ({"count_min": 0}, "count_min = 0 is not allowed"),
    ],
)  # fmt: skip
@pytest.mark.requirement("alerts:rules:templates", "alerts:rules:bad")
def test_a_bad_rule_is_refused_with_its_name_and_key(changes: dict[str, Any], message: str) -> None:
    table = {key: value for key, value in {**COST, **changes}.items() if value is not None}
    with pytest.raises(MonitoringError) as found:
        rule_of(table)
    assert message in str(found.value)


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(MonitoringError, match="another rule has it"):
        rules_of([COST, COST], "alert rule")


def test_the_configuration_refuses_a_bad_rule() -> None:
    with pytest.raises(MonitoringError, match="alert rule 'HighDailyCost': severity"):
        MonitoringConfig(alert_rules=[{**COST, "severity": "bad"}])


def test_a_change_of_none_takes_a_key_back_to_its_default() -> None:
    rule = rule_of({**COST, "window": "1d"})
    changed = changed_rule(rule, {"window": None, "threshold": 7})
    assert changed == rule_of({**COST, "threshold": 7})


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.dictionaries(WORDS.filter(bool), WORDS, max_size=4),
    st.lists(WORDS, max_size=3),
    st.booleans(),
)
def test_a_rule_written_as_toml_is_read_back(
    threshold: float, labels: dict[str, str], channels: list[str], is_active: bool
) -> None:
    rule = rule_of(
        {
            **COST, "threshold": threshold, "labels": labels, "channels": channels,
            "is_active": is_active, "for": "5m",
        }
    )  # fmt: skip
    assert rules_of(tomllib.loads(toml_of([rule]))["alert_rules"], "alert rule") == [rule]
    assert rule_of(table_of(rule)) == rule


@pytest.mark.parametrize(
    ("table", "meant"),
    [
        (
            {"name": "high_daily_cost", "type": "cost_threshold", "threshold": 500.0,
             "condition": {"period": "day", "service": "all"}, "severity": "warning"},
            {"name": "high_daily_cost", "signal": "cost", "threshold": 500.0, "window": "today"},
        ),
        (
            {"name": "api_error_rate", "type": "error_rate", "threshold": 0.05,
             "condition": {"status_codes": [500, 502, 503]}, "time_window": 300,
             "severity": "critical"},
            {"name": "api_error_rate", "signal": "error_rate", "threshold": 0.05, "window": "300s",
             "status_codes": [500, 502, 503], "severity": "critical"},
        ),
        (
            {"name": "slow_response", "type": "response_time", "threshold": 2000,
             "condition": {"percentile": "p95"}, "time_window": 600, "severity": "warning"},
            {"name": "slow_response", "signal": "latency", "statistic": "p95", "threshold": 2000,
             "window": "600s"},
        ),
        (
            {"name": "r", "type": "api_failure", "threshold": 3, "severity": "high",
             "notification_channels": ["ops", {"type": "email", "recipients": ["a@b.c"]}]},
            {"name": "r", "signal": "api_failures", "threshold": 3, "severity": "error",
             "channels": ["ops", "r#2"],
             "inline_channels": {"r#2": {"type": "email", "recipients": ["a@b.c"]}}},
        ),
    ],
)  # fmt: skip
@pytest.mark.requirement(
    "003:rtab:type", "003:rtab:condition", "003:rtab:time-window", "003:rtab:channels"
)
@pytest.mark.requirement("alerts:rules:seed-words")
def test_the_words_of_the_statistics_seed_mean_rules(
    table: dict[str, Any], meant: dict[str, Any]
) -> None:
    assert rule_of(table) == rule_of(meant)


@pytest.mark.requirement(
    "001:alerts:rule-name", "001:alerts:rule-type", "001:alerts:rule-threshold",
    "001:alerts:rule-window", "001:alerts:rule-severity", "001:alerts:rule-channels",
)  # fmt: skip
def test_the_rule_of_the_monitoring_seed_means_one_of_ours() -> None:
    rule = AlertRule(
        name="High Error Rate",
        alert_type=AlertType.HIGH_ERROR_RATE,
        threshold=0.1,
        time_window_minutes=5,
        severity=AlertSeverity.HIGH,
        notification_channels=["email", "slack"],
    )
    assert rule_of(rule.ours()) == Rule(
        name="High Error Rate",
        signal="error_rate",
        threshold=0.1,
        window="300s",
        severity="error",
        channels=["email", "slack"],
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "weather"}, "type = 'weather' is not allowed: expected one of high_error_rate"),
        ({"time_window": -1}, "time_window = -1 is not allowed: expected a number above 0"),
        ({"condition": {"moon": "full"}}, "condition.moon = 'full' is not allowed"),
        ({"notification_channels": "ops"}, "notification_channels = 'ops' is not allowed"),
    ],
)
def test_bad_words_of_the_seeds_are_refused(changes: dict[str, Any], message: str) -> None:
    table = {"name": "r", "type": "cost_threshold", "threshold": 1, **changes}
    with pytest.raises(MonitoringError) as found:
        rule_of(table)
    assert message in str(found.value)


def test_the_address_of_a_channel_in_place_is_never_shown() -> None:
    channels = [{"type": "webhook", "url": "https://hooks.example/secret"}]
    rule = rule_of({**COST, "notification_channels": channels})
    shown = {"HighDailyCost#1": {"type": "webhook", "url": "[masked]"}}
    assert shown_table(rule)["inline_channels"] == shown
    assert "secret" not in toml_of([rule])
    assert rule.inline_channels["HighDailyCost#1"]["url"] == "https://hooks.example/secret"
