"""An application's own metrics, each a family under its own name, with its kind and unit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contextframe_monitoring.core.records import METRIC_KINDS
from contextframe_monitoring.export.metrics.group import Columns, Limits
from contextframe_monitoring.export.metrics.instruments import (
    Counter,
    Definition,
    Gauge,
    Histogram,
    Instrument,
)
from contextframe_monitoring.export.metrics.operations import SECONDS_BOUNDS
from contextframe_monitoring.export.metrics.series import (
    Label,
    Series,
    Shared,
    Vocabulary,
    grouped,
    places,
)
from contextframe_monitoring.query.source import Floats, Integers, Mask

CUSTOM_MAX = 200
"""Custom metrics that get a family; rows of others are counted."""
_BOUNDS = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000)
"""OpenTelemetry's default bucket bounds, for what is not measured in seconds."""

_OURS = ("mcp_", "gen_ai_", "contextframe_monitoring")
"""What our own families begin with."""

_Instrument = Counter | Gauge | tuple[Histogram, Histogram]


@dataclass(frozen=True, slots=True)
class _Identity:
    """What makes two rows samples of one metric."""

    name: str
    kind: str
    unit: str


class _Known(Shared, dict[_Identity, Series]):
    """The metrics that have a family, each with its series."""


class Customs:
    """The families of custom metrics. `server` and the allowed attributes are their labels."""

    def __init__(self, limits: Limits) -> None:
        """Start with nothing."""
        self._limits = limits
        self._series = _Known()
        self._instruments: dict[_Identity, _Instrument] = {}
        self._left_out = Counter(
            Definition(
                name="contextframe_monitoring.custom.left_out",
                text=f"Samples of custom metrics beyond the first {CUSTOM_MAX}",
            ),
            Series([Label("reason", Vocabulary(1))], 1),
        )

    def add(self, rows: Columns) -> None:
        """Add the rows of one batch."""
        finite = np.isfinite(rows.floats("value"))
        rows, values = rows.where(finite), rows.floats("value")[finite]
        if not len(rows):
            return
        labels = [rows.array("server")]
        labels += attribute_columns(rows.array("attributes"), self._limits.attribute_keys)
        for identity, mine in _identities(rows):
            self._add_one(identity, mine, labels, values, rows)

    def _add_one(
        self,
        identity: _Identity,
        mine: Mask,
        labels: list[pa.Array],
        values: Floats,
        rows: Columns,
    ) -> None:
        series = self._series_of(identity)
        if series is None:
            at = self._left_out.series.ids([np.zeros(1, np.int64)])
            self._left_out.add(at, np.array([mine.sum()], np.int64))
            return
        picked = pa.array(mine)
        at = series.ids(
            [
                label.vocabulary.codes(column.filter(picked))
                for label, column in zip(series.labels, labels, strict=True)
            ]
        )
        self._record(identity, series, at, values[mine], rows.times_us()[mine])

    def _series_of(self, identity: _Identity) -> Series | None:
        """Return the series of a metric, None when there is no room for it."""
        if not identity.name or identity.kind not in METRIC_KINDS:
            return None
        if identity not in self._series:
            if len(self._series) >= CUSTOM_MAX:
                return None
            names = ["server", *self._limits.attribute_labels]
            labels = [Label(name, self._limits.vocabulary()) for name in names]
            self._series[identity] = Series(labels, self._limits.series_max)
        return self._series[identity]

    def _instrument_of(self, identity: _Identity, series: Series) -> _Instrument:
        instrument = self._instruments.get(identity)
        if instrument is None:
            instrument = self._instruments[identity] = _instrument(identity, series)
        return instrument

    def _record(
        self,
        identity: _Identity,
        series: Series,
        at: Integers,
        values: Floats,
        times_us: Integers,
    ) -> None:
        instrument = self._instrument_of(identity, series)
        if isinstance(instrument, Counter):
            instrument.add(at, values)
        elif isinstance(instrument, Gauge):
            instrument.set(at, values, times_us)
        else:
            below = values < 0
            instrument[0].touch(at)  # the family is there first, and so is its name
            instrument[0].add(at[~below], values[~below])
            instrument[1].add(at[below], -values[below])

    @property
    def parts(self) -> Mapping[str, Instrument]:
        """What was added up so far, by order of first appearance."""
        found: dict[str, Instrument] = {}
        for identity in self._series:
            instrument = self._instruments.get(identity)
            if isinstance(instrument, tuple):
                found |= zip(_part_names(identity), instrument, strict=True)
            elif instrument is not None:
                found[_part_names(identity)[0]] = instrument
        return found | {self._left_out.definition.name: self._left_out}

    def part(self, name: str) -> Instrument | None:
        """Return the part of a metric, made where it is not there yet and there is room."""
        identity = _identity_of(name)
        series = None if identity is None else self._series_of(identity)
        if identity is None or series is None:
            return None
        self._instrument_of(identity, series)
        return self.parts.get(name)


