"""The price book as a whole: layers, dates, names, reloads, services, and what it must not do."""

import socket
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import data_snapshot

from contextframe_monitoring.core.prices import Rate
from contextframe_monitoring.core.pricing_config import LLMPricing, PricingConfig
from contextframe_monitoring.core.token_usage import Usage
from contextframe_monitoring.store import catalogue as catalogue_module
from contextframe_monitoring.store.catalogue import Catalogue, microseconds, shipped_folder
from contextframe_monitoring.store.price_toml import PriceFileError

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_US = microseconds(NOW)
MILLION_IN = Usage(input_tokens=1_000_000)

OWN = """\
[[llm]]
provider = "anthropic"
models = ["claude-sonnet-4-5"]
from = {start}
source = "contract 7"
checked = 2026-10-01
inherit = {inherit}
input_mtok = {rate}
output_mtok = 10
"""


def own(folder: Path, *entries: tuple[str, str, str]) -> PricingConfig:
    text = "".join(OWN.format(start=a, inherit=b, rate=c) for a, b, c in entries)
    (folder / "own.toml").write_text(text, encoding="utf-8")
    return PricingConfig.from_path(folder)


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return Catalogue()


def per_million(
    catalogue: Catalogue, model: str, at: datetime, provider: str | None = None
) -> object:
    return catalogue.cost(provider, model, MILLION_IN, microseconds(at)).amount_usd


@pytest.mark.requirement("cost:prices:own-folder", "002:config:pricing-path")
def test_a_users_folder_wins_from_its_date_on(tmp_path: Path) -> None:
    catalogue = Catalogue(own(tmp_path, ("2026-03-01", "false", "2"), ("2026-05-01", "false", "1")))
    found = {
        day: per_million(
            catalogue, "claude-sonnet-4-5", datetime(2026, *day, tzinfo=UTC), "anthropic"
        )
        for day in ((2, 28), (3, 1), (4, 30), (5, 1))
    }
    assert found == {(2, 28): 6, (3, 1): 2, (4, 30): 2, (5, 1): 1}


def test_an_own_price_may_be_one_file_and_carries_no_folder_in_its_id(tmp_path: Path) -> None:
    own(tmp_path, ("2026-03-01", "false", "2"))
    catalogue = Catalogue(PricingConfig(path=tmp_path / "own.toml"))
    cost = catalogue.cost("anthropic", "claude-sonnet-4-5", MILLION_IN, NOW_US)
    assert (cost.amount_usd, cost.price_id, cost.source, cost.checked) == (
        Decimal(2),
        "own/own.toml:anthropic/claude-sonnet-4-5@2026-03-01",
        "contract 7",
        date(2026, 10, 1),
    )


def test_an_entry_that_inherits_keeps_the_rates_and_modes_below_it(tmp_path: Path) -> None:
    alone = Catalogue(own(tmp_path, ("2026-03-01", "false", "2")))
    reads = Usage(cache_read_tokens=1_000_000)
    batch = Usage(input_tokens=1_000_000, batch=True)
    model = ("anthropic", "claude-sonnet-4-5")
    assert alone.cost(*model, reads, NOW_US).amount_usd == 2  # without a cache rate: as input
    assert alone.cost(*model, batch, NOW_US).amount_usd == 1  # our factor on the contract
    inheriting = Catalogue(own(tmp_path, ("2026-03-01", "true", "2")))
    assert inheriting.cost(*model, reads, NOW_US).amount_usd == Decimal("0.6")
    assert inheriting.cost(*model, batch, NOW_US).amount_usd == 3


def test_rates_by_hand_win_over_files(tmp_path: Path) -> None:
    config = PricingConfig(
        path=own(tmp_path, ("2026-03-01", "false", "2")).path,
        llm_pricing={
            "claude-sonnet-4-5": LLMPricing(
                input_per_mtok=7, output_per_mtok="8.5", batch_input_per_mtok=0.5
            ),
            "Acme-*": LLMPricing(input_per_mtok=1, output_per_mtok=2, provider="acme"),
        },
    )
    catalogue = Catalogue(config)
    assert per_million(catalogue, "claude-sonnet-4-5", NOW, "anthropic") == 7
    assert per_million(catalogue, "claude-sonnet-4-5", NOW, "acme") == 7
    assert per_million(catalogue, "acme-2", NOW, "acme") == 1
    assert per_million(catalogue, "acme-2", NOW, "other-cloud") is None
    batch = Usage(input_tokens=1_000_000, output_tokens=1_000_000, batch=True)
    cost = catalogue.cost(None, "claude-sonnet-4-5", batch, NOW_US)
    assert (cost.amount_usd, cost.price_id) == (9, "config:claude-sonnet-4-5+batch")


