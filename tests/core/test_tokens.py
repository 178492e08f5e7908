"""Tokens are estimated from the pieces of a text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.tokens import SAMPLE_CHARS_MAX, estimate_tokens, sampled_tokens

PROSE = "A record is a fact that is written once; what is said about it later is another record. "


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("word", 1),
        ("internationalisation", 3),  # long words are cut
        ("1234567", 3),  # three digits each
        ("{}", 1),
        ("a, b", 3),
        ("系统监控", 3),
        (PROSE, 17),
        (json.dumps({"timestamp": "2026-01-05T00:00:00Z", "agent_id": "agent-9e3779b1"}), 33),
        ("def f(x):\n    return x + 1\n", 11),
    ],
)
def test_known_texts(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_a_sample_stands_for_the_rest_of_a_long_text() -> None:
    text = PROSE * 200
    assert sampled_tokens([text]) == pytest.approx(estimate_tokens(text), rel=0.02)
    assert sampled_tokens([PROSE] * 200) == pytest.approx(estimate_tokens(text), rel=0.02)


@given(st.lists(st.text(max_size=200), max_size=10))
def test_short_texts_are_read_whole(texts: list[str]) -> None:
    assert sum(map(len, texts)) <= SAMPLE_CHARS_MAX
    assert sampled_tokens(texts) == pytest.approx(sum(map(_exact, texts)))


def _exact(text: str) -> float:
    return sampled_tokens([text])


@given(st.text(max_size=500), st.text(max_size=500))
def test_a_text_never_has_less_than_nothing_and_seldom_more_than_a_token_a_character(
    one: str, two: str
) -> None:
    assert 0 <= estimate_tokens(one) <= 1.2 * len(one) + 1
    assert estimate_tokens(one + "\n" + two) <= estimate_tokens(one) + estimate_tokens(two) + 4
