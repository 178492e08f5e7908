"""The text in a message that a model wrote or will read. Never stored: its tokens are counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def json_texts(value: Any) -> list[str]:
    """Return the whole message as JSON: a list of tools is read as it is."""
    try:
        return [_encode(value).decode()]
    except Exception:  # noqa: BLE001 - lone surrogates; other things that have no JSON
        return [json.dumps(value, default=str)]


def argument_texts(params: Any) -> list[str]:
    """Return the arguments of a tool call as JSON."""
    given = params.get("arguments") if isinstance(params, Mapping) else None
    return json_texts(given) if given else []


def content_texts(result: Any) -> list[str]:
    """Return the text blocks of a tool's result."""
    return _block_texts(result.get("content")) if isinstance(result, Mapping) else []


def resource_texts(result: Any) -> list[str]:
    """Return the texts of a resource that was read."""
    return _block_texts(result.get("contents")) if isinstance(result, Mapping) else []


def message_texts(result: Any) -> list[str]:
    """Return the texts of a prompt's messages."""
    messages = result.get("messages") if isinstance(result, Mapping) else None
    if not isinstance(messages, list | tuple):
        return []
    return _block_texts([m.get("content") for m in messages if isinstance(m, Mapping)])


def _block_texts(blocks: Any) -> list[str]:
    """Return the texts of content blocks; pictures and sounds have none."""
    if not isinstance(blocks, list | tuple):
        return []
    texts = [block.get("text") for block in blocks if isinstance(block, Mapping)]
    return [text for text in texts if isinstance(text, str)]


REQUEST_TEXTS: dict[str, Callable[[Any], list[str]]] = {"tools/call": argument_texts}
RESULT_TEXTS: dict[str, Callable[[Any], list[str]]] = {
    "tools/call": content_texts,
    "tools/list": json_texts,
    "prompts/get": message_texts,
    "resources/read": resource_texts,
}