def _part_names(identity: _Identity) -> tuple[str, str]:
    """Return the names of what a metric is added up in: a histogram has a twin."""
    name = json.dumps([identity.name, identity.kind, identity.unit])
    return f"custom {name}", f"negative {name}"


def _identity_of(part_name: str) -> _Identity | None:
    word, _, name = part_name.partition(" ")
    if word not in {"custom", "negative"}:
        return None
    try:
        return _Identity(*map(str, json.loads(name)))
    except (TypeError, ValueError):
        return None


def _identities(rows: Columns) -> Iterator[tuple[_Identity, Mask]]:
    """Yield every metric of a batch and its rows."""
    found = [places(rows.array(name)) for name in ("operation", "kind", "unit")]
    codes = [at for at, _, _ in found]
    words = [dict(zip(used.tolist(), texts, strict=True)) for _, used, texts in found]
    group, first = grouped(codes, [int(at.max()) + 1 for at in codes])
    for number in np.argsort(first).tolist():
        row = first[number]
        name, kind, unit = (w.get(int(at[row]), "") for w, at in zip(words, codes, strict=True))
        yield _Identity(name, kind, unit), group == number


def _instrument(identity: _Identity, series: Series) -> _Instrument:
    bounds = tuple(map(float, SECONDS_BOUNDS if identity.unit in {"s", "seconds"} else _BOUNDS))
    definition = Definition(
        name=_free(identity.name),
        text=f"Custom {identity.kind}",
        unit=identity.unit,
        bounds=bounds if identity.kind == "histogram" else (),
    )
    if identity.kind == "counter":
        return Counter(definition, series, whole=False)
    if identity.kind == "gauge":
        return Gauge(definition, series)
    return Histogram(definition, series, whole=False), Histogram(
        definition.twin(), series, whole=False
    )


def _free(name: str) -> str:
    """Return a name that none of our own families ever has."""
    plain = re.sub(r"[^a-z0-9]", "_", name.lower()).lstrip("_")
    return f"custom.{name}" if plain.startswith(_OURS) else name


def attribute_columns(attributes: pa.Array, keys: Sequence[str]) -> list[pa.Array]:
    """Return for every key the values that `key=value` attributes give it, null where none does."""
    if not keys:
        return []
    pairs = pc.list_flatten(attributes)
    rows = pc.list_parent_indices(attributes).to_numpy()
    columns = []
    for key in keys:
        prefix = f"{key}="
        fits = pc.fill_null(pc.starts_with(pairs, prefix), fill_value=False)
        found = pc.utf8_slice_codeunits(pairs.filter(fits), start=len(prefix))
        at = np.full(len(attributes), -1, np.int64)
        places = rows[fits.to_numpy(zero_copy_only=False)]
        at[places] = np.arange(len(places))
        columns.append(found.take(pa.array(at, mask=at < 0)))
    return columns
