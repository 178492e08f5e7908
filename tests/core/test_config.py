"""The configuration: every key checked, wherever it comes from."""

from decimal import Decimal

import pytest

from contextframe_monitoring.core.budget_settings import BudgetSettings
from contextframe_monitoring.core.config import MonitoringConfig, config_from, config_keys
from contextframe_monitoring.core.errors import InvalidError, UnknownKeyError

SEED_DEFAULTS = {
    "enabled": True,
    "metrics_retention_days": 30,
    "aggregation_intervals": ["1m", "5m", "1h", "1d"],
    "slow_query_threshold_ms": 1000,
    "error_rate_threshold": 0.05,
    "track_costs": True,
    "pricing_config_path": None,
    "prometheus_enabled": False,
    "prometheus_port": 9090,
    "cloudwatch_enabled": False,
    "cloudwatch_namespace": "ContextFrame/MCP",
}


@pytest.mark.requirement("spine:config:all-keys")
def test_the_keys_of_the_seed_keep_their_names_and_defaults() -> None:
    config = MonitoringConfig()
    assert {key: getattr(config, key) for key in SEED_DEFAULTS} == SEED_DEFAULTS


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("metrics_retention_days", 0, "expected int >= 1"),
        ("enabled", "maybe", "expected bool, got str"),
        ("error_rate_threshold", 1.5, "expected float <= 1.0"),
        ("slow_query_threshold_ms", 0, "expected float > 0.0"),
        ("spool_backend", "magic", "expected one of auto, mmap, write"),
        ("aggregation_intervals", ["2m"], "expected one of 1m, 5m, 15m, 1h, 1d"),
        ("prometheus_port", 70_000, "expected int <= 65535"),
        ("text_chars_max", True, "expected int, got bool"),
    ],
)
def test_a_wrong_value_is_refused_by_name(key: str, value: object, message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        MonitoringConfig(**{key: value})
    assert str(caught.value) == f"{key} = {value!r} is not allowed: {message}"


def test_an_unknown_key_names_the_nearest_one() -> None:
    with pytest.raises(UnknownKeyError) as caught:
        config_from({"metric_retention_days": 3}, "monitoring.toml", {})
    assert str(caught.value) == (
        "unknown key 'metric_retention_days' in monitoring.toml: "
        "did you mean 'metrics_retention_days'?"
    )


@pytest.mark.requirement("spine:config:toml-and-environment")
def test_the_environment_wins_over_the_file() -> None:
    config = config_from(
        {"enabled": True, "server": "files"},
        "monitoring.toml",
        {
            "CONTEXTFRAME_MONITORING_ENABLED": "false",
            "CONTEXTFRAME_MONITORING_SLOW_QUERY_THRESHOLD_MS": "2.5",
            "CONTEXTFRAME_MONITORING_AGGREGATION_INTERVALS": "1m, 1h",
            "CONTEXTFRAME_MONITORING_CONFIG": "elsewhere.toml",
            "PATH": "/bin",
        },
    )
    assert (config.enabled, config.server, config.slow_query_threshold_ms) == (False, "files", 2.5)
    assert config.aggregation_intervals == ["1m", "1h"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "CONTEXTFRAME_MONITORING_ENABLD",
            "1",
            "unknown key 'CONTEXTFRAME_MONITORING_ENABLD' in environment: "
            "did you mean 'CONTEXTFRAME_MONITORING_ENABLED'?",
        ),
        (
            "CONTEXTFRAME_MONITORING_ENABLED",
            "maybe",
            "CONTEXTFRAME_MONITORING_ENABLED = 'maybe' is not allowed: expected bool, got str",
        ),
        (
            "CONTEXTFRAME_MONITORING_METRICS_RETENTION_DAYS",
            "soon",
            "CONTEXTFRAME_MONITORING_METRICS_RETENTION_DAYS = 'soon' is not allowed: "
            "expected int, got str",
        ),
    ],
)
def test_a_wrong_variable_is_refused_by_name(name: str, text: str, message: str) -> None:
    with pytest.raises((InvalidError, UnknownKeyError)) as caught:
        config_from({}, "monitoring.toml", {name: text})
    assert str(caught.value) == message


def test_a_list_in_the_environment_may_be_json() -> None:
    found = config_from({}, "f", {"CONTEXTFRAME_MONITORING_AGGREGATION_INTERVALS": '["1d"]'})
    assert found.aggregation_intervals == ["1d"]


def test_a_list_in_the_environment_that_is_no_json_is_refused_by_name() -> None:
    name = "CONTEXTFRAME_MONITORING_AGGREGATION_INTERVALS"
    with pytest.raises(InvalidError) as caught:
        config_from({}, "monitoring.toml", {name: "[1m"})
    assert str(caught.value) == f"{name} = '[1m' is not allowed: expected a JSON list, or a,b,c"


def test_every_key_can_come_from_the_environment() -> None:
    assert len(config_keys()) == len(set(config_keys()))
    for key in config_keys():
        value = getattr(MonitoringConfig(), key)
        if isinstance(value, bool | int | float | str):
            name = f"CONTEXTFRAME_MONITORING_{key.upper()}"
            assert getattr(config_from({}, "f", {name: str(value)}), key) == value


def test_a_section_is_a_table_and_the_environment_names_its_keys_with_two_underscores() -> None:
    assert MonitoringConfig().budget == BudgetSettings(monthly_usd=None)
    table = {"budget": {"monthly_usd": 12.5}}
    assert config_from(table, "f", {}).budget == BudgetSettings(monthly_usd=Decimal("12.5"))
    environ = {"CONTEXTFRAME_MONITORING_BUDGET__MONTHLY_USD": "0.1"}
    for values in ({}, table):
        assert config_from(values, "f", environ).budget.monthly_usd == Decimal("0.1")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"budget": {"montly_usd": 3}},
            "unknown key 'budget.montly_usd' in f: did you mean 'budget.monthly_usd'?",
        ),
        ({"budget": 3}, "budget = 3 is not allowed: expected a table: [budget]"),
        (
            {"budget": {"monthly_usd": -1}},
            "budget.monthly_usd = Decimal('-1') is not allowed: expected 0 USD or more",
        ),
        (
            {"budget": {"monthly_usd": True}},
            "budget.monthly_usd = True is not allowed: expected decimal | null, got bool",
        ),
        (
            {"budget": {"monthly_usd": float("nan")}},
            "budget.monthly_usd = Decimal('NaN') is not allowed: "
            "a finite number of USD, at most 9000000000",
        ),
    ],
)
def test_a_wrong_section_is_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises((InvalidError, UnknownKeyError)) as caught:
        config_from(values, "f", {})
    assert str(caught.value) == message


def test_a_wrong_variable_of_a_section_is_refused_by_name() -> None:
    with pytest.raises(UnknownKeyError) as caught:
        config_from({}, "f", {"CONTEXTFRAME_MONITORING_BUDGET__MONTHLY": "1"})
    assert str(caught.value) == (
        "unknown key 'CONTEXTFRAME_MONITORING_BUDGET__MONTHLY' in environment: "
        "did you mean 'CONTEXTFRAME_MONITORING_BUDGET__MONTHLY_USD'?"
    )
