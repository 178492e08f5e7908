"""`reconcile`: bills in the shapes of the providers' admin APIs against a store."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring import Monitor
from contextframe_monitoring.core.bills import plain_model, read_page
from contextframe_monitoring.core.errors import MonitoringError
from tests.cli.test_commands import run
from tests.cli.test_cost_report import cost_of

DAY = dt.date(2026, 11, 10)
SONNET = "claude-sonnet-4-5-20250929"


def anthropic(*days: list[dict[str, Any]], start: dt.date = DAY, **page: Any) -> dict[str, Any]:
    buckets = []
    for number, results in enumerate(days):
        day = start + dt.timedelta(days=number)
        buckets.append(
            {
                "starting_at": f"{day}T00:00:00Z",
                "ending_at": f"{day + dt.timedelta(days=1)}T00:00:00Z",
                "results": results,
            }
        )
    return {"data": buckets, "has_more": False, "next_page": None, **page}


def cents(amount: str, model: str | None = SONNET, **more: Any) -> dict[str, Any]:
    return {"currency": "USD", "amount": amount, "model": model, "cost_type": "tokens", **more}


def used(plain: int, read: int = 0, written: int = 0, output: int = 0) -> dict[str, Any]:
    return {
        "model": SONNET,
        "uncached_input_tokens": plain,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "server_tool_use": {"web_search_requests": 0},
    }


def openai(*results: dict[str, Any], **page: Any) -> dict[str, Any]:
    start = int(dt.datetime(DAY.year, DAY.month, DAY.day, tzinfo=dt.UTC).timestamp())
    bucket = {"object": "bucket", "start_time": start, "end_time": start + 86_400,
              "results": list(results)}  # fmt: skip
    return {"object": "page", "data": [bucket], "has_more": False, "next_page": None, **page}


class Desk:
    """A store and a folder of bills."""

    def __init__(self, folder: Path) -> None:
        self.store, self.folder = str(folder / "store"), folder

    def spend(self, *calls: dict[str, Any], day: dt.date = DAY, hour: int = 12) -> None:
        at = dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC)

        async def all_of(monitor: Monitor) -> None:
            for call in calls:
                known = {"provider": "anthropic", "model": "claude-sonnet-4-5", "input_tokens": 0,
                         "output_tokens": 0, "at": at}  # fmt: skip
                await monitor.cost.track_llm_usage(**{**known, **call})

        with Monitor.open(store=self.store, start_keeper=False) as monitor:
            asyncio.run(all_of(monitor))

    def reconcile(self, *bills: object, status: int = 0, options: Any = ()) -> dict[str, Any]:
        done = self.run(*bills, options=("--json", *options))
        assert done.returncode == status, done.stdout + done.stderr
        [found] = json.loads(done.stdout, parse_float=Decimal)
        assert isinstance(found, dict)
        return found

    def run(self, *bills: object, options: Any = ()) -> Any:
        paths = []
        for number, bill in enumerate(bills):
            path = self.folder / f"bill-{number}.json"
            path.write_text(bill if isinstance(bill, str) else json.dumps(bill))
            paths.append(str(path))
        return run("reconcile", *paths, "--store", self.store, *options)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.requirement("cost:reconcile:providers", "003:ok:bills")
def test_cents_are_cents_and_a_bill_that_agrees_is_no_finding(desk: Desk) -> None:
    desk.spend({"input_tokens": 100_000, "output_tokens": 10_000})  # $0.30 + $0.15
    found = desk.reconcile(anthropic([cents("30.0"), cents("15")]))
    assert (found["billed"], found["computed"], found["difference"], found["findings"]) == (
        Decimal("0.45"), Decimal("0.45"), 0, 0,
    )  # fmt: skip
    assert found["period"] == {
        "start": "2026-11-10T00:00:00+00:00", "end": "2026-11-11T00:00:00+00:00", "timezone": "UTC",
    }  # fmt: skip


@pytest.mark.requirement("cost:reconcile:billed")
def test_a_bill_is_stored_once_grows_by_deltas_and_is_in_no_total(desk: Desk) -> None:
    desk.spend({"input_tokens": 100_000})
    bill = anthropic([cents("30")])
    assert desk.reconcile(bill)["stored"] == 1
    assert desk.reconcile(bill)["stored"] == 0
    assert desk.reconcile(bill, bill)["stored"] == 0
    grown = desk.reconcile(anthropic([cents("30"), cents("5", "claude-haiku-4-5")]), status=1)
    assert grown["stored"] == 1
    assert desk.reconcile(anthropic([cents("31")]))["stored"] == 1
    report = cost_of(desk.store, "--since", "2026-11-10", "--until", "2026-11-11")
    assert (report["total_cost"], report["unknown"]["count"]) == (Decimal("0.3"), 0)
    assert [row["category"] for row in report["breakdown"]] == ["claude-sonnet-4-5"]
    assert {row["provenance"]: (row["cost"], row["count"]) for row in report["provenance"]} == {
        "computed": (Decimal("0.3"), 1), "billed": (Decimal("0.36"), 2),
    }  # fmt: skip
    assert [row["cost"] for row in report["trend"]] == [Decimal("0.3"), 0]


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown price": (
        {"model": "claude-x", "input_tokens": 9},
        "unknown price: 1 of 1 facts are in no sum",
    ),
    "cache counted as input": (
        {"input_tokens": 1_000_000},
        "cache: 900,000 input tokens were billed as cached, we counted 0",
    ),
    "cache not counted": (
        {"input_tokens": 100_000},
        "cache: 900,000 cached tokens were billed, we counted none",
    ),
    "missing source": (
        {"input_tokens": 40_000, "cache_read_tokens": 300_000},
        "missing source: 660,000 billed tokens were not recorded",
    ),
}


@pytest.mark.requirement("cost:reconcile:reasons")
@pytest.mark.parametrize("case", CASES)
def test_the_reason_is_named_where_it_can_be(desk: Desk, case: str) -> None:
    call, reason = CASES[case]
    desk.spend(call)
    model = call.get("model", SONNET)
    found = desk.reconcile(
        anthropic([cents("57", model)]),
        anthropic([{**used(100_000, read=900_000), "model": model}]),
        status=1,
    )
    assert [row["reason"] for row in found["breakdown"]] == [reason]


def test_what_was_never_recorded_and_what_was_never_billed(desk: Desk) -> None:
    desk.spend({"model": "claude-haiku-4-5", "input_tokens": 1_000_000})
    found = desk.reconcile(anthropic([cents("300")]), status=1)
    assert {row["model"]: (row["difference"], row["reason"]) for row in found["breakdown"]} == {
        "claude-sonnet-4-5": (
            Decimal(3),
            "missing source: nothing was recorded for it on that day",
        ),
        "claude-haiku-4-5": (Decimal(-1), "not on the bill"),
    }


def test_a_call_on_the_other_side_of_midnight_is_a_matter_of_time_zones(desk: Desk) -> None:
    desk.spend({"input_tokens": 100_000}, {"input_tokens": 100_000}, day=DAY)
    desk.spend({"input_tokens": 100_000}, day=DAY + dt.timedelta(days=1))
    found = desk.reconcile(anthropic([cents("30")], [cents("60")]), status=1)
    assert {row["day"]: row["reason"] for row in found["breakdown"]} == {
        "2026-11-10": "time zone: it makes up for 2026-11-11; bills count UTC days",
        "2026-11-11": "time zone: it makes up for 2026-11-10; bills count UTC days",
    }
    assert found["difference"] == 0


def test_days_are_those_of_utc_whatever_the_configuration(desk: Desk) -> None:
    desk.spend({"input_tokens": 100_000}, hour=23)
    config = desk.folder / "monitoring.toml"
    config.write_text('timezone = "Pacific/Kiritimati"\n')
    desk.reconcile(anthropic([cents("30")]), options=("--config", str(config)))


def test_the_tolerance_is_the_askers(desk: Desk) -> None:
    desk.spend({"input_tokens": 100_000})
    bill = anthropic([cents("32")])
    assert desk.reconcile(bill, status=1)["findings"] == 1
    assert desk.reconcile(bill, options=("--tolerance", "0.02"))["findings"] == 0


@pytest.mark.requirement("cost:reconcile:providers")
def test_openai_counts_cached_tokens_inside_the_input_and_costs_in_dollars(desk: Desk) -> None:
    desk.spend(
        {"provider": "openai", "model": "gpt-4o-2024-08-06", "input_tokens": 600_000,
         "cache_read_tokens": 400_000, "output_tokens": 100_000}
    )  # fmt: skip
    costs = openai(
        {"amount": {"value": 2.0, "currency": "usd"}, "line_item": "gpt-4o-2024-08-06, input"},
        {"amount": {"value": 1.0, "currency": "usd"}, "line_item": "gpt-4o-2024-08-06, output"},
    )
    usage = openai(
        {"input_tokens": 1_000_000, "input_cached_tokens": 400_000, "output_tokens": 100_000,
         "num_model_requests": 1, "model": "gpt-4o-2024-08-06", "batch": None}
    )  # fmt: skip
    found = desk.reconcile(costs, usage)
    assert (found["provider"], found["billed"], found["difference"]) == ("openai", 3, 0)
    alone = desk.reconcile(usage)
    assert (alone["billed"], alone["findings"], alone["stored"]) == (None, 0, 0)


def test_pages_add_up_and_a_missing_one_is_said(desk: Desk) -> None:
    desk.spend({"input_tokens": 100_000})
    first = anthropic([cents("10")], has_more=True, next_page="p2")
    second = anthropic([cents("20")], start=DAY + dt.timedelta(days=1))
    missing = desk.reconcile(first, status=1)
    assert missing["notes"][0] == (
        f"{desk.folder}/bill-0.json says that it has more: the next page is missing"
    )
    both = desk.reconcile(first, second, status=1)
    assert both["billed"] == Decimal("0.3")
    assert not any("has more" in note for note in both["notes"])


@pytest.mark.requirement("cost:bad:bills")
@pytest.mark.parametrize(
    ("bill", "message"),
    [
        (anthropic([cents("30", currency="EUR")]),
         "currency = 'EUR' is not allowed: expected USD: nothing is converted"),
        (openai({"amount": {"value": 1, "currency": "gbp"}}), "currency = 'gbp' is not allowed"),
        (anthropic([cents("3e999999999")]), "amount = "),
        (anthropic([cents("NaN")]), "amount = 'NaN' is not allowed: expected a finite number"),
        (anthropic([cents("much")]), "amount = 'much' is not allowed: expected a decimal string"),
        (anthropic([{**cents("3"), "amount": 3}]), "amount = 3 is not allowed: expected a decimal"),
        (anthropic([cents("3", "m" * 10_000)]), "model = 'mmm"),
        (anthropic([used(-1)]), "uncached_input_tokens = -1 is not allowed"),
        (anthropic([used(True)]), "uncached_input_tokens = True is not allowed"),
        (openai({"input_tokens": 1, "input_cached_tokens": 2, "output_tokens": 0}),
         "input_cached_tokens = 2 is not allowed: at most input_tokens = 1"),
        ({"data": []}, "'no buckets' is not allowed"),
        ({"results": []}, "['results'] is not allowed: expected a page of"),
        ([1], "[1] is not allowed: expected an object"),
        ("{", "is not allowed: expected JSON"),
        ({"data": [{"starting_at": "x", "ending_at": "y", "results": []}]},
         "starting_at = 'x' is not allowed"),
        ({"data": [{"start_time": 0, "end_time": 10**9, "results": []}]},
         "expected a UTC day or a part"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_bill_that_cannot_be_is_refused_by_name(desk: Desk, bill: object, message: str) -> None:
    done = desk.run(bill)
    assert done.returncode == 2
    assert "bill-0.json" in done.stderr
    assert message in done.stderr


def test_a_table_says_what_differs_and_why(desk: Desk) -> None:
    done = desk.run(anthropic([cents("300")]))
    assert done.returncode == 1
    first, second, *rows = done.stdout.splitlines()
    assert first == (
        "anthropic: billed $3.0000, computed $0.0000, difference $3.0000; 1 of 1 differ"
    )
    assert second == "Anthropic's cost report holds no Priority Tier cost"
    assert rows[-1].split()[:4] == ["2026-11-10", "claude-sonnet-4-5", "$3.0000", "$0.0000"]


def test_a_missing_file_is_named(desk: Desk) -> None:
    done = run("reconcile", "nowhere.json", "--store", desk.store)
    assert done.returncode == 2
    assert "nowhere.json" in done.stderr


def test_names_with_and_without_a_date_are_one_model() -> None:
    assert {plain_model(name) for name in (SONNET, "claude-sonnet-4-5", "Claude-Sonnet-4-5")} == {
        "claude-sonnet-4-5"
    }
    assert plain_model("gpt-4o-2024-08-06") == plain_model("gpt-4o") == "gpt-4o"
    assert plain_model("") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.just("2026-11-10T00:00:00Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "results", "starting_at", "ending_at", "start_time", "end_time", "amount",
                 "currency", "value", "model", "input_tokens", "cache_creation", "has_more"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=15,
)  # fmt: skip


@given(JSON)
def test_whatever_comes_is_read_or_refused(page: Any) -> None:
    with contextlib.suppress(MonitoringError):
        read_page(page, "bill.json")
