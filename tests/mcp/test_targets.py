"""Targets are named and remembered within bounds; tokens follow the sizes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextframe_monitoring.core.tokens import estimate_tokens
from contextframe_monitoring.mcp.targets import TARGETS_MAX, Targets, TokenRatios
from contextframe_monitoring.mcp.texts import (
    REQUEST_TEXTS,
    RESULT_TEXTS,
    argument_texts,
    content_texts,
    json_texts,
    message_texts,
    resource_texts,
)

ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["content", "contents", "messages", "text", "arguments", "x"]), inner
    ),
    max_leaves=12,
)  # fmt: skip


def result_of(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": False}


def size_of(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        ("tools/call", {"name": "add"}, "add"),
        ("prompts/get", {"name": "greet", "uri": "not://this"}, "greet"),
        ("resources/read", {"uri": "http://me:secret@host/a?token=1#x"}, "http://host/a"),
        ("resources/subscribe", {"uri": "note://today"}, "note://today"),
        ("completion/complete", {"ref": {"uri": "note://{day}"}, "name": "no"}, "note://{day}"),
        ("completion/complete", {"ref": "broken"}, None),
        ("tools/list", None, None),
        ("tools/list", {"cursor": "x"}, None),
        ("tools/call", {"name": ["a"]}, None),
        ("tools/call", {"name": None, "uri": 7}, None),
    ],
)
def test_a_message_is_about_a_name_or_a_uri(
    method: str, params: dict[str, Any] | None, name: str | None
) -> None:
    for succeeded in (True, False, True):
        target = Targets().target_of(method, params, succeeded=succeeded)
        assert (target.method, target.name) == (method, name)


def test_only_what_succeeded_is_remembered_and_only_so_many() -> None:
    targets = Targets()
    for number in range(TARGETS_MAX + 5):
        targets.target_of("tools/call", {"name": f"unknown-{number}"}, succeeded=False)
        targets.target_of("resources/read", {"uri": f"note://{number}"}, succeeded=True)
    assert targets.known == {}
    for number in range(TARGETS_MAX + 5):
        targets.target_of("tools/call", {"name": f"tool-{number}"}, succeeded=True)
    assert len(targets.known) == TARGETS_MAX
    late = targets.target_of("tools/call", {"name": "late"}, succeeded=True)
    later = targets.target_of("tools/call", {"name": "later"}, succeeded=True)
    assert late.ratios is later.ratios
    first = targets.target_of("tools/call", {"name": "tool-0"}, succeeded=False)
    assert first is targets.known["tools/call", "tool-0"]


def test_methods_that_no_model_reads_have_no_tokens() -> None:
    assert Targets().target_of("ping", None, succeeded=True).ratios is None
    assert Targets().target_of("toy/custom", {"name": "x"}, succeeded=True).ratios is None


def test_tokens_follow_the_size_between_the_samples() -> None:
    ratios = TokenRatios("tools/call")
    text = "the quick brown fox jumps over the lazy dog " * 40
    sizes = [1500 + 7 * number for number in range(64)]
    for size in sizes:
        result = result_of(text[: size - 100])
        written, read = ratios.tokens({"arguments": {"q": "x"}}, 40, result, size_of(result))
        assert written == estimate_tokens('{"q":"x"}')
        assert read == pytest.approx(estimate_tokens(text[: size - 100]), rel=0.05)


def test_a_small_answer_says_nothing_about_a_large_one() -> None:
    ratios = TokenRatios("tools/call")
    small, large = result_of("3"), result_of("word " * 20_000)
    assert ratios.tokens({}, 2, small, size_of(small))[1] == 1
    assert ratios.tokens({}, 2, large, size_of(large))[1] == pytest.approx(16_460, rel=0.02)
    assert ratios.tokens({}, 2, small, size_of(small))[1] == 1


def test_a_text_is_looked_at_on_the_first_second_fourth_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []

    def texts(result: Any) -> list[str]:
        looked.append(result["number"])
        return content_texts(result)

    monkeypatch.setitem(RESULT_TEXTS, "tools/call", texts)
    ratios = TokenRatios("tools/call")
    for number in range(1, 101):
        ratios.tokens({}, 2, {**result_of("hello"), "number": number}, 100)
    assert looked == [1, 2, 4, 8, 16, 32, 64]


def test_unknown_sizes_give_unknown_tokens() -> None:
    assert TokenRatios("tools/call").tokens({}, None, {}, None) == (None, None)
    assert TokenRatios("resources/read").tokens({}, 2, None, None) == (None, None)
    assert TokenRatios("tools/call").tokens(None, 0, None, None) == (0, None)


def test_the_texts_that_a_model_reads() -> None:
    assert argument_texts({"arguments": {"a": 1}, "_meta": {"x": 1}}) == ['{"a":1}']
    assert argument_texts({"name": "x"}) == []
    assert content_texts({"content": [{"text": "a"}, {"data": "b"}, {"text": "c"}]}) == ["a", "c"]
    assert resource_texts({"contents": [{"text": "a"}, {"blob": "b"}]}) == ["a"]
    assert message_texts({"messages": [{"content": {"text": "a"}}, {"content": []}]}) == ["a"]
    assert json_texts({"tools": []}) == ['{"tools":[]}']
    assert json_texts({"a": "\ud800"}) == ['{"a": "\\ud800"}']


@given(ANYTHING)
def test_no_shape_of_a_message_raises(value: Any) -> None:
    for texts_of in (*REQUEST_TEXTS.values(), *RESULT_TEXTS.values()):
        assert all(isinstance(text, str) for text in texts_of(value))
