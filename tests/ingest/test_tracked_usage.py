"""Cost facts of an application: from bodies of answers, with what a price depends on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.priced_by import TOKEN_COLUMNS, usage_of_fact
from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.core.token_usage import Usage
from tests.core.test_response_usage import ANTHROPIC, CHAT, GEMINI, RESPONSE
from tests.support import recorded


@pytest.fixture
def monitor(tmp_path: Path) -> Any:
    with Monitor.open(store=str(tmp_path / "store"), name="app", start_keeper=False) as opened:
        yield opened


def costs(monitor: Monitor) -> list[CostRecord]:
    found = recorded(Path(monitor.config.store or ""))
    return [record for record in found if isinstance(record, CostRecord)]


@pytest.mark.requirement("cost:facts:bodies", "000:dep:llm-cost-tracking", "003:rel:ai-cost")
async def test_a_response_is_priced_by_its_body(monitor: Monitor) -> None:
    # 75 x $1.25 + 25 x $0.125 + 50 x $10 a million
    cost = await monitor.cost.track_response(RESPONSE, purpose="chat")
    assert cost == Decimal("0.000596875")
    [record] = costs(monitor)
    assert (record.provider, record.model, record.operation_id) == ("openai", "gpt-5", "resp_1")
    assert (record.units, record.provenance, record.attributes) == (
        150, "computed", ("purpose=chat",),
    )  # fmt: skip


async def test_a_response_without_usage_is_a_call_of_unknown_cost(monitor: Monitor) -> None:
    assert await monitor.cost.track_response({**CHAT, "usage": None}) is None
    [record] = costs(monitor)
    assert (record.model, record.amount_nano_usd, record.input_tokens) == ("gpt-4o", None, None)


@pytest.mark.requirement("cost:facts:llm", "002:cost:llm-by-provider")
@pytest.mark.parametrize("body", [ANTHROPIC, CHAT, RESPONSE, GEMINI])
async def test_a_fact_keeps_all_that_its_price_depends_on(
    monitor: Monitor, body: dict[str, Any]
) -> None:
    from contextframe_monitoring.core.response_usage import response_usage

    await monitor.cost.track_response(body, metadata={"note": "kept"})
    [record] = costs(monitor)
    columns = {name: getattr(record, name) for name in TOKEN_COLUMNS}
    assert usage_of_fact(columns, record.metadata) == response_usage(body).usage
    assert record.metadata is not None
    assert record.metadata.endswith('"note":"kept"}')


async def test_a_batch_is_remembered_as_one(monitor: Monitor) -> None:
    cost = await monitor.cost.track_llm_usage("openai", "gpt-4o", 1_000_000, 0, batch=True)
    assert cost == Decimal("1.25")
    [record] = costs(monitor)
    assert record.metadata == '{"priced_by":{"batch":true}}'
    assert usage_of_fact({name: getattr(record, name) for name in TOKEN_COLUMNS},
                         record.metadata) == Usage(input_tokens=1_000_000, batch=True)  # fmt: skip


@pytest.mark.requirement("cost:facts:reported")
async def test_a_told_cost_stands_beside_the_computed_one_or_for_it(monitor: Monitor) -> None:
    kept = {"reported_cost_usd": Decimal("0.07")}
    assert await monitor.cost.track_llm_usage("openai", "gpt-4", 1000, 0, **kept) == Decimal("0.03")
    assert await monitor.cost.track_llm_usage("me", "mine", 1000, 0, **kept) == Decimal("0.07")
    assert [(r.provenance, r.reported_nano_usd) for r in costs(monitor)] == [
        ("computed", 70_000_000),
        ("reported", 70_000_000),
    ]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"input_tokens": -1}, "input_tokens"),
        ({"input_tokens": float("nan")}, "input_tokens"),
        ({"input_tokens": True}, "input_tokens"),
        ({"output_tokens": 10**13}, "output_tokens"),
        ({"model": "m" * 10_000}, "model"),
        ({"reported_cost_usd": -1}, "reported_cost_usd"),
        ({"reasoning_tokens": 9}, "reasoning_tokens"),
    ],
)
async def test_a_wrong_count_is_refused_and_not_recorded(
    monitor: Monitor, arguments: dict[str, Any], name: str
) -> None:
    given = {"provider": "openai", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1}
    with pytest.raises(InvalidError) as caught:
        await monitor.cost.track_llm_usage(**{**given, **arguments})
    assert caught.value.name == name
    assert costs(monitor) == []
