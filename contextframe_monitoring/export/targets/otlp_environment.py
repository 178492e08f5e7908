"""Where a collector is and how it is spoken to: a target's settings, else `OTEL_EXPORTER_OTLP_*`.

A variable of one signal (`OTEL_EXPORTER_OTLP_METRICS_HEADERS`) wins over the general one, and what
the configuration says over both, as OpenTelemetry's specification of the exporter has it.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.secret import UNSAID
from contextframe_monitoring.core.target_settings import OtlpTarget
from contextframe_monitoring.export.targets.credentials import headers_of, revealed
from contextframe_monitoring.export.targets.post import Post, Trust

Signal = Literal["metrics", "traces"]
_PREFIX = "OTEL_EXPORTER_OTLP_"
_ENDPOINT = "http://localhost:4318"
_TIMEOUT_SECONDS = 10.0
_MS_MIN = 100.0
"""The specification's timeouts are milliseconds, those of the Python SDK seconds: a value below
this can only be meant as seconds.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What one signal's variables and settings are found by."""

    name: str
    signal: Signal
    environ: Mapping[str, str]

    def variable(self, name: str) -> str | None:
        """Return the value of the signal's variable, else of the general one; empty is unset."""
        own = self.environ.get(f"{_PREFIX}{self.signal.upper()}_{name}")
        return own or self.environ.get(f"{_PREFIX}{name}") or None

    def key(self, name: str) -> str:
        return f"targets.{self.name}.{name}"


def post_of(name: str, target: OtlpTarget, signal: Signal, environ: Mapping[str, str]) -> Post:
    """Return what posts one signal. Raises `InvalidError`, `UnavailableError`."""
    place = _Place(name=name, signal=signal, environ=environ)
    protocol = place.variable("PROTOCOL")
    if protocol not in {None, "http/protobuf"}:
        raise InvalidError(f"{_PREFIX}PROTOCOL", protocol, "expected http/protobuf")
    compression = target.compression or place.variable("COMPRESSION") or "gzip"
    if compression not in {"gzip", "none"}:
        raise InvalidError(f"{_PREFIX}COMPRESSION", compression, "expected gzip or none")
    return Post(
        _url(place, target),
        key=place.key("endpoint"),
        headers=_variable_headers(place)
        | headers_of(target.headers, place.key("headers"), environ),
        timeout_seconds=_timeout(place, target),
        trust=Trust(
            ca_file=target.ca_file or place.variable("CERTIFICATE"),
            certificate=place.variable("CLIENT_CERTIFICATE"),
            key=place.variable("CLIENT_KEY"),
        ),
        compressed=compression == "gzip",
    )


def temporality(target: OtlpTarget, environ: Mapping[str, str]) -> Literal["cumulative", "delta"]:
    """Return what sums and histograms say. Raises `InvalidError`."""
    if target.temporality is not None:
        return target.temporality
    variable = f"{_PREFIX}METRICS_TEMPORALITY_PREFERENCE"
    word = (environ.get(variable) or "cumulative").strip().lower()
    if word not in {"cumulative", "delta", "lowmemory"}:
        raise InvalidError(variable, word, "expected cumulative, delta or lowmemory")
    return "cumulative" if word == "cumulative" else "delta"


def resource_attributes(target: OtlpTarget, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the resource of metrics says of itself."""
    found = dict(_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", "")))
    service = environ.get("OTEL_SERVICE_NAME") or found.get("service.name") or target.service_name
    return found | {"service.name": service}


def _url(place: _Place, target: OtlpTarget) -> str:
    if target.endpoint is not None:
        base = revealed(target.endpoint, place.key("endpoint"), place.environ)
    else:
        own = place.environ.get(f"{_PREFIX}{place.signal.upper()}_ENDPOINT")
        if own:
            return own
        base = place.environ.get(f"{_PREFIX}ENDPOINT") or _ENDPOINT
    return f"{base.rstrip('/')}/v1/{place.signal}"


def _timeout(place: _Place, target: OtlpTarget) -> float:
    text = place.variable("TIMEOUT")
    if text is None or target.timeout_seconds != _TIMEOUT_SECONDS:
        return target.timeout_seconds
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 600_000:
        raise InvalidError(f"{_PREFIX}TIMEOUT", text, "expected milliseconds")
    return value if value < _MS_MIN else value / 1000


def _variable_headers(place: _Place) -> dict[str, str]:
    text = place.variable("HEADERS")
    try:
        return dict(_pairs(text or ""))
    except ValueError:
        raise InvalidError(f"{_PREFIX}HEADERS", UNSAID, "expected name=value,name=value") from None


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return the pairs of `name=value,name=value`, values percent-encoded."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ValueError(name)
        found.append((urllib.parse.unquote(name.strip()), urllib.parse.unquote(value.strip())))
    return found
