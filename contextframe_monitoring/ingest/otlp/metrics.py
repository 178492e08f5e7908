"""Metrics: how many tokens a service used, and what it says that they cost, as increments.

A delta point is an increment already. A cumulative one is the total since its series began: the
increment is what it has grown since the last point that was seen, all of it where the series is
new or its total fell (a reset). Points that were seen before add nothing. Histograms of either
kind tell their sum. Token counts cost something where nothing more precise tells of the calls;
costs that are reported are kept as evidence only.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.model_names import canonical_provider
from contextframe_monitoring.ingest.otlp.bodies import Document
from contextframe_monitoring.ingest.otlp.reading import Reading
from contextframe_monitoring.ingest.otlp.spans import Place, scope_name
from contextframe_monitoring.ingest.otlp.values import (
    Attributes,
    attributes,
    checked_count,
    cost_nano_usd,
    identity,
    items,
    nanoseconds,
    text,
    time_us,
)
from contextframe_monitoring.ingest.transcripts.marks import CLAUDE_CODE, scope_group, session_group
from contextframe_monitoring.ingest.transcripts.usage_fact import (
    MODEL_CHARS_MAX,
    OTLP,
    UNKNOWN,
    Door,
    UsageFact,
)
from contextframe_monitoring.store.facts import Cursor

SERIES = "otlp-series"
"""Source of the cursors that hold how far each cumulative series was read."""
_KINDS = ("sum", "histogram", "exponentialHistogram")
_DELTA = (1, "AGGREGATION_TEMPORALITY_DELTA")
_CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")
_TOKENS = {"gen_ai.client.token.usage": "gen_ai.token.type", "claude_code.token.usage": "type"}
"""Metric -> the attribute that tells the type of its tokens."""
_COSTS = frozenset({"operation.cost", "claude_code.cost.usage"})
_COLUMNS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "completion": "output_tokens",
    "cacheRead": "cache_read_tokens",
    "cacheCreation": "cache_write_5m_tokens",
}
"""Types of tokens that are counted; others lie inside these."""
_NO_VALUE = 1
_TOTAL_MAX = 10**12
_STATE = msgspec.msgpack.Decoder(tuple[int, int])


class Point(NamedTuple):
    """One point of a metric that is looked at: tokens, or nano-dollars of a cost."""

    metric: str
    place: Place
    attributes: Attributes
    start_ns: int
    time_ns: int
    time_us: int
    value: int
    is_delta: bool

    @property
    def series(self) -> str:
        """What tells this series, since its start, from all others."""
        told = (
            sorted(map(repr, self.place.resource.items())),
            self.place.scope,
            self.metric,
            sorted(map(repr, self.attributes.items())),
            0 if self.is_delta else self.start_ns,
        )
        return hashlib.blake2b(repr(told).encode("utf-8", "replace"), digest_size=16).hexdigest()


def read_points(document: Document, reading: Reading) -> list[Point]:
    """Return the points that tell tokens or costs; count refusals in `reading`."""
    found: list[Point] = []
    for resource in items(document, "resourceMetrics"):
        told = attributes(resource.get("resource"))
        for scoped in items(resource, "scopeMetrics"):
            place = Place(text(told, "service.name"), scope_name(scoped), told)
            for metric in items(scoped, "metrics"):
                name = metric.get("name")
                if isinstance(name, str) and (name in _TOKENS or name in _COSTS):
                    found += _points(metric, place, reading)
    return found


def increments(points: list[Point], cursors: Mapping[str, Cursor], reading: Reading) -> None:
    """Add to `reading` what the points tell beyond what the cursors of their series have seen."""
    totals = {name: _STATE.decode(c.context) for name, c in cursors.items() if c.context}
    moved: set[str] = set()
    for point in sorted(points, key=lambda p: (p.time_ns, p.series)):
        value, since_ns = point.value, point.start_ns
        if not point.is_delta:
            known = totals.get(point.series)
            if known is not None and point.time_ns <= known[0]:
                continue
            totals[point.series] = (point.time_ns, point.value)
            moved.add(point.series)
            if known is not None:
                since_ns = known[0]
                value = point.value - known[1] if point.value >= known[1] else point.value
        if value:
            reading.facts.append(_fact(point, value, since_ns))
    reading.cursors += [_cursor(name, *totals[name]) for name in sorted(moved)]


def _points(metric: Document, place: Place, reading: Reading) -> Iterator[Point]:
    kind = next((name for name in _KINDS if isinstance(metric.get(name), dict)), None)
    data: Any = metric.get(kind or "")
    for point in items(data, "dataPoints"):
        try:
            found = _point(metric["name"], data, point, place)
        except InvalidError as error:
            reading.refuse(error)
            continue
        if found is not None:
            yield found


def _point(name: str, data: Document, point: Document, place: Place) -> Point | None:
    flags = point.get("flags")
    value = next((point[key] for key in ("sum", "asInt", "asDouble") if key in point), None)
    if value is None or (isinstance(flags, int) and flags & _NO_VALUE):
        return None
    temporality = data.get("aggregationTemporality")
    if temporality not in (*_DELTA, *_CUMULATIVE):
        raise InvalidError(f"temporality of {name}", temporality, "expected delta or cumulative")
    if name in _COSTS:
        amount = cost_nano_usd(name, value)
    else:
        amount = checked_count(name, _rounded(value), _TOTAL_MAX)
    return Point(
        metric=name,
        place=place,
        attributes=attributes(point),
        start_ns=nanoseconds(point, "startTimeUnixNano"),
        time_ns=nanoseconds(point, "timeUnixNano"),
        time_us=time_us(point, "timeUnixNano"),
        value=amount,
        is_delta=temporality in _DELTA,
    )


def _rounded(value: object) -> object:
    """Token counts travel as floats in histograms."""
    return round(value) if isinstance(value, float) and math.isfinite(value) else value


def _fact(point: Point, value: int, since_ns: int) -> UsageFact:
    found, place = point.attributes, point.place
    is_ours = point.metric.startswith("claude_code.")
    session = identity(found, "session.id") if is_ours else None
    if session is not None:
        group = session_group(session)
    else:
        group = scope_group(place.service, place.scope, point.time_us)
    column = _COLUMNS.get(text(found, _TOKENS.get(point.metric, "")) or "")
    is_cost = point.metric in _COSTS
    provider = canonical_provider(text(found, "gen_ai.provider.name", "gen_ai.system"))
    return UsageFact(
        key=f"{group}/{point.series}/{since_ns}-{point.time_ns}",
        group=group,
        source=CLAUDE_CODE if is_ours else OTLP,
        provider="anthropic" if is_ours else provider or UNKNOWN,
        time_us=point.time_us,
        line_us=min(since_ns // 1000 or point.time_us, point.time_us),
        end_us=point.time_us,
        model=_model(found),
        input_tokens=value if column == "input_tokens" else 0,
        cache_read_tokens=value if column == "cache_read_tokens" else 0,
        cache_write_5m_tokens=value if column == "cache_write_5m_tokens" else 0,
        cache_write_1h_tokens=0,
        output_tokens=value if column == "output_tokens" else 0,
        usage_known=column is not None,
        parts_known=is_ours,
        reported_nano_usd=value if is_cost else None,
        session=session or identity(found, "session.id"),
        door=Door.METRIC,
        operation=text(found, "gen_ai.operation.name"),
        service=place.service,
        scope=place.scope,
    )


def _model(found: Attributes) -> str | None:
    names = ("gen_ai.response.model", "gen_ai.request.model", "model")
    return text(found, *names, chars_max=MODEL_CHARS_MAX)


def _cursor(series: str, time_ns: int, value: int) -> Cursor:
    return Cursor(
        source=SERIES,
        path=series,
        inode="",
        size=0,
        mtime_ns=time_ns,
        offset=0,
        lines=0,
        digest=b"",
        context=msgspec.msgpack.encode((time_ns, value)),
    )
