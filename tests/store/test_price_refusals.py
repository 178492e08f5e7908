"""What is unknown is None with a reason; what cannot be is refused by name."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.store.catalogue import Catalogue

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            {"provider": "openai", "model": "gpt-99", "usage": {"input_tokens": 1}},
            "model 'gpt-99' of provider 'openai' is in no price list",
        ),
        (
            {"model": "no-such-model", "usage": {"input_tokens": 1}},
            "model 'no-such-model' is in no price list",
        ),
        (
            {"provider": "ollama", "model": "llama3", "usage": {"input_tokens": 1}},
            "model 'llama3' of provider 'ollama' is in no price list",
        ),
        (
            {"provider": "openai", "model": "moderation", "usage": {"input_tokens": 1}},
            "genai-prices-0.2.3:openai/moderation is listed without a price",
        ),
        (
            {"provider": "openai", "model": "whisper-1", "usage": {"input_tokens": 1}},
            "genai-prices-0.2.3:openai/whisper-1 has no rate for input_tokens",
        ),
        (
            {
                "provider": "anthropic",
                "model": "claude-sonnet-4-5",
                "service_tier": "priority",
                "usage": {"input_tokens": 1},
            },
            (
                "genai-prices-0.2.3:anthropic/claude-sonnet-4-5 has no rate for"
                " service_tier = priority"
                " at that time"
            ),
        ),
    ],
)
def test_what_is_unknown_is_none_with_a_reason_and_never_zero(
    catalogue: Catalogue, line: dict, reason: str
) -> None:
    answer = catalogue.quote(line, NOW)
    assert answer["amount_usd"] is None
    assert answer["reason"] == reason


def test_a_free_model_costs_zero_because_a_price_list_says_so(catalogue: Catalogue) -> None:
    line = {
        "provider": "openrouter",
        "model": "openai/gpt-oss-20b:free",
        "usage": {"input_tokens": 9},
    }
    assert catalogue.quote(line, NOW) == {
        "amount_usd": Decimal(0),
        "price_id": "pricing/clouds.toml:openrouter/*:free@2023-08-01",
        "reason": None,
    }


@pytest.mark.requirement("cost:bad:counts")
@pytest.mark.parametrize(
    ("line", "culprit"),
    [
        ({"input_tokens": -1}, "input_tokens = -1"),
        ({"input_tokens": float("nan")}, "input_tokens = nan"),
        ({"input_tokens": 10.0}, "input_tokens = 10.0"),
        ({"output_tokens": True}, "output_tokens = True"),
        ({"output_tokens": 10**12 + 1}, "output_tokens = 1000000000001"),
        ({"output_tokens": "12"}, "output_tokens = '12'"),
        ({"input_tokens": 10, "cache_read_tokens": 11}, "cache_read_tokens = 11"),
        (
            {"input_tokens": 10, "cache_read_tokens": 6, "cache_write_tokens": 6},
            "cache_read_tokens + cache_write_tokens = 12",
        ),
        (
            {"cache_write_tokens": 9, "cache_write_5m_tokens": 5, "cache_write_1h_tokens": 5},
            "cache_write_tokens = 9",
        ),
        ({"output_tokens": 5, "reasoning_tokens": 6}, "reasoning_tokens = 6"),
        ({"audio_seconds": float("inf")}, "audio_seconds = inf"),
        ({"input_tokens": 5, "input_text_tokens": 6}, "input_text_tokens = 6"),
        (
            {"input_document_pages": 1, "input_annotated_document_pages": 2},
            "input_document_pages = 1",
        ),
    ],
)
def test_a_usage_that_cannot_be_is_refused_by_name(
    catalogue: Catalogue, line: dict, culprit: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        catalogue.quote({"provider": "openai", "model": "gpt-4o", "usage": line}, NOW)
    assert str(caught.value).startswith(f"{culprit} is not allowed: ")
    assert len(str(caught.value)) < 250


@pytest.mark.requirement("cost:bad:names")
def test_a_model_name_of_10_kb_is_refused_with_a_short_message(catalogue: Catalogue) -> None:
    with pytest.raises(InvalidError) as caught:
        catalogue.quote({"model": "x" * 10_000, "usage": {}}, NOW)
    assert str(caught.value) == (
        f"model = '{'x' * 76}... is not allowed: a text of 1 to 256 characters"
    )
