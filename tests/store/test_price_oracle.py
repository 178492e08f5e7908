"""genai-prices itself is the judge: over all its models we equal it, or say what is unknown."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import pytest
from genai_prices import Usage as OracleUsage
from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot

from contextframe_monitoring.core.quotes import read_usage
from contextframe_monitoring.core.token_usage import Usage
from contextframe_monitoring.store.catalogue import Catalogue, microseconds

SNAPSHOT = DataSnapshot(providers=list(providers), from_auto_update=False)


def texts(match: object) -> list[str]:
    """Return the texts that a match rule is made of."""
    found = [
        getattr(match, key) for key in ("equals", "starts_with", "contains") if hasattr(match, key)
    ]
    for key in ("or_", "and_"):
        found += [text for part in getattr(match, key, ()) for text in texts(part)]
    return found


def reference(provider, model) -> str:
    """Return a name by which the library itself finds this very model."""
    names = [model.id, *texts(model.match)]
    return next(
        name
        for name in (*names, *(f"us.{name}" for name in names))
        if provider.find_model(name) is model
    )


MODELS = [
    (provider.id, reference(provider, model)) for provider in providers for model in provider.models
]
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
TIMES = [
    datetime(2024, 3, 1, 12, tzinfo=UTC),
    datetime(2025, 6, 9, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2025, 6, 10, tzinfo=UTC),
    datetime(2025, 7, 20, 0, 30, tzinfo=UTC),
    datetime(2025, 7, 20, 16, 29, 59, tzinfo=UTC),
    datetime(2025, 7, 20, 16, 30, tzinfo=UTC),
    datetime(2026, 8, 21, 3, tzinfo=UTC),
    datetime(2026, 10, 14, 9, 59, tzinfo=UTC),
]
CACHED = {
    "input_tokens": 91_307,
    "cache_read_tokens": 50_001,
    "cache_write_tokens": 21_003,
    "cache_write_1h_tokens": 1_002,
    "output_tokens": 1_777,
    "output_reasoning_tokens": 777,
}
USAGES = [
    {"input_tokens": 1, "output_tokens": 1},
    CACHED,
    *({"input_tokens": size, "output_tokens": 7} for size in (128_000, 128_001, 272_000, 272_001)),
    {**CACHED, "input_tokens": 200_000},
    {**CACHED, "input_tokens": 200_001},
    {**CACHED, "input_tokens": 1_000_000},
    {"input_tokens": 999, "output_tokens": 10**9, "web_searches": 3},
    {
        "input_tokens": 10_000,
        "cache_read_tokens": 3_000,
        "input_audio_tokens": 2_000,
        "cache_audio_read_tokens": 500,
        "output_tokens": 900,
        "output_audio_tokens": 400,
    },
    {
        "input_tokens": 10_000,
        "cache_read_tokens": 3_000,
        "input_image_tokens": 2_000,
        "cache_image_read_tokens": 500,
        "output_tokens": 900,
        "output_image_tokens": 400,
    },
    {
        "input_tokens": 5_000,
        "input_video_tokens": 4_000,
        "output_tokens": 10,
        "output_citation_tokens": 3,
    },
    {"audio_seconds": 3.25, "input_audio_seconds": 3.25},
    {"audio_seconds": 4_000, "input_audio_seconds": 4_000},
    {"input_characters": 12_345, "input_text_messages": 3},
    {"input_document_pages": 17, "input_annotated_document_pages": 5},
    {"storage_searches": 4, "input_tokens": 10},
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """The base catalogue alone: price files that say nothing."""
    folder = tmp_path_factory.mktemp("pricing")
    (folder / "nothing.toml").write_text("", encoding="utf-8")
    return Catalogue(shipped=folder)


VARIED = [
    (provider.id, reference(provider, model))
    for provider in providers
    for model in provider.models
    if model.price_variants
]


def oracle(
    provider: str, model: str, usage: dict, at: datetime, context: dict | None = None
) -> Decimal:
    price = SNAPSHOT.calc(OracleUsage(**usage), model, provider, None, at, context)
    return price.total_price


def assert_unknown_for_a_reason(cost, provider: str, model: str, usage: dict, at: datetime) -> str:
    """The library adds nothing where it has no rate; we say unknown, and that must be all of it."""
    assert cost.amount_usd is None
    assert cost.reason is not None
    if cost.reason.endswith("is listed without a price"):
        assert oracle(provider, model, usage, at) == 0
        return "no price"
    name = cost.reason.rpartition("no rate for ")[2].removesuffix("_ms")
    without = {key: 0 if name in key or key in name else count for key, count in usage.items()}
    if name == "input_tokens":
        without |= {key: 0 for key in usage if key.startswith(("input", "cache"))}
    if name == "output_tokens":
        without |= {key: 0 for key in usage if key.startswith("output")}
    assert oracle(provider, model, usage, at) == oracle(provider, model, without, at), cost.reason
    return "no rate"


@pytest.mark.requirement("cost:prices:oracle")
def test_every_model_costs_what_the_library_says_for_every_usage(base: Catalogue) -> None:
    seen: Counter[str] = Counter()
    for (provider, model), usage in product(MODELS, USAGES):
        cost = base.cost(provider, model, read_usage(usage), microseconds(NOON))
        if cost.amount_usd is None:
            seen[assert_unknown_for_a_reason(cost, provider, model, usage, NOON)] += 1
            continue
        expected = oracle(provider, model, usage, NOON)
        assert abs(cost.amount_usd - expected) <= Decimal("1e-20"), (provider, model, usage)
        assert cost.amount_nano_usd == round(expected * 10**9), (provider, model, usage)
        seen["equal"] += 1
    assert seen["equal"] > 20_000, seen


@pytest.mark.requirement("cost:prices:event-time")
def test_every_model_costs_what_the_library_says_at_every_time(base: Catalogue) -> None:
    for (provider, model), at in product(MODELS, TIMES):
        cost = base.cost(provider, model, read_usage(CACHED), microseconds(at))
        if cost.amount_usd is None:
            assert_unknown_for_a_reason(cost, provider, model, CACHED, at)
        else:
            assert cost.amount_usd == oracle(provider, model, CACHED, at), (provider, model, at)


@pytest.mark.parametrize(
    ("context", "fields"),
    [
        ({"processing": "batch"}, {"batch": True}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"service_tier": "priority"}, {"service_tier": "Priority"}),
        ({"service_tier": "default"}, {"service_tier": "default"}),
        ({"speed": "fast"}, {"speed": "fast"}),
        ({"search_type": "fast"}, {"context": (("search_type", "fast"),)}),
        ({"route": "mistral/eu"}, {"context": (("route", "mistral/eu"),)}),
    ],
)
def test_a_mode_costs_what_the_library_says_or_is_unknown(
    base: Catalogue, context: dict, fields: dict
) -> None:
    usage = {"input_tokens": 250_000, "cache_read_tokens": 1_000, "output_tokens": 500}
    if "search_type" in context:
        usage["web_searches"] = 2
    columns = Usage(
        input_tokens=249_000,
        cache_read_tokens=1_000,
        output_tokens=500,
        web_searches=usage.get("web_searches", 0),
        **fields,
    )
    varied = 0
    for (provider, model), at in product(VARIED + MODELS[::9], (TIMES[0], TIMES[-1], NOON)):
        cost = base.cost(provider, model, columns, microseconds(at))
        expected = oracle(provider, model, usage, at, context)
        if cost.amount_usd is not None:
            assert cost.amount_usd == expected, (provider, model, at)
            varied += expected != oracle(provider, model, usage, at)
        elif "has no rate for " in (cost.reason or "") and cost.reason.endswith("at that time"):
            assert expected == oracle(provider, model, usage, at), (provider, model, at)
        else:
            assert_unknown_for_a_reason(cost, provider, model, usage, at)
    assert varied > 0 or context == {"service_tier": "default"}
