"""`CostCalculator`: what things cost, with and without a store."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring import (
    BandwidthPricing,
    CostCalculator,
    LLMPricing,
    Monitor,
    PricingConfig,
    StoragePricing,
)
from contextframe_monitoring.core.errors import InvalidError
from tests.clocks import NOW_US, ManualClock

GIB = 2**30
START = dt.datetime.fromtimestamp(NOW_US / 1e6, dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    store = str(tmp_path / "store")
    clock = ManualClock()
    with Monitor.open(store=store, name="app", start_keeper=False, clock=clock) as opened:
        yield opened


async def report(monitor: Monitor, group_by: str) -> dict[str, Any]:
    found = await monitor.cost.get_cost_report(START - HOUR, START + HOUR, group_by)
    return json.loads(found.json_text())


def costs(found: dict[str, Any]) -> dict[str, float | None]:
    return {row["category"]: row["cost"] for row in found["breakdown"]}


@pytest.mark.requirement("002:cost:pricing-config", "002:core:cost-calculator")
async def test_a_calculator_alone_prices_by_what_it_was_given() -> None:
    pricing = PricingConfig(
        llm_pricing={"mine": LLMPricing(input_per_mtok=1, output_per_mtok=2)},
        storage_pricing=StoragePricing(read_per_gb="0.5"),
        bandwidth_pricing=BandwidthPricing(egress_per_gb=1),
    )
    calculator = CostCalculator(pricing)
    assert calculator.llm_pricing == pricing.llm_pricing
    assert calculator.storage_pricing == pricing.storage_pricing
    assert await calculator.track_llm_usage("me", "mine", 1000, 500, "op-1") == Decimal("0.002")
    assert await calculator.track_storage_usage("read", GIB) == Decimal("0.5")
    assert await calculator.track_bandwidth_usage("egress", GIB) == Decimal(1)
    assert await calculator.track_llm_usage("openai", "gpt-4", 1000, 500, "op-2") == Decimal("0.06")
    with pytest.raises(RuntimeError, match=r"was not made by Monitor.open"):
        await calculator.get_cost_report(START - HOUR, START)


@pytest.mark.requirement("cost:facts:services", "002:cost:storage")
@pytest.mark.requirement("002:cost:track-storage", "002:cost:returns-float", "002:cost:bandwidth")
async def test_storage_and_bandwidth_cost_what_the_original_said(monitor: Monitor) -> None:
    cost = monitor.cost
    assert [
        await cost.track_storage_usage("read", GIB, "agent-1"),
        await cost.track_storage_usage("write", 2 * GIB, "agent-1"),
        await cost.track_storage_usage("delete", GIB, "agent-1"),
        await cost.track_bandwidth_usage("egress", 10 * GIB, "agent-1"),
        await cost.track_bandwidth_usage("ingress", 10 * GIB, "agent-1"),
    ] == [Decimal("0.01"), Decimal("0.04"), 0, Decimal("0.9"), 0]
    assert isinstance(float(await cost.track_storage_usage("read", 0) or 0), float)
    assert costs(await report(monitor, "type")) == {"bandwidth": 0.9, "storage": 0.05}
    assert costs(await report(monitor, "agent"))["agent-1"] == 0.95


@pytest.mark.requirement("cost:facts:services", "001:cost:estimate")
@pytest.mark.requirement("002:cost:compute", "001:cost:per-request")
async def test_compute_and_upstream_calls_have_prices_of_the_user(
    tmp_path: Path, monitor: Monitor
) -> None:
    prices = tmp_path / "prices"
    prices.mkdir()
    (prices / "own.toml").write_text(OWN_PRICES)
    own = Monitor.open(monitor.config, clock=monitor.clock, pricing_config_path=str(prices))
    with own:
        assert await own.cost.track_compute_usage(1800, service="batch") == Decimal("0.1")
        assert await own.cost.track_api_cost("weather", 3) == Decimal("0.03")
        assert await own.cost.track_api_cost("no-such-api") is None
    found = await report(monitor, "type")
    assert costs(found) == {"compute": 0.1, "api": 0.03}
    assert found["unknown"]["count"] == 1


OWN_PRICES = """
[[compute]]
names = ["batch"]
from = 2020-01-01
source = "https://example.org/prices"
checked = 2026-11-01
hour = 0.2

[[api]]
names = ["weather"]
from = 2020-01-01
source = "https://example.org/prices"
checked = 2026-11-01
call = 0.01
"""


@pytest.mark.requirement("cost:facts:decimal")
@pytest.mark.requirement("002:cost:track-llm-usage", "spine:python:unknown-model")
async def test_model_calls_cost_what_the_original_said_and_unknown_is_not_zero(
    monitor: Monitor,
) -> None:
    cost = monitor.cost
    assert await cost.track_llm_usage("openai", "gpt-4", 1000, 500, "op-1", "a") == Decimal("0.06")
    cheap = await cost.track_llm_usage("openai", "gpt-3.5-turbo", 2000, 1000, "op-2", "b")
    assert cheap == Decimal("0.0025")
    assert await cost.track_llm_usage("openai", "no-such-model", 7, 5, "op-3", "b") is None
    found = await report(monitor, "model")
    assert (found["total_cost"], found["unknown"]["count"]) == (0.0625, 1)
    assert costs(found) == {"gpt-4": 0.06, "gpt-3.5-turbo": 0.0025, "no-such-model": None}
    assert found["tokens"]["input_tokens"] == 3007


@pytest.mark.requirement("cost:facts:dimensions", "000:layout:cost-analytics")
@pytest.mark.requirement("002:cost:get-cost-report", "002:cost:group-by", "002:cost:allocation")
async def test_a_report_is_by_agent_operation_model_or_purpose(monitor: Monitor) -> None:
    for agent, purpose in (("a", "search"), ("a", "summary"), ("b", "summary")):
        await monitor.cost.track_llm_usage(
            "openai", "gpt-4", 1000, 500, f"op-{agent}", agent, purpose=purpose
        )
    assert costs(await report(monitor, "agent")) == {"a": 0.12, "b": 0.06}
    assert costs(await report(monitor, "model")) == {"gpt-4": 0.18}
    assert costs(await report(monitor, "operation")) == {"completion": 0.18}
    assert costs(await report(monitor, "purpose")) == {"summary": 0.12, "search": 0.06}
    assert (await report(monitor, "provider"))["total_cost"] == 0.18


async def test_wrong_arguments_are_refused_by_name_and_record_nothing(monitor: Monitor) -> None:
    cost = monitor.cost
    with pytest.raises(InvalidError, match="operation = 'copy' is not allowed"):
        await cost.track_storage_usage("copy", 1)
    with pytest.raises(InvalidError, match="size_bytes = -1 is not allowed"):
        await cost.track_storage_usage("read", -1)
    with pytest.raises(InvalidError, match="input_tokens = -1 is not allowed"):
        await cost.track_llm_usage("openai", "gpt-4", -1, 0)
    with pytest.raises(InvalidError, match="seconds = nan is not allowed"):
        await cost.track_compute_usage(float("nan"))
    with pytest.raises(TypeError, match="unknown argument 'porpose'"):
        await cost.track_llm_usage("openai", "gpt-4", 1, 1, porpose="x")
    assert monitor.recorder.recorded == 0
