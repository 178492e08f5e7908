"""Costs as metrics: exact, with what is negative or unknown on its own."""

from __future__ import annotations

import pytest

from tests.export.metrics.families import only, totals
from tests.export.stores import Filled, cost

WHO = "provider=anthropic model=claude-sonnet-4-5"


def test_costs_add_up_exactly_by_provider_model_and_type(filled: Filled) -> None:
    filled.drain(*(cost(amount_nano_usd=100_000_000) for _ in range(3)))
    filled.drain(cost(amount_nano_usd=1), cost(cost_type="storage", model=None))
    assert totals(filled, "cost")["contextframe_monitoring.cost USD"] == {
        f"{WHO} cost_type=llm": 0.300000001,
        "provider=anthropic cost_type=storage": 0.06,
    }


@pytest.mark.requirement("export:prometheus:corrections")
def test_a_correction_downwards_is_a_series_of_its_own(filled: Filled) -> None:
    filled.drain(cost(amount_nano_usd=500), cost(amount_nano_usd=-(2**63), output_tokens=-7))
    found = totals(filled, "cost")
    assert found["contextframe_monitoring.cost USD"] == {f"{WHO} cost_type=llm": 5e-7}
    assert found["contextframe_monitoring.cost.negative USD"] == {
        f"{WHO} cost_type=llm": 9223372036.854775808
    }
    assert found["contextframe_monitoring.tokens.negative"] == {f"{WHO} token_type=output": 7}


def test_an_unknown_cost_is_counted_and_never_zero(filled: Filled) -> None:
    filled.drain(cost(amount_nano_usd=None, provider=None, model="new"))
    found = totals(filled, "cost")
    assert "contextframe_monitoring.cost USD" not in found
    assert found["contextframe_monitoring.cost.unknown"] == {"model=new cost_type=llm": 1}


def test_tokens_by_type_do_not_overlap_and_reasoning_stands_apart(filled: Filled) -> None:
    filled.drain(cost(cache_write_5m_tokens=3, cache_write_1h_tokens=4, reasoning_tokens=50))
    found = totals(filled, "cost")
    assert found["contextframe_monitoring.tokens"] == {
        f"{WHO} token_type=input": 10_000,
        f"{WHO} token_type=cache_read": 500,
        f"{WHO} token_type=cache_write_5m": 3,
        f"{WHO} token_type=cache_write_1h": 4,
        f"{WHO} token_type=output": 2_000,
    }
    assert found["contextframe_monitoring.reasoning_tokens"] == {WHO: 50}


def test_token_usage_follows_the_conventions(filled: Filled) -> None:
    filled.drain(cost(provider="google"), cost(provider="google", output_tokens=None))
    family = only(filled, "cost", "gen_ai.client.token.usage")
    assert (family.kind, family.unit) == ("histogram", "")
    assert family.bounds == tuple(4**n for n in range(14))
    who = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "claude-sonnet-4-5",
    }
    shown = [(point.labels, point.value, sum(point.counts)) for point in family.points]
    assert shown == [
        (who | {"gen_ai.token.type": "input"}, 21_000, 2),
        (who | {"gen_ai.token.type": "output"}, 2_000, 1),
    ]


def test_a_cost_without_tokens_is_no_call_to_a_model(filled: Filled) -> None:
    filled.drain(
        cost(cost_type="api", input_tokens=None, cache_read_tokens=None, output_tokens=None)
    )
    assert list(totals(filled, "cost")) == ["contextframe_monitoring.cost USD"]


def test_what_was_billed_is_not_counted_again(filled: Filled) -> None:
    filled.drain(cost(amount_nano_usd=500), cost(amount_nano_usd=700, provenance="billed"))
    found = totals(filled, "cost")["contextframe_monitoring.cost USD"]
    assert found == {f"{WHO} cost_type=llm": 5e-7}
