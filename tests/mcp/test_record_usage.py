"""`record_usage`: agents say what they used, and are told what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import Implementation

from contextframe_monitoring import Monitor
from contextframe_monitoring.mcp.server import build_server

pytestmark = pytest.mark.parametrize("era", ["auto", "legacy"])


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    with Monitor.open(
        store=str(tmp_path / "store"), name="contextframe-monitoring", start_keeper=False
    ) as opened:
        yield opened


async def call(monitor: Monitor, era: Any, name: str, meta: Any = None, **arguments: Any) -> Any:
    who = Implementation(name="desk", version="1")
    async with Client(build_server(monitor), mode=era, client_info=who) as client:
        return await client.call_tool(name, arguments, meta=meta)


@pytest.mark.requirement("cost:facts:record-usage")
async def test_the_answer_leads_with_what_it_cost_and_the_report_has_it(
    monitor: Monitor, era: Any
) -> None:
    result = await call(
        monitor, era, "record_usage", provider="anthropic", model="claude-sonnet-4-5",
        input_tokens=1000, output_tokens=500, cache_read_tokens=2000, cache_write_tokens=100,
        purpose="review", feature="chat",
    )  # fmt: skip
    # 1000 x $3 + 500 x $15 + 2000 x $0.30 + 100 x $3.75, a million each
    assert result.content[0].text == "$0.0115 for 3,600 tokens of 'claude-sonnet-4-5'"
    found = result.structured_content
    assert (found["cost_usd"], found["provenance"]) == (0.011475, "computed")
    for key, category in (("agent", "desk"), ("feature", "chat"), ("purpose", "review")):
        report = await call(monitor, era, "get_cost_report", group_by=key)
        [row] = report.structured_content["breakdown"]
        assert (row["category"], row["cost"], row["count"]) == (category, 0.011475, 1)


async def test_who_names_itself_in_meta_is_the_agent(monitor: Monitor, era: Any) -> None:
    result = await call(
        monitor, era, "record_usage", {"agent_id": "planner"}, provider="openai", model="gpt-4o",
        input_tokens=1,
    )  # fmt: skip
    assert result.structured_content["agent"] == "planner"


async def test_a_model_without_a_price_is_unknown_and_never_0(monitor: Monitor, era: Any) -> None:
    result = await call(
        monitor, era, "record_usage", provider="nobody", model="no-model", input_tokens=7
    )
    assert result.content[0].text == (
        "unknown for 7 tokens of 'no-model': there is no price for it; recorded, to be priced "
        "later (prices reprice)"
    )
    assert (result.structured_content["cost_usd"], result.structured_content["provenance"]) == (
        None,
        None,
    )
    report = (await call(monitor, era, "get_cost_report")).structured_content
    assert report["total_cost"] is None
    assert report["unknown"]["models"][0]["tokens"]["input_tokens"] == 7


async def test_what_an_agent_was_told_stands_where_there_is_no_price_and_beside_one(
    monitor: Monitor, era: Any
) -> None:
    alone = await call(
        monitor, era, "record_usage", provider="nobody", model="m", output_tokens=1, cost_usd=0.5
    )
    assert alone.content[0].text.startswith("$0.5000 for 1 tokens of 'm' as you reported it")
    assert alone.structured_content["provenance"] == "reported"
    beside = await call(
        monitor, era, "record_usage", provider="openai", model="gpt-4", input_tokens=1000,
        cost_usd=0.5,
    )  # fmt: skip
    assert beside.content[0].text.endswith(", you were told $0.5000")
    assert beside.structured_content["cost_usd"] == 0.03
    shares = (await call(monitor, era, "get_cost_report")).structured_content["provenance"]
    assert {share["provenance"]: share["cost"] for share in shares} == {
        "reported": 0.5, "computed": 0.03,
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_tokens": -1}, {"input_tokens": True}, {"input_tokens": 1.5},
        {"output_tokens": 10**15}, {"cache_read_tokens": "9"}, {"cost_usd": -0.1},
        {"cost_usd": 1e300}, {"model": "m" * 10_000}, {"model": ""}, {"provider": None},
        {"purpose": "p" * 1000}, {"cost_usd": True},
    ],
    ids=str,
)  # fmt: skip
async def test_what_cannot_be_is_refused_by_name_and_not_recorded(
    monitor: Monitor, era: Any, wrong: dict[str, Any]
) -> None:
    result = await call(
        monitor, era, "record_usage", **{"provider": "openai", "model": "gpt-4o", **wrong}
    )
    assert result.is_error
    assert next(iter(wrong)) in result.content[0].text
    report = (await call(monitor, era, "get_cost_report")).structured_content
    assert report["breakdown"] == []


async def test_what_is_switched_off_says_so(tmp_path: Path, era: Any) -> None:
    for switch in ("enabled", "track_costs"):
        monitor = Monitor.open(store=str(tmp_path / "store"), **{switch: False})
        result = await call(monitor, era, "record_usage", provider="openai", model="gpt-4o")
        assert result.is_error
        assert f"nothing is recorded: {switch} is false" in result.content[0].text
