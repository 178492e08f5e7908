"""`prices reprice` and `prices check` over a store, as a person runs them."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.records import CostRecord
from contextframe_monitoring.ingest.repricing import reprice_facts
from contextframe_monitoring.ingest.transcripts.settlement import revision_of
from contextframe_monitoring.store.snapshot import Snapshot
from tests.cli.test_commands import run
from tests.cli.test_cost_report import cost_of

PRICE = """
[[llm]]
provider = "lab"
models = ["lab-1"]
input_mtok = {input}
output_mtok = 10
cache_read_mtok = 0.5
from = 2020-01-01
source = "https://example.com/prices"
checked = 2026-01-01
"""

OTHER = """
[[api]]
names = ["somebody-else"]
call = 1
from = 2020-01-01
source = "https://example.com/prices"
checked = 2026-01-01
"""


class Desk:
    """A store, and a folder of price files that changes."""

    def __init__(self, folder: Path) -> None:
        self.store = str(folder / "store")
        self.prices = folder / "prices"
        self.prices.mkdir()
        (self.prices / "other.toml").write_text(OTHER)
        self.config = folder / "monitoring.toml"
        self.config.write_text(f"pricing_config_path = {json.dumps(str(self.prices))}\n")

    def costs(self, rate: float) -> None:
        (self.prices / "lab.toml").write_text(PRICE.replace("{input}", str(rate)))

    def spend(self, *calls: dict[str, Any]) -> None:
        async def all_of(monitor: Monitor) -> None:
            for call in calls:
                await monitor.cost.track_llm_usage(
                    **{"provider": "lab", "model": "lab-1", "input_tokens": 1_000_000,
                       "output_tokens": 100_000, "agent_id": "a", **call}
                )  # fmt: skip

        with Monitor.open(str(self.config), store=self.store, start_keeper=False) as monitor:
            asyncio.run(all_of(monitor))

    def reprice(self) -> dict[str, Any]:
        done = run(
            "prices", "reprice", "--json", "--store", self.store, "--config", str(self.config)
        )
        assert done.returncode in (0, 1), done.stderr
        found: dict[str, Any] = json.loads(done.stdout, parse_float=Decimal)
        assert done.returncode == (1 if found["unknown"]["count"] else 0)
        return found

    def report(self, *options: str) -> dict[str, Any]:
        return cost_of(self.store, "--config", str(self.config), *options)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.requirement("cost:facts:reprice", "cost:prices:commands")
def test_what_had_no_price_is_priced_once_there_is_one(desk: Desk) -> None:
    desk.spend({}, {"cache_read_tokens": 2_000_000}, {"model": "lab-2"})
    before = desk.report()
    assert (before["total_cost"], before["unknown"]["count"]) == (None, 3)

    desk.costs(1)
    done = desk.reprice()

    assert (done["changed"], done["change"]) == (2, Decimal(5))
    assert [row["model"] for row in done["unknown"]["models"]] == ["lab-2"]
    after = desk.report("--group-by", "model")
    assert (after["total_cost"], after["unknown"]["count"]) == (Decimal(5), 1)
    assert after["breakdown"][0] == {
        "category": "lab-1", "cost": Decimal(5), "percentage": Decimal(100), "count": 2,
        "tokens": 4_200_000,
    }  # fmt: skip
    assert after["tokens"] == before["tokens"]


def test_a_price_that_changed_is_a_difference_and_comes_back(desk: Desk) -> None:
    desk.costs(1)
    desk.spend({})
    for rate, total, change in ((3, 4, 2), (0.5, 1.5, -2.5), (1, 2, 0.5)):
        desk.costs(rate)
        assert desk.reprice()["change"] == Decimal(str(change))
        report = desk.report()
        assert (report["total_cost"], report["breakdown"][0]["count"]) == (Decimal(str(total)), 1)
    (desk.prices / "lab.toml").unlink()
    assert desk.reprice()["change"] == Decimal(-2)
    gone = desk.report()
    assert (gone["total_cost"], gone["unknown"]["count"]) == (None, 1)
    desk.costs(2)
    assert desk.reprice()["change"] == Decimal(3)
    assert desk.report()["total_cost"] == Decimal(3)


@pytest.mark.requirement("cost:facts:reprice")
def test_twice_is_once_and_history_stays(desk: Desk) -> None:
    desk.spend({}, {"web_searches": 0})
    desk.costs(1)
    assert desk.reprice()["changed"] == 2
    again = desk.reprice()
    assert (again["changed"], again["change"]) == (0, 0)
    with Monitor.open(store=desk.store, enabled=False) as monitor:
        rows = [
            row
            for batch in Snapshot(monitor.store).batches(
                "cost_metrics", ("amount_nano_usd", "metadata", "seq"), None, None
            )
            for row in batch.to_pylist()
        ]
    assert [row["amount_nano_usd"] for row in rows].count(None) == 4
    assert sorted(revision_of(row["metadata"]) for row in rows) == [0, 0, 1, 1, 2, 2]


def test_costs_that_somebody_told_are_left_alone(desk: Desk) -> None:
    desk.spend({"reported_cost_usd": Decimal(7)})
    desk.costs(1)
    assert desk.reprice()["changed"] == 0
    assert desk.report()["total_cost"] == Decimal(7)


def test_services_are_priced_again_too(desk: Desk) -> None:
    async def spend(monitor: Monitor) -> None:
        await monitor.cost.track_api_cost("lab-api", 3)
        await monitor.cost.track_compute_usage(1.5, service="lab-box")

    with Monitor.open(str(desk.config), store=desk.store, start_keeper=False) as monitor:
        asyncio.run(spend(monitor))
    (desk.prices / "services.toml").write_text(
        """
