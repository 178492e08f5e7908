"""Costs as metrics: dollars by provider and model, tokens by type, and what has no known price.

Tokens of `contextframe_monitoring.tokens` don't overlap; `gen_ai.client.token.usage` counts input
as OpenTelemetry does, what was read from and written to caches included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from contextframe_monitoring.core.money import NANO_PER_USD
from contextframe_monitoring.export.metrics.group import Columns, Limits, families_of
from contextframe_monitoring.export.metrics.instruments import (
    Counter,
    Definition,
    Family,
    Histogram,
    Instrument,
)
from contextframe_monitoring.export.metrics.series import Label, Series, Vocabulary
from contextframe_monitoring.query.source import Integers, Mask
from contextframe_monitoring.store.schemas import COST

TOKEN_BOUNDS = tuple(float(4**power) for power in range(14))
"""Bucket bounds that the GenAI conventions give for tokens: 1, 4, 16 ... 67108864."""
_TOKENS_MAX = 1 << 60
_INPUT = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
_TYPES = (*_INPUT, "output_tokens")
_PROVIDERS = {
    "aws": "aws.bedrock", "bedrock": "aws.bedrock", "azure": "azure.ai.openai",
    "google": "gcp.gemini", "gemini": "gcp.gemini", "vertex": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai", "mistral": "mistral_ai", "x-ai": "x_ai", "xai": "x_ai",
}  # fmt: skip
"""What the conventions call providers that price lists call otherwise."""


class Costs:
    """The families of `cost_metrics`."""

    table = COST
    columns: tuple[str, ...] = (
        "server", "cost_type", "provider", "model", "operation", "amount_nano_usd", "provenance",
        *_TYPES, "reasoning_tokens",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        """Start with nothing."""
        self._limits = limits
        self._provider, self._model = limits.vocabulary(), limits.vocabulary()
        self._cost_type = Label("cost_type", limits.vocabulary(), closed=True)
        who = [Label("provider", self._provider), Label("model", self._model)]
        self._token_type = Label("token_type", Vocabulary(len(_TYPES)), closed=True)
        paid = Series([*who, self._cost_type], limits.series_max)
        self._amount = Counter(
            Definition(
                name="contextframe_monitoring.cost",
                text="Known cost",
                unit="USD",
                per_unit=NANO_PER_USD,
            ),
            paid,
        )
        self._unknown = Counter(
            Definition(
                name="contextframe_monitoring.cost.unknown", text="Costs without a known price"
            ),
            paid,
        )
        self._tokens = Counter(
            Definition(name="contextframe_monitoring.tokens", text="Tokens, types don't overlap"),
            Series([*who, self._token_type], limits.series_max),
        )
        self._reasoning = Counter(
            Definition(
                name="contextframe_monitoring.reasoning_tokens",
                text="Reasoning tokens, part of the output tokens",
            ),
            Series(who, limits.series_max),
        )
        self._usage = _Usage(limits)

    def add(self, rows: Columns) -> None:
        """Add the rows of one batch."""
        if not self._limits.own_server:
            rows = rows.without_own()
        rows = rows.without_billed()
        if not len(rows):
            return
        provider = self._provider.codes(rows.array("provider"))
        model = self._model.codes(rows.array("model"))
        cost_type = self._cost_type.vocabulary.codes(rows.array("cost_type"))
        paid = self._amount.series.ids([provider, model, cost_type])
        amounts, known = rows.whole("amount_nano_usd")
        self._amount.add(paid[known], amounts[known])
        self._unknown.add(paid[~known], np.ones(int((~known).sum()), np.int64))
        tokens = {name: rows.whole(name) for name in _TYPES}
        for name, (values, there) in tokens.items():
            self._add_tokens(name, values, there, [provider, model])
        values, there = rows.whole("reasoning_tokens")
        if there.any():
            at = self._reasoning.series.ids([provider[there], model[there]])
            self._reasoning.add(at, values[there])
        self._usage.add(rows, tokens)

    def _add_tokens(self, name: str, values: Integers, there: Mask, who: list[Integers]) -> None:
        if not there.any():
            return
        code = self._token_type.vocabulary.code(name.removesuffix("_tokens"))
        codes = [column[there] for column in who]
        at = self._tokens.series.ids([*codes, np.full(len(codes[0]), code, np.int64)])
        self._tokens.add(at, values[there])

    def families(self) -> Iterator[Family]:
        """Yield what was added up so far."""
        return families_of(self.parts)

    @property
    def parts(self) -> Mapping[str, Instrument]:
        """What was added up so far, by name."""
        return {
            part.definition.name: part
            for part in (
                self._amount,
                self._unknown,
                self._tokens,
                self._reasoning,
                self._usage.histogram,
            )
        }

    def part(self, name: str) -> Instrument | None:
        """Return a part by name, None when nothing has such a name."""
        return self.parts.get(name)


class _Usage:
    """`gen_ai.client.token.usage`: tokens of one call to a model, input and output."""

    def __init__(self, limits: Limits) -> None:
        self._labels = (
            Label("gen_ai.operation.name", limits.vocabulary()),
            Label("gen_ai.provider.name", limits.vocabulary()),
            Label("gen_ai.request.model", limits.vocabulary()),
            Label("gen_ai.token.type", Vocabulary(2), closed=True),
        )
        self.histogram = Histogram(
            Definition(
                name="gen_ai.client.token.usage", text="Tokens of calls", bounds=TOKEN_BOUNDS
            ),
            Series(self._labels, limits.series_max),
        )

    def add(self, rows: Columns, tokens: dict[str, tuple[Integers, Mask]]) -> None:
        operation, provider, model, token_type = (label.vocabulary for label in self._labels)
        who = [
            operation.codes(rows.array("operation")),
            provider.codes(_in_convention(rows.array("provider"))),
            model.codes(rows.array("model")),
        ]
        for name, columns in (("input", _INPUT), ("output", ("output_tokens",))):
            parts = [np.minimum(tokens[column][0], _TOKENS_MAX) for column in columns]
            values: Integers = np.stack(parts).sum(axis=0)
            used = values > 0  # what is below is a correction, not a call
            if used.any():
                codes = [column[used] for column in who]
                kind = np.full(len(codes[0]), token_type.code(name), np.int64)
                self.histogram.add(self.histogram.series.ids([*codes, kind]), values[used])


def _in_convention(provider: pa.Array) -> pa.Array:
    """Return the column with the conventions' names of providers."""
    words = [
        None if word is None else _PROVIDERS.get(word, word)
        for word in provider.dictionary.to_pylist()
    ]
    return pa.DictionaryArray.from_arrays(provider.indices, pa.array(words, pa.string()))
