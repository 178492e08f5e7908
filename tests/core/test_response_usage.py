"""Usage read from the bodies of providers' answers, and bodies that lie."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.errors import InvalidError, LimitedError, MonitoringError
from contextframe_monitoring.core.response_usage import BODY_BYTES_MAX, response_usage
from contextframe_monitoring.core.token_usage import Usage

ANTHROPIC = {
    "type": "message",
    "id": "msg_1",
    "model": "claude-sonnet-4-5",
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 40,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 5,
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "priority",
    },
}
CHAT = {
    "object": "chat.completion",
    "id": "chatcmpl-1",
    "model": "gpt-4o",
    "service_tier": "flex",
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": None},
    },
}
RESPONSE = {
    "object": "response",
    "id": "resp_1",
    "model": "gpt-5",
    "usage": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 25},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 30},
    },
}
GEMINI = {
    "modelVersion": "gemini-2.5-flash",
    "responseId": "g1",
    "usageMetadata": {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 7,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 8,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 70},
            {"modality": "AUDIO", "tokenCount": 30},
        ],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 10}],
    },
}
CASES: dict[str, tuple[dict[str, Any], str, Usage]] = {
    "anthropic": (
        ANTHROPIC,
        "anthropic",
        Usage(
            input_tokens=10, cache_read_tokens=40, cache_write_5m_tokens=10,
            cache_write_1h_tokens=20, output_tokens=5, web_searches=2, service_tier="priority",
        ),
    ),
    "openai chat": (
        CHAT,
        "openai",
        Usage(
            input_tokens=40, cache_read_tokens=60, output_tokens=50, reasoning_tokens=20,
            service_tier="flex",
        ),
    ),
    "openai response": (
        RESPONSE,
        "openai",
        Usage(input_tokens=75, cache_read_tokens=25, output_tokens=50, reasoning_tokens=30),
    ),
    "gemini": (
        GEMINI,
        "google",
        Usage(
            input_tokens=67, cache_read_tokens=40, output_tokens=28, reasoning_tokens=8,
            input_audio_tokens=20, cache_read_audio_tokens=10,
        ),
    ),
    "openai embedding": (
        {"object": "list", "model": "text-embedding-3-small",
         "usage": {"prompt_tokens": 8, "total_tokens": 8}},
        "openai",
        Usage(input_tokens=8),
    ),
    "openai audio that lies partly in the cache": (
        {"object": "chat.completion", "model": "gpt-4o-audio-preview",
         "usage": {"prompt_tokens": 100, "completion_tokens": 0,
                   "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 50}}},
        "openai",
        Usage(input_tokens=40, cache_read_tokens=60, input_audio_tokens=40,
              cache_read_audio_tokens=10),
    ),
}  # fmt: skip


@pytest.mark.requirement("cost:facts:bodies")
@pytest.mark.parametrize("case", CASES)
def test_a_body_becomes_columns_that_do_not_overlap(case: str) -> None:
    body, provider, usage = CASES[case]
    for given_body in (body, json.dumps(body), json.dumps(body).encode()):
        found = response_usage(given_body)
        assert (found.provider, found.model, found.usage) == (
            provider,
            body.get("model") or body["modelVersion"],
            usage,
        )


def test_an_old_body_without_a_split_has_5_minute_writes() -> None:
    usage = {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 9}
    found = response_usage({"type": "message", "model": "claude-3-opus-20240229", "usage": usage})
    assert found.usage == Usage(input_tokens=1, output_tokens=1, cache_write_5m_tokens=9)


def test_the_caller_knows_provider_and_model_better() -> None:
    found = response_usage(CHAT, "azure", "gpt-4o-2024-08-06")
    assert (found.provider, found.model) == ("azure", "gpt-4o-2024-08-06")


def test_a_gateway_says_what_it_charged() -> None:
    body = {**CHAT, "usage": {**CHAT["usage"], "cost": 0.00014}}  # type: ignore[dict-item]
    assert response_usage(body, "openrouter").reported_cost_usd == Decimal("0.00014")
    assert response_usage(body).reported_cost_usd is None


@pytest.mark.parametrize("usage", [None, {}])
def test_a_body_without_usage_is_unknown_not_0(usage: Any) -> None:
    found = response_usage({**CHAT, "usage": usage})
    assert found.usage is None


def _with(body: dict[str, Any], **usage: Any) -> dict[str, Any]:
    key = "usageMetadata" if "usageMetadata" in body else "usage"
    return {**body, key: {**body[key], **usage}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (_with(ANTHROPIC, input_tokens=-1), "input_tokens = -1 is not allowed"),
        (_with(ANTHROPIC, input_tokens=True), "input_tokens = True is not allowed"),
        (_with(ANTHROPIC, output_tokens=float("nan")), "output_tokens = nan is not allowed"),
        (_with(ANTHROPIC, output_tokens=10**13), "output_tokens = 10000000000000 is not allowed"),
        (_with(ANTHROPIC, cache_creation_input_tokens=29),
         "cache_creation_input_tokens = 29 is not allowed: at least its parts, 30"),
        (_with(ANTHROPIC, server_tool_use=3), "server_tool_use = 3 is not allowed"),
        (_with(CHAT, prompt_tokens=59),
         "cache_read_tokens = 60 is not allowed: at most input_tokens = 59, which includes them"),
        (_with(CHAT, prompt_tokens="100"), "prompt_tokens = '100' is not allowed"),
        (_with(CHAT, completion_tokens=19), "reasoning_tokens = 20 is not allowed"),
        (_with(GEMINI, cachedContentTokenCount=108), "cache_read_tokens = 108 is not allowed"),
        (_with(GEMINI, promptTokensDetails=["x"]), "promptTokensDetails = 'x' is not allowed"),
        ({**CHAT, "model": "m" * 10_000}, "model = 'mmm"),
        ({**CHAT, "model": 3}, "model = 3 is not allowed"),
        ({**CHAT, "usage": [1]}, "usage = [1] is not allowed"),
        ({"choices": []}, "body = ['choices'] is not allowed"),
        ("[1]", "body = 'list' is not allowed"),
        ("{", "body = '{' is not allowed: expected JSON"),
        ("[" * 100_000, "is not allowed: expected JSON"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_body_that_cannot_be_is_refused_by_name(body: Any, message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        response_usage(body)
    assert message in str(caught.value)


def test_a_huge_body_is_not_parsed() -> None:
    with pytest.raises(LimitedError):
        response_usage(b" " * (BODY_BYTES_MAX + 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["usage", "usageMetadata", "model", "object", "type", "input_tokens",
                 "prompt_tokens", "prompt_tokens_details", "cached_tokens", "promptTokenCount",
                 "promptTokensDetails", "cache_creation", "service_tier"]
            ),
            inner | st.just("message") | st.just("response"),
            max_size=6,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_whatever_comes_is_read_or_refused(body: Any) -> None:
    try:
        found = response_usage(body)
    except MonitoringError:
        return
    assert found.usage is None or found.usage.context_tokens >= 0
