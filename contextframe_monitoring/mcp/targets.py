"""What messages are about: a tool, a prompt, a resource; with the tokens that their sizes mean.

Tokens are not counted on every message: for each tool a ratio of tokens to bytes is kept per power
of two of the size, and is sampled on the first, second, fourth, eighth ... message of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from contextframe_monitoring.core.privacy import bounded_name, uri_without_query
from contextframe_monitoring.core.tokens import sampled_tokens
from contextframe_monitoring.mcp.texts import REQUEST_TEXTS, RESULT_TEXTS

TARGETS_MAX = 512
"""Tools and prompts that are remembered; what comes later shares the ratios of its method."""


class TokenRatios:
    """Tokens per byte of messages that are alike: what a model writes, and what it reads."""

    __slots__ = ("_due", "_interval", "_read", "_read_texts", "_written", "_written_texts")

    def __init__(self, method: str) -> None:
        """`method` says where the texts are."""
        self._written_texts, self._read_texts = REQUEST_TEXTS.get(method), RESULT_TEXTS.get(method)
        self._written: dict[int, tuple[float, int]] = {}
        self._read: dict[int, tuple[float, int]] = {}
        self._due = self._interval = 1

    def tokens(
        self, params: Any, request_size: int | None, result: Any, result_size: int | None
    ) -> tuple[int | None, int | None]:
        """Return the estimated tokens written and read; None where there are none, and where a
        size is unknown.
        """
        self._due = due = self._due - 1
        written = read = None
        if request_size is not None and self._written_texts is not None:
            known = self._written.get(request_size.bit_length())
            if known is None or not due:
                known = _sampled(self._written, self._written_texts(params), request_size)
            written = round(known[0] * request_size)
        if result_size is not None and self._read_texts is not None:
            known = self._read.get(result_size.bit_length())
            if known is None or not due:
                known = _sampled(self._read, self._read_texts(result), result_size)
            read = round(known[0] * result_size)
        if not due:
            self._due = self._interval
            self._interval *= 2
        return written, read


def _sampled(
    ratios: dict[int, tuple[float, int]], texts: list[str], size_bytes: int
) -> tuple[float, int]:
    """Count the tokens of one message, and return the mean of the samples of its size."""
    mean, count = ratios.get(size_bytes.bit_length(), (0.0, 0))
    ratio = sampled_tokens(texts) / max(size_bytes, 1)
    ratios[size_bytes.bit_length()] = known = (mean + (ratio - mean) / (count + 1), count + 1)
    return known


class Target(NamedTuple):
    """What messages of one method and name have in common; names are bounded."""

    method: str
    name: str | None
    ratios: TokenRatios | None


class Targets:
    """The targets of one server, as far as they are remembered."""

    def __init__(self) -> None:
        """Know none yet."""
        self._known: dict[tuple[str, str | None], Target] = {}
        self._shared: dict[str, TokenRatios] = {}

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
        if method not in RESULT_TEXTS:
            ratios = None
        elif succeeded and name == target_name and len(self._known) < TARGETS_MAX:
            ratios = TokenRatios(method)
        else:
            ratios = self._shared.setdefault(method, TokenRatios(method))
        target = Target(bounded, target_name, ratios)
        if succeeded and name == target_name and len(self._known) < TARGETS_MAX:
            self._known[method, name] = target
        return target


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
