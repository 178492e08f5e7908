"""The targets that metrics are sent to: the tables `[targets.NAME]` of the configuration.

A new kind of target is one class here, and one file with one registry line in `export/targets`.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from contextframe_monitoring.core.errors import InvalidError, UnknownKeyError
from contextframe_monitoring.core.secret import STANDS_ELSEWHERE, UNSAID, Secret

TARGETS_MAX = 20
_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_NAME_CHARS_MAX = 64
_SENSITIVE = ("auth", "key", "token", "secret", "cookie", "password", "credential")

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
_Headers = dict[_Text, _Text | Secret]


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every target has. `type` is the word that its class stands under in `TARGETS`."""

    interval_seconds: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 60.0
    """Between two exports."""
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=120)] = 10.0
    """For one request, connection and answer included."""
    backfill: bool = True
    """Whether the first export covers all that is stored; false: what is recorded from then on."""


class OtlpTarget(Target, frozen=True, kw_only=True, tag_field="type", tag="otlp"):
    """An OpenTelemetry collector, over HTTP with protobuf (extra `otlp`).

    What is left out here is taken from the standard environment, `OTEL_EXPORTER_OTLP_*`.
    """

    endpoint: _Text | Secret | None = None
    """Address without `/v1/metrics`; none: the environment's, else http://localhost:4318."""
    headers: _Headers = {}
    """More headers; those that may hold a secret name where it stands."""
    signals: Annotated[
        tuple[Literal["metrics", "traces"], ...], msgspec.Meta(min_length=1, max_length=2)
    ] = ("metrics",)
    """`traces`: every operation as a span, too."""
    temporality: Literal["cumulative", "delta"] | None = None
    """Of sums and histograms; none: the environment's, else cumulative."""
    compression: Literal["gzip", "none"] | None = None
    """None: the environment's, else gzip."""
    ca_file: _Text | None = None
    """Certificates to trust instead of the usual ones."""
    service_name: _Text = "contextframe-monitoring"
    """`service.name` of metrics; spans carry the name of their server."""


class CloudwatchTarget(Target, frozen=True, kw_only=True, tag_field="type", tag="cloudwatch"):
    """Amazon CloudWatch, over its API (extra `cloudwatch`)."""

    namespace: _Text | None = None
    """None: `cloudwatch_namespace`."""
    region: _Text | None = None
    """None: what the AWS environment and configuration say."""
    endpoint: _Text | None = None
    """Address of another service that speaks like it."""
    access_key_id: Secret | None = None
    """None: what the AWS environment, configuration or machine gives."""
    secret_access_key: Secret | None = None
    """Goes with `access_key_id`."""


class EmfTarget(Target, frozen=True, kw_only=True, tag_field="type", tag="emf"):
    """Lines in CloudWatch's embedded metric format, for the log agent on this machine."""

    path: _Text
    """The file that they are appended to."""
    namespace: _Text | None = None
    """None: `cloudwatch_namespace`."""
    size_bytes_max: Annotated[int, msgspec.Meta(ge=65_536)] = 64 << 20
    """A file that would grow beyond is renamed to `.1` first."""


class FileTarget(Target, frozen=True, kw_only=True, tag_field="type", tag="file"):
    """Files of rows, each with what was stored since the last one; or one file of metrics."""

    path: _Text
    """The folder of the files; of format `prometheus` the file, written anew each time."""
    subject: Literal["usage", "performance", "cost"] = "performance"
    """Which rows; format `prometheus` has all metrics."""
    format: _Text = "jsonl"
    """As of `export`: jsonl, csv, parquet, arrow, json, prometheus, or another package's."""


class StatsdTarget(Target, frozen=True, kw_only=True, tag_field="type", tag="statsd"):
    """A StatsD server: UDP, so nobody says whether anything arrived."""

    host: _Text = "127.0.0.1"
    """Name or address of the server."""
    port: _Port = 8125
    """Its port."""
    prefix: Annotated[str, msgspec.Meta(max_length=100)] = ""
    """Put before every name."""
    tags: bool = True
    """Labels as DogStatsD writes them; false: they are part of the name."""


class RemoteWriteTarget(Target, frozen=True, kw_only=True, tag_field="type", tag="remote_write"):
    """Whatever takes Prometheus' remote write 1.0 (extra `remote-write`)."""

    url: _Text | Secret
    """Where samples go; a secret when the address holds one."""
    headers: _Headers = {}
    """More headers; those that may hold a secret name where it stands."""
    ca_file: _Text | None = None
    """Certificates to trust instead of the usual ones."""


