"""`LineTokens`: the tokens of messages that are seen as raw bytes.

The ratios are those that `instrument` keeps. A message is only decoded when its ratio is due to be
sampled, and never one of so many parts that it would take many times its size in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from contextframe_monitoring.core.tokens import Vocabulary
from contextframe_monitoring.mcp.lines import LongLine
from contextframe_monitoring.mcp.message import UNREADABLE
from contextframe_monitoring.mcp.targets import TARGETS_MAX, TokenRatios
from contextframe_monitoring.mcp.texts import REQUEST_TEXTS, RESULT_TEXTS

PARTS_MAX = 50_000
"""Values in a message that is decoded: about 5 MB of objects."""
_NAMED = frozenset({"tools/call", "prompts/get"})
_READ_WHOLE = "tools/list"
"""Of other results a model reads the texts only."""
_Ratios = tuple[TokenRatios, TokenRatios]
"""Of what is written to a tool and of what is read from it: they are seen at different times."""
_decode = msgspec.json.Decoder().decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class LineTokens:
    """Tokens of the requests and results that go to one server, per tool and prompt."""

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        """Know no tool yet; with a vocabulary every message is counted."""
        self.vocabulary = vocabulary
        self._known: dict[tuple[str, str | None], _Ratios] = {}
        self._shared = {method: self._ratios(method) for method in RESULT_TEXTS}

    def written(self, method: str, target: str | None, line: bytes | LongLine | None) -> int | None:
        """Return the tokens that a model wrote into a request; None when unknown."""
        if method not in REQUEST_TEXTS or type(line) is not bytes:
            return None
        ratios, _ = self._known.get((method, target)) or self._shared[method]
        tokens = ratios.of_one(ratios.written_means, len(line))
        if tokens is not None:
            return tokens
        try:
            return ratios.tokens(_Part(line, "params"), len(line), None, None)[0]
        except UNREADABLE:
            return None

    def read(
        self, method: str, target: str | None, line: bytes | LongLine | None, *, succeeded: bool
    ) -> int | None:
        """Return the tokens that a model reads in a result; None when unknown."""
        if method not in RESULT_TEXTS or type(line) is not bytes:
            return None
        _, ratios = self._known.get((method, target)) or self._met(method, target, succeeded)
        tokens = ratios.of_one(ratios.read_means, len(line))
        if tokens is not None:
            return tokens
        try:
            if method == _READ_WHOLE:
                part: Any = _decode_members(line).get("result")
            else:
                part = _Part(line, "result")
            return ratios.tokens(None, None, part, len(line))[1]
        except UNREADABLE:
            return None

    def _met(self, method: str, target: str | None, succeeded: bool) -> _Ratios:
        """Remember a tool that answered: names that nothing answers to must not crowd it out."""
        if not succeeded or method not in _NAMED or len(self._known) >= TARGETS_MAX:
            return self._shared[method]
        self._known[method, target] = ratios = self._ratios(method)
        return ratios

    def _ratios(self, method: str) -> _Ratios:
        return TokenRatios(method, self.vocabulary), TokenRatios(method, self.vocabulary)


class _Part(Mapping[str, Any]):
    """`params` or `result` of a message, decoded when it is looked into.

    Raises one of `UNREADABLE` then, also for a message of too many parts.
    """

    __slots__ = ("_line", "_name")

    def __init__(self, line: bytes, name: str) -> None:
        self._line, self._name = line, name

    def __getitem__(self, key: str) -> Any:
        return self._decoded()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def _decoded(self) -> dict[str, Any]:
        line = self._line
        if sum(map(line.count, (b",", b"{", b"["))) > PARTS_MAX:
            raise ValueError("too many parts")
        message = _decode(line)
        if isinstance(message, list) and len(message) == 1:
            message = message[0]  # a batch of one
        found = message.get(self._name) if isinstance(message, dict) else None
        return found if isinstance(found, dict) else {}
