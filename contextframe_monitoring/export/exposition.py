"""Families as text: the Prometheus text format 0.0.4 and OpenMetrics 1.0.0.

prometheus_client writes both too, at 5 us a line; here a series' labels are put together once for
all its lines, which makes a scrape of 1,700 lines five times as fast. Its output is the oracle.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.utils import floatToGoString

from contextframe_monitoring.export.metrics.instruments import Exemplar, Family, Point

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Named:
    """A family with its name in Prometheus' letters, the unit that ends it, and its series'
    labels.
    """

    family: Family
    name: str
    unit: str
    labels: tuple[Mapping[str, str], ...]


def wants_openmetrics(accept: str) -> bool:
    """Return whether an Accept header asks for OpenMetrics: Prometheus does."""
    for offer in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in offer.split(";"))
        if kind == "application/openmetrics-text":
            return not any(p.replace(" ", "") in {"q=0", "q=0.0"} for p in parameters)
    return False


def text(families: Iterable[Named]) -> str:
    """Return the text format."""
    lines: list[str] = []
    for named in families:
        name = f"{named.name}_total" if named.family.kind == "counter" else named.name
        lines.append(f"# HELP {name} {named.family.text.translate(_HELP_ESCAPES)}")
        lines.append(f"# TYPE {name} {named.family.kind}")
        lines.extend(_samples(named, exemplars=False))
    return "".join(f"{line}\n" for line in lines)


def openmetrics(families: Iterable[Named]) -> str:
    """Return OpenMetrics, with exemplars."""
    lines: list[str] = []
    for named in families:
        lines.append(f"# HELP {named.name} {named.family.text.translate(_ESCAPES)}")
        lines.append(f"# TYPE {named.name} {named.family.kind}")
        if named.unit:
            lines.append(f"# UNIT {named.name} {named.unit}")
        lines.extend(_samples(named, exemplars=True))
    return "".join(f"{line}\n" for line in [*lines, "# EOF"])


def _samples(named: Named, *, exemplars: bool) -> Iterator[str]:
    kind, name = named.family.kind, named.name
    bounds = [*map(number, named.family.bounds), "+Inf"]
    for point, labels in zip(named.family.points, named.labels, strict=True):
        pairs = ",".join(f'{key}="{labels[key].translate(_ESCAPES)}"' for key in sorted(labels))
        braced = f"{{{pairs}}}" if pairs else ""
        if kind == "counter":
            yield f"{name}_total{braced} {number(point.value)}"
        elif kind == "gauge":
            yield f"{name}{braced} {number(point.value)}"
        else:
            if kind == "histogram":
                yield from _buckets(f"{name}_bucket", pairs, bounds, point, exemplars=exemplars)
            yield f"{name}_count{braced} {sum(point.counts)}"
            yield f"{name}_sum{braced} {number(point.value)}"


def _buckets(
    name: str, pairs: str, bounds: list[str], point: Point, *, exemplars: bool
) -> Iterator[str]:
    start = f"{name}{{{pairs},le=" if pairs else f"{name}{{le="
    counts = itertools.accumulate(point.counts)
    if not exemplars or not point.exemplars:
        for bound, count in zip(bounds, counts, strict=True):
            yield f'{start}"{bound}"}} {count}'
        return
    for at, (bound, count) in enumerate(zip(bounds, counts, strict=True)):
        yield f'{start}"{bound}"}} {count}{_exemplar(point.exemplars.get(at))}'


def _exemplar(exemplar: Exemplar | None) -> str:
    if exemplar is None:
        return ""
    seconds, micros = divmod(exemplar.time_us, 1_000_000)
    return f' # {{trace_id="{exemplar.trace_id}"}} {number(exemplar.value)} {seconds}.{micros:06d}'


def number(value: float) -> str:
    """Return a number as both formats write it, bounds of buckets in Go's way (`1e+06`)."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]
