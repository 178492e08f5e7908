"""Tokens of messages that are seen as bytes: the same as `instrument` counts."""

import json
from typing import Any

from contextframe_monitoring.core.tokens import sampled_tokens
from contextframe_monitoring.mcp.line_tokens import PARTS_MAX, LineTokens
from contextframe_monitoring.mcp.lines import long_line
from contextframe_monitoring.mcp.targets import TARGETS_MAX


def line(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, **members}).encode()


def test_a_call_counts_its_arguments_and_the_texts_of_its_result() -> None:
    tokens, words = LineTokens(), "some words that a model reads, 12 of them " * 20
    arguments = {"query": words}
    asked = line(method="tools/call", params={"name": "t", "arguments": arguments})
    answered = line(result={"content": [{"type": "text", "text": words}]})

    written = json.dumps(arguments, separators=(",", ":"))
    for _ in range(5):  # sampled, and then by the ratio
        assert tokens.written("tools/call", "t", asked) == round(sampled_tokens([written]))
        found = tokens.read("tools/call", "t", answered, succeeded=True)
        assert found == round(sampled_tokens([words]))


def test_a_list_of_tools_is_read_as_it_stands() -> None:
    listed = {"tools": [{"name": "add", "inputSchema": {"type": "object"}}]}
    answered = json.dumps({"result": listed}, separators=(",", ":")).encode()
    text = json.dumps(listed, separators=(",", ":"))
    tokens = LineTokens()
    found = tokens.read("tools/list", None, answered, succeeded=True)
    assert found == round(sampled_tokens([text]))
    assert tokens.written("tools/list", None, line(method="tools/list")) is None


def test_what_is_not_whole_or_not_of_this_kind_is_unknown() -> None:
    tokens = LineTokens()
    many = line(result={"content": [{}] * PARTS_MAX})
    assert tokens.read("tools/call", "t", many, succeeded=True) is None
    assert tokens.read("tools/call", "t", long_line(many), succeeded=True) is None
    assert tokens.read("tools/call", "t", None, succeeded=True) is None
    assert tokens.read("tools/call", "t", b"no json", succeeded=True) is None
    assert tokens.read("ping", None, line(result={}), succeeded=True) is None
    assert tokens.read("tools/call", "t", line(result="text"), succeeded=True) == 0


def test_a_batch_of_one_is_its_message() -> None:
    tokens = LineTokens()
    asked = b'[{"id": 0, "method": "tools/call", "params": {"arguments": {"text": "some words"}}}]'
    assert tokens.written("tools/call", "t", asked) == round(
        sampled_tokens(['{"text":"some words"}'])
    )
    assert tokens.written("tools/call", "t", b"[3]") == 0


def test_names_have_a_bound_and_those_that_fail_are_not_kept() -> None:
    tokens = LineTokens()
    answered = line(result={"content": []})
    for number in range(TARGETS_MAX + 10):
        tokens.read("tools/call", f"missing-{number}", answered, succeeded=False)
    assert tokens._known == {}
    for number in range(TARGETS_MAX + 10):
        tokens.read("tools/call", f"tool-{number}", answered, succeeded=True)
    assert len(tokens._known) == TARGETS_MAX
