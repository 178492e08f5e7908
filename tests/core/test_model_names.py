"""From reported names to the names of a catalogue, the likeliest first, always a bounded list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contextframe_monitoring.core.model_names import (
    candidates,
    canonical_provider,
    matches,
    specificity,
)


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "GPT-4o ", [("openai", "gpt-4o")]),
        (None, "gpt-4o", [(None, "gpt-4o")]),
        (
            "anthropic",
            "us.anthropic.claude-x-v1:0",
            [("anthropic", "us.anthropic.claude-x-v1:0"), ("aws", "us.anthropic.claude-x-v1:0")],
        ),
        (
            "litellm",
            "openrouter/anthropic/claude-x",
            [
                (None, "openrouter/anthropic/claude-x"),
                ("openrouter", "anthropic/claude-x"),
                ("anthropic", "claude-x"),
            ],
        ),
        (
            "gcp.vertex_ai",
            "publishers/google/models/gemini-x@001",
            [
                ("google", "publishers/google/models/gemini-x@001"),
                ("google", "gemini-x@001"),
                ("google", "gemini-x-001"),
                ("google", "gemini-x"),
            ],
        ),
        (
            "aws",
            "converse/meta.llama-x",
            [("aws", "converse/meta.llama-x"), ("aws", "meta.llama-x")],
        ),
        ("anthropic", "claude-x[1m]", [("anthropic", "claude-x[1m]"), ("anthropic", "claude-x")]),
    ],
)
def test_wrappers_around_a_name_come_off_one_by_one(
    provider: str | None, model: str, expected: list
) -> None:
    assert list(candidates(provider, model)) == expected


@pytest.mark.parametrize(
    ("reported", "name"),
    [
        ("aws.bedrock", "aws"),
        ("Bedrock", "aws"),
        ("azure.ai.openai", "azure"),
        ("gcp.gen_ai", "google"),
        ("x_ai", "x-ai"),
        ("mistral_ai", "mistral"),
        ("openai", "openai"),
        ("Some Cloud", "some cloud"),
        ("litellm", None),
        (" ", None),
        (None, None),
    ],
)
def test_a_provider_has_one_name(reported: str | None, name: str | None) -> None:
    assert canonical_provider(reported) == name


def test_patterns_know_only_the_star() -> None:
    assert matches("gpt-*", "gpt-4o")
    assert not matches("gpt-?", "gpt-4")
    assert matches("a[1m]*", "a[1m]-x")
    assert not matches("a[1m]", "a1")
    assert specificity(("gpt-*", "GPT-4o"), "gpt-4o") == 1_000
    assert specificity(("*", "gpt-*"), "gpt-4o") == 4
    assert specificity(("claude-*",), "gpt-4o") is None


@settings(deadline=None)
@given(st.one_of(st.none(), st.text(max_size=40)), st.text("abc/@.[]:-1 models", max_size=256))
def test_any_name_gives_a_short_list_without_repeats(provider: str | None, model: str) -> None:
    found = list(candidates(provider, model))
    assert len(found) == len(set(found))
    assert 1 <= len(found) <= 64
