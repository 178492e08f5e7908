"""What messages are about: a tool, a prompt, a resource; with the tokens that their sizes mean.

Tokens are not counted on every message: for each tool a ratio of tokens to bytes is kept per power
of two of the size, and is sampled on the first, second, fourth, eighth ... message of that kind.
Where a vocabulary is given, every message is counted with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from contextframe_monitoring.core.privacy import bounded_name, uri_without_query
from contextframe_monitoring.core.tokens import Vocabulary, sampled_tokens
from contextframe_monitoring.mcp.texts import REQUEST_TEXTS, RESULT_TEXTS

TARGETS_MAX = 512
"""Tools and prompts that are remembered; what comes later shares the ratios of its method."""


class _Ratio:
    """Tokens per byte in one direction, by the power of two of the size."""

    __slots__ = ("_counts", "means", "texts_of")

    def __init__(self, texts_of: Callable[[Any], list[str]]) -> None:
        self.texts_of = texts_of
        self._counts: dict[int, int] = {}
        self.means: dict[int, float] = {}

    def tokens(self, message: Any, size_bytes: int | None, *, sample: bool) -> int | None:
        if size_bytes is None:
            return None
        size_class = size_bytes.bit_length()
        mean = self.means.get(size_class)
        if mean is None or sample:
            ratio = sampled_tokens(self.texts_of(message)) / max(size_bytes, 1)
            count = self._counts[size_class] = self._counts.get(size_class, 0) + 1
            mean = ratio if mean is None else mean + (ratio - mean) / count
            self.means[size_class] = mean
        return int(mean * size_bytes + 0.5)


class TokenRatios:
    """Tokens per byte of what a model writes to one tool, and of what it reads from it."""

    __slots__ = (
        "_interval",
        "_read",
        "_vocabulary",
        "_written",
        "due",
        "read_means",
        "written_means",
    )

    def __init__(self, method: str, vocabulary: Vocabulary | None = None) -> None:
        """`method` says where the texts are; with a vocabulary they are counted."""
        written, read = REQUEST_TEXTS.get(method), RESULT_TEXTS.get(method)
        self._written = None if written is None else _Ratio(written)
        self._read = None if read is None else _Ratio(read)
        self.written_means = {} if self._written is None else self._written.means
        """By the power of two of the size; these and `due` are there to be used by others."""
        self.read_means = {} if self._read is None else self._read.means
        self.due = self._interval = 1
        """Messages until the next sample."""
        self._vocabulary = vocabulary

    def tokens(
        self, params: Any, request_size: int | None, result: Any, result_size: int | None
    ) -> tuple[int | None, int | None]:
        """Return the tokens written and read; None where there are none, and where a size is
        unknown.
        """
        if self._vocabulary is not None:
            return self._counted(self._vocabulary, params, request_size, result, result_size)
        self.due -= 1
        sample = self.due <= 0
        if sample:
            self.due = self._interval
            self._interval *= 2
        return (
            self._written.tokens(params, request_size, sample=sample) if self._written else None,
            self._read.tokens(result, result_size, sample=sample) if self._read else None,
        )

    def of_one(self, means: dict[int, float], size_bytes: int) -> int | None:
        """Return the tokens of a message in one direction by its `means`, without a look at it;
        None when one is due.
        """
        mean = means.get(size_bytes.bit_length())
        if mean is None or self.due <= 1:
            return None
        self.due -= 1
        return int(mean * size_bytes + 0.5)

    def _counted(
        self,
        vocabulary: Vocabulary,
        params: Any,
        request_size: int | None,
        result: Any,
        result_size: int | None,
    ) -> tuple[int | None, int | None]:
        written, read = self._written, self._read
        return (
            None
            if written is None or request_size is None
            else vocabulary.count(written.texts_of(params)),
            None
            if read is None or result_size is None
            else vocabulary.count(read.texts_of(result)),
        )


class Target(NamedTuple):
    """What messages of one method and name have in common; names are bounded."""

    method: str
    name: str | None
    ratios: TokenRatios | None


class Targets:
    """The targets of one server, as far as they are remembered."""

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        """Know none yet. `known` is there to be read: the quick way to a target."""
        self._vocabulary = vocabulary
        self.known: dict[tuple[str, str], Target] = {}
        self._shared: dict[str, TokenRatios] = {}

    def target_of(
        self, method: str, params: Mapping[str, Any] | None, *, succeeded: bool
    ) -> Target:
        """Return what a message is about. Only one that `succeeded` is remembered: names that
        nothing answers to must not crowd out those of real tools.
        """
        name = params.get("name") if params else None
        known = self.known.get((method, name)) if type(name) is str else None
        return known or self._met(method, params, succeeded)

    def _met(self, method: str, params: Mapping[str, Any] | None, succeeded: bool) -> Target:
        name = name_of(method, params)
        is_named = params is not None and name is not None and name == params.get("name")
        if is_named and succeeded and len(self.known) < TARGETS_MAX:
            ratios = self._ratios(method) if method in RESULT_TEXTS else None
            target = self.known[method, str(name)] = Target(bounded_name(method), name, ratios)
            return target
        if method not in RESULT_TEXTS:
            return Target(bounded_name(method), name, None)
        return Target(method, name, self._shared.setdefault(method, self._ratios(method)))

    def _ratios(self, method: str) -> TokenRatios:
        return TokenRatios(method, self._vocabulary)


def name_of(method: str, params: Mapping[str, Any] | None) -> str | None:
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
