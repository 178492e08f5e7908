"""Operations as metrics: OpenTelemetry's MCP histograms, and counters of what they don't say.

`mcp.server.operation.duration` is what a server did, `mcp.client.operation.duration` what it asked
of its client. An operation that is no MCP message (an application's own) has families of the same
shape under our name. `error.type` is there when the operation failed: a cancelled one did not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from contextframe_monitoring.core.records import FAILURES
from contextframe_monitoring.export.metrics.group import Columns, Limits, families_of
from contextframe_monitoring.export.metrics.instruments import (
    Counter,
    Definition,
    Exemplar,
    Family,
    Histogram,
    Instrument,
    multiplied,
)
from contextframe_monitoring.export.metrics.series import Label, Series, matches
from contextframe_monitoring.query.source import Integers, Mask
from contextframe_monitoring.store.schemas import PERFORMANCE

SECONDS_BOUNDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
"""Bucket bounds that the MCP conventions give for durations."""
NS_PER_SECOND = 1_000_000_000
UNKNOWN_ERROR = "_OTHER"
"""`error.type` of a failure that says no class (the word of OpenTelemetry)."""

_METHODS = re.compile(
    r"(initialize|ping|(tools|prompts|resources|roots|notifications|logging|completion|sampling"
    r"|elicitation|tasks|server|subscriptions)/.+)"
)
_TRACE_ID = re.compile(r"[0-9a-f]{32}")

_SUMS = (
    ("request_size", "request.size", "By", "JSON of requests"),
    ("result_size", "result.size", "By", "JSON of results"),
    ("request_tokens", "request.tokens", "", "Tokens of requests, mostly estimated"),
    ("result_tokens", "result.tokens", "", "Tokens of results, mostly estimated"),
)
"""Column, end of the name, unit and meaning of what is summed per operation and tool."""


class Operations:
    """The families of `performance_metrics`."""

    table = PERFORMANCE
    columns: tuple[str, ...] = (
        "timestamp", "server", "operation_type", "target", "status", "error_type", "direction",
        "transport", "duration_ms", "weight", "correlation_id",
        *(column for column, *_ in _SUMS),
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        """Start with nothing."""
        self._limits = limits
        who = [
            Label(name, limits.vocabulary())
            for name in (
                "server", "mcp.method.name", "operation_type",
                "gen_ai.tool.name", "gen_ai.prompt.name",
            )
        ]  # fmt: skip
        self._who = tuple(label.vocabulary for label in who)
        self._error = Label("error.type", limits.vocabulary())
        self._ends = (
            Label("direction", limits.vocabulary(), closed=True),
            Label("status", limits.vocabulary(), closed=True),
        )
        every = limits.series_max
        failing = Series([*who, self._error], every)
        self._durations = {
            name: Histogram(_duration(name, text), failing)
            for name, text in (
                ("mcp.server.operation.duration", "MCP requests and notifications handled"),
                ("mcp.client.operation.duration", "MCP requests that a server sent to its client"),
                ("contextframe_monitoring.operation.duration", "Operations of applications"),
            )
        }
        self._count = Counter(
            Definition(name="contextframe_monitoring.operations", text="Operations, however ended"),
            Series([*who[:3], *self._ends], every),
        )
        self._sums = {
            column: Counter(
                Definition(name=f"contextframe_monitoring.{name}", text=text, unit=unit),
                Series(who, every),
            )
            for column, name, unit, text in _SUMS
        }

    def add(self, rows: Columns) -> None:
        """Add the rows of one batch."""
        if not self._limits.own_server:
            rows = rows.without_own()
        if not len(rows):
            return
        kind = rows.array("operation_type")
        mcp = matches(kind, is_method) | rows.array("transport").is_valid().to_numpy(
            zero_copy_only=False
        )
        target = rows.array("target")
        server, method, other, tool, prompt = self._who
        who = [
            server.codes(rows.array("server")),
            method.codes(kind, mcp),
            other.codes(kind, ~mcp),
            tool.codes(target, mcp & matches(kind, "tools/call".__eq__)),
            prompt.codes(target, mcp & matches(kind, "prompts/get".__eq__)),
        ]
        weights, weighed = rows.whole("weight")
        weights = np.where(weighed, np.maximum(weights, 1), 1)
        ends = [label.vocabulary.codes(rows.array(label.name)) for label in self._ends]
        self._count.add(self._count.series.ids([*who[:3], *ends]), weights)
        self._add_durations(rows, [*who, self._error_codes(rows)], mcp, weights)
        ids: Integers | None = None
        for column, counter in self._sums.items():
            values, known = rows.whole(column)
            if known.any():
                ids = counter.series.ids([codes[known] for codes in who])
                counter.add(ids, multiplied(np.maximum(values[known], 0), weights[known]))

    def _error_codes(self, rows: Columns) -> Integers:
        status = rows.array("status")
        failed = matches(status, FAILURES.__contains__)
        vocabulary = self._error.vocabulary
        codes = vocabulary.codes(rows.array("error_type"), failed)
        nameless = failed & (codes == 0)
        if nameless.any():
            late = matches(status, "timeout".__eq__)
            codes[nameless & late] = vocabulary.code("timeout")
            codes[nameless & ~late] = vocabulary.code(UNKNOWN_ERROR)
        return codes

    def _add_durations(
        self, rows: Columns, codes: list[Integers], mcp: Mask, weights: Integers
    ) -> None:
        durations, known = rows.nanoseconds()
        out = matches(rows.array("direction"), "out".__eq__)
        kinds = (mcp & ~out, mcp & out, ~mcp)
        for histogram, kind in zip(self._durations.values(), kinds, strict=True):
            mine = kind & known
            if mine.any():
                at = histogram.series.ids([column[mine] for column in codes])
                buckets = histogram.add(at, durations[mine], weights[mine])
                _point(histogram, rows.where(mine), at, buckets)

    def families(self) -> Iterator[Family]:
        """Yield what was added up so far."""
        return families_of(self.parts)

    @property
    def parts(self) -> Mapping[str, Instrument]:
        """What was added up so far, by name."""
        parts: list[Histogram | Counter] = [*self._durations.values(), self._count]
        return {part.definition.name: part for part in (*parts, *self._sums.values())}

    def part(self, name: str) -> Instrument | None:
        """Return a part by name, None when nothing has such a name."""
        return self.parts.get(name)


def _duration(name: str, text: str) -> Definition:
    return Definition(name=name, text=text, unit="s", per_unit=NS_PER_SECOND, bounds=SECONDS_BOUNDS)


def is_method(kind: str) -> bool:
    """Return whether a type of operations is a method of MCP."""
    return _METHODS.fullmatch(kind) is not None


def _point(histogram: Histogram, rows: Columns, at: Integers, buckets: Integers) -> None:
    """Let every bucket that got an operation with a trace id point at the last one of them."""
    traces = rows.array("correlation_id")
    traced = np.flatnonzero(traces.is_valid().to_numpy(zero_copy_only=False))
    if not len(traced):
        return
    width = len(SECONDS_BOUNDS) + 1
    last = np.full((int(at.max()) + 1) * width, -1, np.int64)
    last[at[traced] * width + buckets[traced]] = traced  # the last one written stays
    cells = np.flatnonzero(last >= 0)
    shown = last[cells]
    durations, times_us = rows.nanoseconds()[0][shown].tolist(), rows.times_us()[shown].tolist()
    trace_ids = traces.take(pa.array(shown)).to_pylist()
    for cell, trace_id, ns, time_us in zip(
        cells.tolist(), trace_ids, durations, times_us, strict=True
    ):
        if _TRACE_ID.fullmatch(trace_id):
            exemplar = Exemplar(trace_id=trace_id, value=ns / NS_PER_SECOND, time_us=time_us)
            histogram.point_at(*divmod(cell, width), exemplar)