class PluginTarget(Target, frozen=True, kw_only=True, tag_field="type", tag="plugin"):
    """An exporter of another package."""

    exporter: _Text
    """Name of its entry point in the group `contextframe_monitoring.exporters`."""
    options: dict[str, Any] = {}
    """What it wants to know."""


TARGETS: dict[str, type[Target]] = {
    "otlp": OtlpTarget,
    "cloudwatch": CloudwatchTarget,
    "emf": EmfTarget,
    "file": FileTarget,
    "statsd": StatsdTarget,
    "remote_write": RemoteWriteTarget,
    "plugin": PluginTarget,
}
"""Type -> what its table may hold."""


CLOUDWATCH = "cloudwatch"


def with_cloudwatch(targets: Mapping[str, Target]) -> dict[str, Target]:
    """Return the targets and, unless one has that name, the one that `cloudwatch_enabled` means."""
    return {CLOUDWATCH: CloudwatchTarget(), **targets}


def target_type(target: Target) -> str:
    """Return the type that a target's table says."""
    return str(target.__struct_config__.tag)


def targets_from(tables: object, where: str) -> dict[str, Target]:
    """Return the targets that `[targets.NAME]` describe; `where` names the file in errors.

    Raises `UnknownKeyError` or `InvalidError`, never with the value of a secret.
    """
    if not isinstance(tables, Mapping):
        raise InvalidError("targets", UNSAID, "expected tables: [targets.NAME]")
    if len(tables) > TARGETS_MAX:
        raise InvalidError("targets", f"{len(tables)} tables", f"expected at most {TARGETS_MAX}")
    return {_name(name): _target(f"targets.{name}", it, where) for name, it in tables.items()}


def _name(name: object) -> str:
    if isinstance(name, str) and 0 < len(name) <= _NAME_CHARS_MAX and _NAME_CHARS.issuperset(name):
        return name
    raise InvalidError("targets", name, "a target's name has letters, digits, - and _")


def _target(path: str, table: object, where: str) -> Target:
    if isinstance(table, Target):
        return table
    if not isinstance(table, Mapping):
        raise InvalidError(path, UNSAID, f"expected a table: [{path}]")
    named = table.get("type")
    if not isinstance(named, str) or named not in TARGETS:
        raise InvalidError(f"{path}.type", named, f"expected one of {', '.join(TARGETS)}")
    kind = TARGETS[named]
    types = typing.get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key == "type":
            continue
        if key not in types:
            names = [f"{path}.{known}" for known in ("type", *types) if known[0] != "_"]
            raise UnknownKeyError(f"{path}.{key}", names, where)
        values[key] = _value(f"{path}.{key}", value, types[key])
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in values:
            raise InvalidError(f"{path}.{field.name}", None, f"type {named!r} needs it")
    _check_secrets(path, values)
    return kind(**values)


def _value(path: str, value: object, kind: Any) -> object:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        if _may_be_secret(kind):
            raise InvalidError(path, UNSAID, STANDS_ELSEWHERE) from None
        allowed = str(error).split(" - at ")[0].replace("`", "")
        words = _words(kind)
        if words:
            allowed = f"expected one of {', '.join(words)}"
        raise InvalidError(path, value, allowed[:1].lower() + allowed[1:]) from None


def _words(kind: Any) -> list[str]:
    """Return the words that a type takes, in whatever it wraps them."""
    if typing.get_origin(kind) is Literal:
        return list(typing.get_args(kind))
    return [word for inner in typing.get_args(kind) for word in _words(inner)]


def _may_be_secret(kind: Any) -> bool:
    return kind is Secret or any(_may_be_secret(inner) for inner in typing.get_args(kind))


def _check_secrets(path: str, values: Mapping[str, Any]) -> None:
    """Refuse secrets that stand in the configuration itself."""
    for name, value in values.get("headers", {}).items():
        if isinstance(value, str) and any(word in name.lower() for word in _SENSITIVE):
            raise InvalidError(f"{path}.headers.{name}", UNSAID, STANDS_ELSEWHERE)
    for key in ("endpoint", "url"):
        value = values.get(key)
        if isinstance(value, str) and "@" in value.partition("//")[2].partition("/")[0]:
            raise InvalidError(f"{path}.{key}", UNSAID, f"it holds a password; {STANDS_ELSEWHERE}")
