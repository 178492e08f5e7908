"""What messages are about: a tool, a prompt, a resource; with the tokens that their sizes mean.

Tokens are not counted on every message: for each tool a ratio of tokens to bytes is kept per power
of two of the size, and is sampled on the first, second, fourth, eighth ... message of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contextframe_monitoring.core.privacy import bounded_name, uri_without_query
from contextframe_monitoring.core.tokens import sampled_tokens
from contextframe_monitoring.mcp.texts import REQUEST_TEXTS, RESULT_TEXTS

TARGETS_MAX = 512
"""Tools and prompts that are remembered; what comes later shares the ratios of its method."""


class _Cell:
    __slots__ = ("count", "mean", "samples")

    def __init__(self) -> None:
        self.count = self.samples = 0
        self.mean = 0.0


class TokenRatio:
    """Tokens per byte of messages that are alike: of one tool, in one direction."""

    __slots__ = ("_cells", "_texts_of")

    def __init__(self, texts_of: Callable[[Any], list[str]]) -> None:
        """`texts_of` finds the texts in a message."""
        self._texts_of = texts_of
        self._cells: dict[int, _Cell] = {}

    def tokens(self, message: Any, size_bytes: int) -> int:
        """Return the estimated tokens of a message: its size by the mean of the samples."""
        cell = self._cells.get(size_bytes.bit_length())
        if cell is None:
            cell = self._cells[size_bytes.bit_length()] = _Cell()
        cell.count = count = cell.count + 1
        if not count & (count - 1):
            cell.samples += 1
            ratio = sampled_tokens(self._texts_of(message)) / max(size_bytes, 1)
            cell.mean += (ratio - cell.mean) / cell.samples
        return round(cell.mean * size_bytes)


class Target:
    """What messages of one method and name have in common."""

    __slots__ = ("_read", "_written", "method", "name")

    def __init__(
        self, method: str, name: str | None, written: TokenRatio | None, read: TokenRatio | None
    ) -> None:
        """`method` and `name` are bounded; the ratios are those of requests and of results."""
        self.method, self.name = method, name
        self._written, self._read = written, read

    def named(self, name: str | None) -> Target:
        """Return a target of the same method that shares the ratios."""
        return Target(self.method, name, self._written, self._read)

    def tokens(
        self, params: Any, request_size: int | None, result: Any, result_size: int | None
    ) -> tuple[int | None, int | None]:
        """Return the estimated tokens that a model wrote and reads; None where it does not, and
        where a size is unknown.
        """
        written, read = self._written, self._read
        return (
            None if written is None or request_size is None
            else written.tokens(params, request_size),
            None if read is None or result_size is None else read.tokens(result, result_size),
        )  # fmt: skip


class Targets:
    """The targets of one server, as far as they are remembered."""

    def __init__(self) -> None:
        """Know none yet."""
        self._known: dict[tuple[str, str | None], Target] = {}
        self._shared: dict[str, Target] = {}

    def target_of(
        self, method: str, params: Mapping[str, Any] | None, *, succeeded: bool
    ) -> Target:
        """Return what a message is about. Only one that `succeeded` is remembered: names that
        nothing answers to must not crowd out those of real tools.
        """
        name = params.get("name") if params else None
        if type(name) is not str:
            name = None
        return self._known.get((method, name)) or self._met(method, name, params, succeeded)

    def _met(
        self, method: str, name: str | None, params: Mapping[str, Any] | None, succeeded: bool
    ) -> Target:
        bounded, target_name = bounded_name(method), _name_of(method, params)
        if succeeded and name == target_name and len(self._known) < TARGETS_MAX:
            target = self._known[method, name] = _new_target(bounded, target_name)
            return target
        shared = self._shared.get(bounded)
        if shared is None:
            shared = _new_target(bounded, None)
            if bounded in RESULT_TEXTS:
                self._shared[bounded] = shared
        return shared.named(target_name)


def _new_target(method: str, name: str | None) -> Target:
    written, read = REQUEST_TEXTS.get(method), RESULT_TEXTS.get(method)
    return Target(method, name, written and TokenRatio(written), read and TokenRatio(read))


def _name_of(method: str, params: Mapping[str, Any] | None) -> str | None:
    """Return the bounded name of a tool or prompt, or the URI of a resource without its query."""
    if not params:
        return None
    if method == "completion/complete":
        params = params.get("ref")
        if not isinstance(params, Mapping):
            return None
    name = params.get("name")
    if type(name) is str:
        return bounded_name(name)
    uri = params.get("uri")
    return uri_without_query(uri) if type(uri) is str else None