[[api]]
names = ["lab-api"]
call = 0.01
from = 2020-01-01
source = "https://example.com/prices"
checked = 2026-01-01

[[compute]]
names = ["lab-box"]
second = 0.2
from = 2020-01-01
source = "https://example.com/prices"
checked = 2026-01-01
"""
    )
    desk.reprice()
    rows = desk.report("--group-by", "provider")["breakdown"]
    assert {row["category"]: row["cost"] for row in rows} == {
        "lab-api": Decimal("0.03"), "lab-box": Decimal("0.3"),
    }  # fmt: skip


@pytest.mark.parametrize("kept", range(4))
def test_a_repricing_that_is_cut_off_is_carried_on_by_the_next(desk: Desk, kept: int) -> None:
    desk.spend({}, {})
    desk.costs(1)
    with Monitor.open(str(desk.config), store=desk.store, start_keeper=False) as monitor:
        written: list[CostRecord] = []

        def record(one: CostRecord) -> bool:
            if len(written) == kept:
                raise KeyboardInterrupt
            written.append(one)
            return monitor.recorder.record(one)

        with pytest.raises(KeyboardInterrupt):
            reprice_facts(Snapshot(monitor.store), monitor.cost.open_catalogue(), record)
    desk.reprice()
    report = desk.report("--group-by", "model")
    assert (report["total_cost"], report["unknown"]["count"]) == (Decimal(4), 0)
    assert report["breakdown"][0]["count"] == 2
    assert desk.reprice()["changed"] == 0


@pytest.mark.requirement("003:ctab:metadata")
def test_metadata_of_the_users_own_is_kept_and_is_no_correction(desk: Desk) -> None:
    mine = {"fact": "x-1", "note": "mine"}
    desk.spend({"metadata": mine})
    desk.costs(1)
    assert desk.reprice()["changed"] == 1
    assert desk.report()["total_cost"] == Decimal(2)
    assert desk.reprice()["changed"] == 0


@pytest.mark.requirement("cost:prices:commands")
def test_check_lists_what_in_the_store_has_no_price(desk: Desk) -> None:
    desk.spend({}, {})
    done = run("prices", "check", "--json", "--store", desk.store, "--config", str(desk.config))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["unknown"] == {
        "count": 2,
        "models": [
            {
                "model": "lab-1", "provider": "lab", "count": 2,
                "tokens": {
                    "input_tokens": 2_000_000, "cache_read_tokens": 0, "cache_write_5m_tokens": 0,
                    "cache_write_1h_tokens": 0, "output_tokens": 200_000, "reasoning_tokens": 0,
                },
            }
        ],
    }  # fmt: skip
    said = run("prices", "check", "--store", desk.store, "--config", str(desk.config))
    assert "no price: lab lab-1: 2 facts, 2,200,000 tokens" in said.stdout


def test_imported_transcripts_are_priced_again_through_their_books(desk: Desk) -> None:
    line = {
        "type": "assistant", "timestamp": "2026-11-01T10:00:00Z", "sessionId": "s",
        "requestId": "r", "message": {
            "id": "m", "model": "lab-1", "role": "assistant",
            "usage": {"input_tokens": 1_000_000, "output_tokens": 0},
        },
    }  # fmt: skip
    folder = desk.prices.parent / "transcripts" / "p"
    folder.mkdir(parents=True)
    (folder / "s.jsonl").write_bytes(msgspec.json.encode(line) + b"\n")
    options = ("--store", desk.store, "--config", str(desk.config))
    done = run("import", "claude-code", str(folder.parent), *options)
    assert done.returncode == 0, done.stderr
    since = ("--since", "2026-11-01")
    assert desk.report(*since)["unknown"]["count"] == 1
    (desk.prices / "lab.toml").write_text(
        PRICE.replace("{input}", "1").replace('"lab"', '"anthropic"')
    )
    assert desk.reprice()["changed"] == 1
    assert desk.report(*since)["total_cost"] == Decimal(1)
    assert desk.reprice()["changed"] == 0