@pytest.mark.requirement("cost:prices:wrong-file")
def test_a_wrong_file_keeps_the_last_good_prices_and_says_why(tmp_path: Path) -> None:
    config = own(tmp_path, ("2026-03-01", "false", "2"))
    catalogue = Catalogue(config)
    own(tmp_path, ("2026-03-01", "false", "-2"))
    assert catalogue.reload() is False
    path = tmp_path / "own.toml"
    assert catalogue.status() == {
        "base": "genai-prices-0.2.3",
        "files": ["own/own.toml", *(f"pricing/{name}" for name in SHIPPED_FILES)],
        "entries": catalogue.status()["entries"],
        "error": (
            f"{path}, line 8: input_mtok = -2 is not allowed: a price in USD from 0 to 1000000"
        ),
    }
    assert per_million(catalogue, "claude-sonnet-4-5", NOW, "anthropic") == 2
    with pytest.raises(PriceFileError):
        Catalogue(config)
    own(tmp_path, ("2026-03-01", "false", "3"))
    assert catalogue.reload() is True
    assert catalogue.error is None
    assert per_million(catalogue, "claude-sonnet-4-5", NOW, "anthropic") == 3


SHIPPED_FILES = (
    "anthropic.toml",
    "api.toml",
    "bandwidth.toml",
    "clouds.toml",
    "compute.toml",
    "deepseek.toml",
    "openai.toml",
    "perplexity.toml",
    "storage.toml",
)


