"""`report cost` as a person asks it: budget, cache savings, and every key it can be told by."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring import Monitor
from tests.cli.test_commands import run


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A call of a model with 150,000 cached tokens, with everything that a cost can be told by."""
    uri = str(tmp_path / "store")

    async def spend(monitor: Monitor) -> None:
        await monitor.cost.track_llm_usage(
            "anthropic", "claude-sonnet-4-5", 0, 0,
            cache_read_tokens=100_000, cache_write_5m_tokens=50_000,
            feature="chat", user_tier="pro", purpose="answer", session_id="s", user_id="u",
            attributes={"project": "p", "subagent": "reviewer", "tool": "Read"},
            agent_id="agent-1",
        )  # fmt: skip

    with Monitor.open(store=uri, name="app", start_keeper=False) as monitor:
        asyncio.run(spend(monitor))
    return uri


def cost_of(store: str, *options: str) -> dict[str, Any]:
    done = run("report", "cost", "--store", store, "--json", *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout, parse_float=Decimal)
    return found


@pytest.mark.requirement("cost:report:budget")
@pytest.mark.requirement("003:costs:out-budget-status", "003:costs:out-days-left")
def test_without_a_budget_there_is_no_limit_and_a_passed_one_is_0_days_away(
    store: str, tmp_path: Path
) -> None:
    free = cost_of(store)["projection"]
    assert (free["budget_status"], free["days_until_budget_limit"]) == ("no_budget", None)
    config = tmp_path / "monitoring.toml"
    for monthly, status, days in (("0.1", "over_budget", 0), ("0", "over_budget", 0)):
        config.write_text(f"[budget]\nmonthly_usd = {monthly}\n")
        found = cost_of(store, "--config", str(config))["projection"]
        assert (found["budget_status"], found["days_until_budget_limit"]) == (status, days)
        assert found["budget"] == Decimal(monthly)
    config.write_text("[budget]\nmonthly_usd = 1_000_000_000\n")
    left = cost_of(store, "--config", str(config))["projection"]
    assert left["budget_status"] == "under_budget"
    assert left["days_until_budget_limit"] > 0


def test_a_budget_that_is_no_amount_is_refused_with_its_line(store: str, tmp_path: Path) -> None:
    config = tmp_path / "monitoring.toml"
    config.write_text('[budget]\nmonthly_usd = "much"\n')
    done = run("report", "cost", "--store", store, "--config", str(config))
    assert done.returncode == 2
    assert "line 2: budget.monthly_usd = 'much' is not allowed" in done.stderr


@pytest.mark.requirement("cost:report:savings")
def test_cache_savings_are_reads_at_the_price_of_input_less_what_writing_cost_more(
    store: str,
) -> None:
    # 100 k reads at $0.30 a million instead of $3, 50 k writes at $3.75 instead of $3
    assert cost_of(store)["cache_savings"] == Decimal("0.2325")


def test_savings_of_a_model_without_a_price_are_not_known(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")
    with Monitor.open(store=uri, start_keeper=False) as monitor:
        call = monitor.cost.track_llm_usage("nobody", "no-model", 1, 1, cache_read_tokens=9)
        asyncio.run(call)  # type: ignore[arg-type]
    assert cost_of(uri)["cache_savings"] is None


@pytest.mark.requirement(
    "cost:report:keys",
    "cost:facts:dimensions",
    "003:ctab:user-id",
    "003:ctab:user-tier",
    "003:ctab:session-id",
)
@pytest.mark.requirement("003:costs:group-feature", "003:costs:group-user-tier")
@pytest.mark.parametrize(
    ("key", "category"),
    [
        ("model", "claude-sonnet-4-5"), ("provider", "anthropic"), ("agent", "agent-1"),
        ("operation", "completion"), ("feature", "chat"), ("user_tier", "pro"), ("server", "app"),
        ("tool", "Read"), ("session", "s"), ("project", "p"), ("subagent", "reviewer"),
        ("type", "llm"), ("user", "u"), ("purpose", "answer"),
    ],
)  # fmt: skip
def test_cost_is_told_by_every_key_that_is_promised(store: str, key: str, category: str) -> None:
    [row] = cost_of(store, "--group-by", key)["breakdown"]
    assert row == {
        "category": category, "cost": Decimal("0.2175"), "percentage": Decimal("100.0"),
        "count": 1, "tokens": 150_000,
    }  # fmt: skip


def test_cost_is_told_by_day(store: str) -> None:
    found = cost_of(store, "--group-by", "day", "--since", "24h")
    assert (
        sum(row["cost"] for row in found["breakdown"]) == found["total_cost"] == Decimal("0.2175")
    )


@pytest.mark.requirement("003:costs:group-model", "003:ctab:service", "003:ctab:operation")
def test_a_known_cost_without_a_model_is_told_by_service_and_operation(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")

    async def spend(monitor: Monitor) -> None:
        for operation, tokens in (("gpt-4", 234), ("embedding", 9)):
            await monitor.collector.track_cost(
                "openai", operation, Decimal("0.0456"), tokens_input=tokens
            )
        await monitor.cost.track_storage_usage("read", 1, service="s3")

    with Monitor.open(store=uri, start_keeper=False) as monitor:
        asyncio.run(spend(monitor))
    names = [row["category"] for row in cost_of(uri, "--group-by", "model")["breakdown"]]
    assert sorted(names) == ["openai_embedding", "openai_gpt-4", "s3_read"]
    only = cost_of(uri, "--group-by", "model", "--filter", "model=openai_gpt-4")
    assert only["total_cost"] == Decimal("0.0456")
    assert [row["category"] for row in only["breakdown"]] == ["openai_gpt-4"]


@pytest.mark.requirement(
    "cost:facts:track-cost", "003:ctab:cost", "003:ok:four-decimals", "003:ctab:tokens"
)
@pytest.mark.requirement("003:coll:track-cost")
def test_the_seeds_own_case_of_a_tracked_cost(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")

    async def spend(monitor: Monitor) -> Decimal:
        return await monitor.collector.track_cost(
            "openai", "gpt-4", 0.0456, tokens_input=234, tokens_output=567
        )

    with Monitor.open(store=uri, start_keeper=False) as monitor:
        assert asyncio.run(spend(monitor)) == Decimal("0.0456")
    costs = cost_of(uri, "--group-by", "provider,operation")["breakdown"]
    assert costs[0]["cost"] == Decimal("0.0456")
    assert (costs[0]["category"], costs[0]["tokens"]) == ("openai / gpt-4", 801)
