"""The recorded cases, the hand-worked table and this project's own figures, to the nano-dollar."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from contextframe_monitoring.store.catalogue import Catalogue

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AUGUST = datetime(2026, 8, 15, 12, tzinfo=UTC)
"""The cases without a date were priced with the catalogue of August 2026."""
TOLERANCE_USD = Decimal("1e-9")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


@pytest.fixture(scope="module")
def cases() -> list[dict]:
    path = Path(__file__).parents[2].parent / "shared" / "data" / "prices" / "cases.json"
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"the shared data are missing: {path}")
        pytest.skip("the shared data are not beside this checkout")
    return json.loads(path.read_text(encoding="utf-8"))


def quoted(catalogue: Catalogue, case: dict, now: datetime) -> Decimal | None:
    return catalogue.quote(case, now)["amount_usd"]


@pytest.mark.requirement("cost:well:price-cases", "002:ok:cost-accuracy", "002:test:cost-accuracy")
@pytest.mark.parametrize("now", [AUGUST, NOW])
def test_all_cases_of_grade_a_and_b_are_exact(
    catalogue: Catalogue, cases: list[dict], now: datetime
) -> None:
    graded = [case for case in cases if case["grade"][0] in "AB"]
    assert len(graded) == 202
    wrong = {}
    for case in graded:
        amount = quoted(catalogue, case, now)
        expected = Decimal(case["expected_usd"])
        if amount is None or abs(amount - expected) > TOLERANCE_USD:
            wrong[case["id"]] = (case["model"], expected, amount)
    # A case that fails here for `now` only means that the catalogue moved: its model is named.
    assert wrong == {}


def test_the_disputed_cases_differ_where_a_price_moved_since_or_a_source_was_wrong(
    catalogue: Catalogue, cases: list[dict]
) -> None:
    disputed = [case for case in cases if case["grade"][0] == "C" and "rates_per_token" not in case]
    differ = {
        case["id"]: case["model"]
        for case in disputed
        if abs(quoted(catalogue, case, AUGUST) - Decimal(case["expected_usd"])) > TOLERANCE_USD
    }
    assert differ == {
        "p0079": "mistral-small-latest",  # 2026-03-16: a new model behind the name
        "p1600": "claude-sonnet-4-6",  # the source left out the web search
        "p1656": "mistral-medium-latest",  # 2026-06-16: a new model behind the name
        "p1657": "mistral-medium-latest",
        "p1714": "deepseek-reasoner",  # the source still has the price of R1
        "p1725": "mistral-small-latest",
        "p1734": "ministral-8b-latest",  # 2025-12-02: a new model behind the name
    }


def test_a_case_may_bring_its_own_rates(catalogue: Catalogue, cases: list[dict]) -> None:
    case = next(case for case in cases if case["id"] == "p1779")
    line = {"provider": "test", "model": "test-model", "usage": case["usage"]}
    assert catalogue.quote(case, NOW) == {
        "amount_usd": Decimal(case["expected_usd"]),
        "price_id": "quote:rates_per_token",
        "reason": None,
    }
    assert catalogue.quote(line, NOW) == {
        "amount_usd": None,
        "price_id": None,
        "reason": "model 'test-model' of provider 'test' is in no price list",
    }


K, M = 1_000, 1_000_000


def used(input_tokens: int, output_tokens: int = 0, **more: int) -> dict[str, int]:
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, **more}


CACHE = {"cache_read_tokens": 50 * K, "input_tokens": 71 * K, "output_tokens": K}
AUDIO = used(2 * K, 2 * K, input_audio_tokens=K, output_audio_tokens=K)
ONE, MILLION, SEARCH = used(K, K), used(M, M), "search_context_size"
BATCH, FLEX = {"batch": True}, {"service_tier": "flex"}
SONNET_3_5 = "anthropic.claude-3-5-sonnet-20241022-v2:0"

HAND_WORKED = [
    ("anthropic claude-sonnet-4-5", None, used(10 * K, 2 * K), {}, "0.06"),
    ("anthropic claude-sonnet-4-5", None, {**CACHE, "cache_write_tokens": 20 * K}, {}, "0.108"),
    ("anthropic claude-sonnet-4-5", None, {**CACHE, "cache_write_1h_tokens": 20 * K}, {}, "0.153"),
    ("anthropic claude-sonnet-4-5", "2025-11-15", used(300 * K, 5 * K), {}, "1.9125"),
    ("openai gpt-4o", None, used(10 * K, K, cache_read_tokens=8 * K), {}, "0.025"),
    ("openai gpt-4o-2024-05-13", None, ONE, {}, "0.02"),
    ("google gemini-2.5-pro", None, used(100 * K, 5 * K), {}, "0.175"),
    ("google gemini-2.5-pro", None, used(300 * K, 5 * K), {}, "0.825"),
    ("openai text-embedding-3-small", None, used(M), {}, "0.02"),
    ("openai text-embedding-3-large", None, used(M), {}, "0.13"),
    ("openai gpt-5", None, used(10 * K, K, cache_read_tokens=8 * K), {}, "0.0135"),
    ("deepseek deepseek-chat", "2025-07-10T08:00:00Z", MILLION, {}, "1.37"),
    ("deepseek deepseek-chat", "2025-07-10T18:00:00Z", MILLION, {}, "0.685"),
    ("deepseek deepseek-chat", "2025-10-15T08:00:00Z", MILLION, {}, "0.70"),
    ("deepseek deepseek-chat", "2025-10-15T18:00:00Z", MILLION, {}, "0.70"),
    ("openai gpt-4o-audio-preview", None, AUDIO, {}, "0.1325"),
    ("openai gpt-realtime", None, AUDIO, {}, "0.116"),
    (f"aws {SONNET_3_5}", None, ONE, {}, "0.018"),
    (f"bedrock us.{SONNET_3_5}", None, ONE, {}, "0.018"),
    ("openai o3", "2025-05-15", ONE, {}, "0.05"),
    ("openai o3", "2025-07-15", ONE, {}, "0.01"),
    ("openai gpt-4o", None, ONE, BATCH, "0.00625"),
    ("openai gpt-4o", "2025-03-01", ONE, BATCH, "0.00625"),
    ("anthropic claude-haiku-4-5", "2026-01-15", ONE, BATCH, "0.003"),
    ("anthropic claude-haiku-4-5", "2026-01-15", ONE, {"service_tier": "batch"}, "0.003"),
    ("openai gpt-5", None, ONE, {"service_tier": "priority"}, "0.0225"),
    ("openai gpt-5", None, ONE, FLEX, "0.005625"),
    ("openai o3", "2025-05-15", ONE, FLEX, "0.025"),
    ("groq openai/gpt-oss-120b", None, used(M), FLEX, "0.15"),
    ("anthropic claude-opus-4-5", None, ONE, {}, "0.03"),
    ("anthropic claude-opus-4-1", None, ONE, {}, "0.09"),
    ("anthropic claude-haiku-4-5", None, ONE, {}, "0.006"),
    ("perplexity sonar-pro", None, ONE, {SEARCH: "low"}, "0.024"),
    ("perplexity sonar-pro", None, ONE, {}, "0.024"),
    ("perplexity sonar-pro", None, ONE, {SEARCH: "high"}, "0.032"),
    # the original's own tests
    ("openai gpt-4", None, used(K, 500), {}, "0.06"),
    ("openai gpt-3.5-turbo", None, used(2 * K, K), {}, "0.0025"),
    # modes that stack: US inference of a batch; fast mode above the tier
    ("anthropic claude-opus-4-6", "2026-03-20", ONE, {**BATCH, "inference_geo": "us"}, "0.0165"),
    ("anthropic claude-opus-4-6", "2026-02-20", used(300 * K, K), {"speed": "fast"}, "18.225"),
    # DeepSeek's peak: on a Wednesday, never on a Saturday, not before the day on which it began
    ("deepseek deepseek-v4-flash", "2026-11-18T02:00:00Z", used(M), {}, "0.3"),
    ("deepseek deepseek-v4-flash", "2026-11-18T05:00:00Z", used(M), {}, "0.15"),
    ("deepseek deepseek-v4-flash", "2026-11-21T02:00:00Z", used(M), {}, "0.15"),
    ("deepseek deepseek-v4-flash", "2026-08-22T02:00:00Z", used(M), {}, "0.44"),
    ("deepseek deepseek-v4-flash", "2026-08-12T02:00:00Z", used(M), {}, "0.14"),
]


@pytest.mark.parametrize(("name", "at", "usage", "mode", "expected"), HAND_WORKED)
def test_the_hand_worked_table_is_exact(
    catalogue: Catalogue, name: str, at: str | None, usage: dict, mode: dict, expected: str
) -> None:
    provider, model = name.split()
    line = {"provider": provider, "model": model, "at": at, "usage": usage, **mode}
    answer = catalogue.quote(line, NOW)
    assert (answer["amount_usd"], answer["reason"]) == (Decimal(expected), None)