@pytest.mark.requirement("cost:prices:names")
@pytest.mark.parametrize(
    ("provider", "model", "price_id"),
    [
        (None, "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("anthropic", "Claude-Sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
        ("anthropic", "claude-sonnet-4-5@20250929", "anthropic/claude-sonnet-4-5"),
        ("anthropic", "claude-sonnet-4-5-20250929[1m]", "anthropic/claude-sonnet-4-5"),
        ("litellm", "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        (None, "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("openai", "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        (
            None,
            "openrouter/anthropic/claude-sonnet-4.5",
            "openrouter/anthropic/claude-sonnet-4.5",
        ),
        ("openrouter", "anthropic/claude-sonnet-4.5", "openrouter/anthropic/claude-sonnet-4.5"),
        *(
            (provider, name, "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0")
            for provider, name in (
                ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
                ("aws.bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
                ("anthropic", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
                (None, "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
                (None, "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            )
        ),
        (
            "bedrock",
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "aws/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "google/claude-sonnet-4-5"),
        (None, "vertex_ai/claude-sonnet-4-5@20250929", "google/claude-sonnet-4-5"),
        ("gcp.gemini", "models/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("gcp.gen_ai", "gemini-2.5-pro", "google/gemini-2.5-pro"),
        (
            "vertex_ai",
            "projects/p/locations/eu/publishers/google/models/gemini-2.5-pro",
            "google/gemini-2.5-pro",
        ),
        ("azure.ai.openai", "gpt-4o", "openai/gpt-4o"),
        ("azure", "o3-mini-2025-01-31", "azure/o3-mini"),
        ("x_ai", "grok-4", "x-ai/grok-4-0709"),
        ("openai", "gpt-5-20250807", "openai/gpt-5"),
        (None, "text-embedding-3-small", "openai/text-embedding-3-small"),
        ("unknown", "gpt-4o", "openai/gpt-4o"),
        ("", "gpt-4o", "openai/gpt-4o"),
    ],
)
def test_a_model_is_found_under_the_names_that_sdks_clouds_and_gateways_give_it(
    shipped: Catalogue, provider: str | None, model: str, price_id: str
) -> None:
    cost = shipped.cost(provider, model, MILLION_IN, NOW_US)
    found = (cost.price_id or "").partition(":")[2].partition("@")[0]
    assert found == price_id


def test_another_clouds_model_takes_our_correction_of_its_owners_price(shipped: Catalogue) -> None:
    usage = Usage(input_tokens=1_000, input_audio_tokens=1_000)
    cost = shipped.cost("azure", "gpt-4o-audio-preview", usage, NOW_US)
    assert cost.amount_usd == Decimal("0.04")


def test_explain_names_the_file_and_what_it_overrules(shipped: Catalogue) -> None:
    found = shipped.explain("deepseek", "deepseek-chat", datetime(2025, 10, 15, tzinfo=UTC))
    assert (found.price_id, found.source, found.checked, found.rates, found.overruled) == (
        "pricing/deepseek.toml:deepseek/deepseek-chat@2025-09-29",
        "https://api-docs.deepseek.com/quick_start/pricing",
        date(2026, 11, 20),
        {
            "input_mtok": Rate(Decimal("0.28")),
            "cache_read_mtok": Rate(Decimal("0.028")),
            "output_mtok": Rate(Decimal("0.42")),
        },
        ("genai-prices-0.2.3:deepseek/deepseek-chat",),
    )
    assert found.why == (
        f"{found.origin} lists deepseek/deepseek-chat|deepseek-reasoner;"
        " it wins over genai-prices-0.2.3, deepseek/deepseek-chat"
    )
    line = int(found.origin.rpartition(" ")[2])
    text = (shipped_folder() / "deepseek.toml").read_text(encoding="utf-8").splitlines()
    assert text[line - 1] == "[[llm]]"


def test_explain_says_where_an_entry_completes_itself_and_why_there_is_no_price(
    shipped: Catalogue,
) -> None:
    sonar = shipped.explain("perplexity", "sonar-pro", NOW)
    assert sonar.inherited == ("genai-prices-0.2.3:perplexity/sonar-pro",)
    assert sonar.overruled == ()
    unknown = shipped.explain("openai", "gpt-99", NOW)
    assert (unknown.price_id, unknown.rates, unknown.why) == (
        None,
        None,
        "model 'gpt-99' of provider 'openai' is in no price list",
    )
    listed = shipped.explain("openai", "moderation", NOW)
    assert (listed.rates, listed.why) == (
        None,
        "genai-prices-0.2.3:openai/moderation is listed without a price",
    )


@pytest.mark.requirement("cost:prices:gaps")
def test_the_disagreements_are_the_corrections_that_we_ship(shipped: Catalogue) -> None:
    found = list(shipped.disagreements())
    assert {(one.provider, one.model) for one in found} == {
        ("deepseek", "deepseek-chat"),
        ("deepseek", "deepseek-reasoner"),
        ("deepseek", "deepseek-v4-flash"),
        ("deepseek", "deepseek-v4-pro"),
        ("openai", "gpt-4o-audio-preview"),
        ("openai", "gpt-4o-audio-preview-2024-10-01"),
        ("openai", "gpt-4o-mini-audio-preview"),
        ("perplexity", "sonar"),
        ("perplexity", "sonar-pro"),
        ("perplexity", "sonar-reasoning"),
        ("perplexity", "sonar-reasoning-pro"),
    }
    october = [
        (one.key, one.ours, one.base)
        for one in found
        if one.price_id.endswith("deepseek-chat@2025-09-29") and one.model == "deepseek-chat"
    ]
    assert october == [
        ("cache_read_mtok", Rate(Decimal("0.028")), Rate(Decimal("0.035"))),
        ("input_mtok", Rate(Decimal("0.28")), Rate(Decimal("0.135"))),
        ("output_mtok", Rate(Decimal("0.42")), Rate(Decimal("0.55"))),
    ]


def test_the_models_are_those_of_the_catalogue_and_of_the_files(shipped: Catalogue) -> None:
    models = set(shipped.models())
    assert {
        ("anthropic", "claude-sonnet-4-5"),
        ("openai", "gpt-4o-audio-preview-2024-10-01"),
    } < models
    assert len(models) > 2_000


def test_random_model_names_do_not_grow_memory(
    shipped: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_module, "HISTORIES_MAX", 16)
    for number in range(100):
        assert per_million(shipped, f"model-{number}", NOW, "nobody") is None
    assert len(shipped._book.histories) <= 16


def test_random_modes_do_not_grow_memory(
    shipped: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contextframe_monitoring.core.price_history._COMPILED_MAX", 16)
    for number in range(100):
        usage = Usage(input_tokens=1, service_tier=f"tier-{number}", context=(("k", str(number)),))
        assert shipped.cost("openai", "gpt-4o", usage, NOW_US).amount_usd is None
    assert len(shipped._book.histories[("openai", "gpt-4o")]._compiled) <= 16


@pytest.mark.requirement("cost:prices:snapshot")
def test_prices_need_no_network_and_leave_the_library_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("a price lookup opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = dict(vars(data_snapshot))
    assert per_million(Catalogue(), "gpt-4o", NOW) == Decimal("2.5")
    assert dict(vars(data_snapshot)) == before
    assert data_snapshot._custom_snapshot is None


def test_importing_the_catalogue_does_not_load_the_price_data() -> None:
    program = (
        "import sys, contextframe_monitoring.store.catalogue;"
        "print([m for m in sys.modules if m.split('.')[0] in ('genai_prices',"
        " 'pydantic', 'lance')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
