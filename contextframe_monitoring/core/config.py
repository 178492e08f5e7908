"""`MonitoringConfig`: every switch of the monitor, checked, with its default."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from contextframe_monitoring.core.agent_rights import AgentRight
from contextframe_monitoring.core.alert_settings import AlertSettings
from contextframe_monitoring.core.budget_settings import BudgetSettings
from contextframe_monitoring.core.errors import InvalidError, UnknownKeyError
from contextframe_monitoring.core.grouping import ATTRIBUTES_MAX, GROUPS_MAX
from contextframe_monitoring.core.logging_settings import LoggingSettings
from contextframe_monitoring.core.resource_settings import ResourceSettings
from contextframe_monitoring.core.retention_settings import RetentionSettings
from contextframe_monitoring.core.setting_values import allowed as _allowed
from contextframe_monitoring.core.setting_values import check_values

if TYPE_CHECKING:
    from contextframe_monitoring.core.target_settings import Target

ENVIRONMENT_PREFIX = "CONTEXTFRAME_MONITORING_"
FILE_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
TABLES = ("channels", "targets")
"""Keys that hold tables by name; what those may hold is checked where it is described."""
_KIB, _MIB = 1 << 10, 1 << 20

_Days = Annotated[int, msgspec.Meta(ge=1, le=36_500)]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Interval = Literal["1m", "5m", "15m", "1h", "1d"]


class MonitoringConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Configuration of the monitor. Durations and bounds carry their unit in the name.

    Raises `InvalidError` when a value is not allowed.
    """

    enabled: bool = True
    """False: nothing is recorded, and status says so."""
    metrics_retention_days: _Days = 30
    """How long raw rows are kept; `[retention]` says it for each table and level."""
    aggregation_intervals: list[_Interval] = msgspec.field(
        default_factory=lambda: ["1m", "5m", "1h", "1d"]
    )
    """Levels of the rollups that are wanted: 1m is always one; 5m is read from 1m, and from 15m
    where 1m no longer reaches. A level that is taken out loses its rows.
    """

    rollup_attributes: list[str] = msgspec.field(default_factory=list)
    """Up to four names of attributes that rollups keep apart, from now on."""
    rollup_groups_max: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = GROUPS_MAX
    """Groups of one subject in one bucket of a level; of the ones that count least, targets, agents
    and the like become `other`.
    """
    sample_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    """Share of the successful operations whose raw rows are stored, each with its weight; failed
    and slow ones all are. Rollups count everything.
    """

    slow_query_threshold_ms: _Positive = 1000.0
    """An operation or query that takes longer counts as `slow` in reports."""
    error_rate_threshold: _Share = 0.05
    """A share of errors above this is pointed out in performance reports."""

    track_costs: bool = True
    """False: no cost row is written."""
    pricing_config_path: str | None = None
    """A folder of price files that win over the ones that come with the package."""
    context_model: str | None = None
    """Model that reads what tools answer (`anthropic/claude-sonnet-4-5`): prices the results in
    `report cost --group-by tool`; None: the model that most tokens of the window went through.
    """

    tokenizer_path: str | None = None
    """The `tokenizer.json` of that model (extra `tokens`): tokens of tools' definitions, arguments
    and results are counted with it, message by message; None: they are estimated.
    """

    prometheus_enabled: bool = False
    """The keeper serves `/metrics` on a loopback port of its own."""
    prometheus_port: _Port = 9090
    """That port."""
    prometheus_series_max: Annotated[int, msgspec.Meta(ge=10, le=100_000)] = 1000
    """Label sets of one metric family that get a series of their own; later ones are `other`."""
    prometheus_labels: list[str] = msgspec.field(default_factory=list)
    """Attributes that become labels of custom metrics and events."""
    cloudwatch_enabled: bool = False
    """Push metrics to CloudWatch, as a target of type `cloudwatch` and that name does."""
    cloudwatch_namespace: str = "ContextFrame/MCP"
    """Namespace of the metrics there."""

    store: str | None = None
    """Folder or object-store URI of the tables; None: the platform's user data folder."""
    spool_path: str | None = None
    """Local folder of the spool; None: beside a local store, else in the user's state folder."""
    spool_backend: Literal["auto", "mmap", "write"] = "auto"
    """`write` where memory maps can't be trusted (network file systems)."""
    spool_bytes_max: Annotated[int, msgspec.Meta(ge=_MIB)] = 256 * _MIB
    """Undrained bytes of one process; what comes beyond is a counted loss."""
    segment_bytes_max: Annotated[int, msgspec.Meta(ge=64 * _KIB, le=64 * _MIB)] = _MIB
    """Size of a segment of the spool, reached by doubling from 64 KiB."""
    backlog_bytes_max: Annotated[int, msgspec.Meta(ge=64 * _KIB)] = 4 * _MIB
    """A writer that finds more than this undrained, and no keeper, starts one."""
    start_keeper: bool = True
    """Whether writers may start a keeper on demand."""

    server: str | None = None
    """Name of what is monitored; None: the MCP server's own name."""
    environment: str | None = None
    """Deployment environment, stored on every row (`production`, `staging`, ...)."""
    hash_user_ids: bool = False
    """Store a hash of user ids instead of the ids."""
    hash_key: str = ""
    """Secret key of the hashes of user ids and queries."""
    store_error_texts: bool = False
    """Store the (masked, bounded) message of errors seen by the middleware, not only their class.
    """
    text_chars_max: Annotated[int, msgspec.Meta(ge=16, le=65_536)] = 512
    """Bound of every stored free text."""
    export_path: str | None = None
    """The only folder that `export_metrics` writes into; None: `exports` beside a local store."""
    timezone: str = "UTC"
    """Default IANA time zone of reports."""

    budget: BudgetSettings = BudgetSettings()
    """What may be spent."""
    alerts: AlertSettings = AlertSettings()
    """How alert rules are evaluated, and how alerts reach people."""
    alert_rules: list[dict[str, Any]] = msgspec.field(default_factory=list)
    """Alert rules, one table each: see `alerts rules --defaults` for the ones that are there."""
    agent_may: list[AgentRight] = msgspec.field(default_factory=lambda: ["acknowledge", "comment"])
    """What agents may do to alerts through tools: acknowledge, comment, silence, resolve, reopen,
    change_rules.
    """
    retention: RetentionSettings = RetentionSettings()
    """How long it is kept."""
    logging: LoggingSettings = LoggingSettings()
    """What is logged, and where to."""
    resources: ResourceSettings = ResourceSettings()
    """How often `serve` and `keep` sample what they use of the machine."""
    channels: dict[str, Any] = {}
    """Where notifications go: a table `[channels.NAME]` for each
    (`core.channel_settings.Channel`).
    """
    targets: dict[str, Any] = {}
    """Where metrics are sent: a table `[targets.NAME]` for each (`core.target_settings`)."""

    def __post_init__(self) -> None:
        """Check every value, however the configuration was made."""
        if self.targets:
            msgspec.structs.force_setattr(self, "targets", _targets(self.targets, "targets"))
        check_values(self, _field_types())
        if self.alert_rules:
            from contextframe_monitoring.core.rule_tables import rules_of

            rules_of(self.alert_rules, "alert rule")
        names = self.rollup_attributes
        if len(names) > ATTRIBUTES_MAX or not all(map(str.isprintable, names)) or "" in names:
            raise InvalidError("rollup_attributes", names, f"at most {ATTRIBUTES_MAX} names")
        named = self.alerts.named_channels()
        if self.channels or named:
            from contextframe_monitoring.core.channel_settings import channels_from, check_names

            channels = channels_from(self.channels, "channels")
            check_names(channels, named)
            msgspec.structs.force_setattr(self, "channels", channels)


def targets_of(config: MonitoringConfig) -> dict[str, Target]:
    """Return every target that is wanted, by name."""
    if not config.cloudwatch_enabled:
        return dict(config.targets)
    from contextframe_monitoring.core.target_settings import with_cloudwatch

    return with_cloudwatch(config.targets)


def _targets(tables: object, where: str) -> dict[str, Target]:
    """Return targets, checked. What describes them is loaded where there are any: not by writers
    that have none.
    """
    from contextframe_monitoring.core.target_settings import targets_from

    return targets_from(tables, where)


def _field_types() -> dict[str, Any]:
    if not _FIELD_TYPES:
        _FIELD_TYPES.update(typing.get_type_hints(MonitoringConfig, include_extras=True))
    return _FIELD_TYPES


_FIELD_TYPES: dict[str, Any] = {}


def config_keys() -> tuple[str, ...]:
    """Return the names of all keys."""
    return MonitoringConfig.__struct_fields__


def sections() -> dict[str, type[msgspec.Struct]]:
    """Return the keys that are tables of keys, and what they hold."""
    return {
        name: kind
        for name, kind in _field_types().items()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    }


def config_from(
    values: Mapping[str, Any], where: str, environ: Mapping[str, str]
) -> MonitoringConfig:
    """Build a configuration from the table of a file, overridden by the environment.

    `where` names the file in errors. A variable of a section carries two underscores:
    `CONTEXTFRAME_MONITORING_BUDGET__MONTHLY_USD`. Raises `UnknownKeyError` or `InvalidError`.
    """
    known = config_keys()
    for key in values:
        if key not in known:
            raise UnknownKeyError(key, known, where)
    given = _from_environment(environ)
    found = {**values, **given}
    for name, kind in sections().items():
        if name in found:
            table = values.get(name, {})
            if not isinstance(table, Mapping):
                raise InvalidError(name, table, f"expected a table: [{name}]")
            found[name] = _section(name, {**table, **given.get(name, {})}, kind, where)
    if "channels" in values:
        from contextframe_monitoring.core.channel_settings import channels_from

        found["channels"] = channels_from(values["channels"], where)
    if "targets" in values:
        found["targets"] = _targets(values["targets"], where)
    return MonitoringConfig(**found)


def changed(config: MonitoringConfig, values: Mapping[str, Any]) -> MonitoringConfig:
    """Return the configuration with other values. Raises `UnknownKeyError` or `InvalidError`."""
    for key in values:
        if key not in config_keys():
            raise UnknownKeyError(key, config_keys(), "the arguments")
    return msgspec.structs.replace(config, **values) if values else config


def _section(name: str, table: dict[str, Any], kind: type[msgspec.Struct], where: str) -> Any:
    types = typing.get_type_hints(kind, include_extras=True)
    for key, value in table.items():
        if key not in types:
            names = (f"{name}.{known}" for known in types)
            raise UnknownKeyError(f"{name}.{key}", names, where)
        try:
            table[key] = msgspec.convert(value, types[key])
        except msgspec.ValidationError as error:
            raise InvalidError(f"{name}.{key}", value, _allowed(error, types[key])) from None
    return kind(**table)


def _variables() -> dict[str, tuple[str, ...]]:
    """Return the path of the key behind each variable of the environment."""
    nested = sections()
    plain = (key for key in config_keys() if key not in nested and key not in TABLES)
    paths: list[tuple[str, ...]] = [(key,) for key in plain]
    paths += [(name, key) for name, kind in nested.items() for key in kind.__struct_fields__]
    return {ENVIRONMENT_PREFIX + "__".join(path).upper(): path for path in paths}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the values by key, those of a section in a dictionary of their own."""
    found: dict[str, Any] = {}
    known = _variables()
    for name, text in environ.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name == FILE_VARIABLE:
            continue
        path = known.get(name.upper())
        if path is None:
            raise UnknownKeyError(name, known, "environment")
        if len(path) == 1:
            found[path[0]] = _parsed(name, text, _field_types()[path[0]])
        else:
            types = typing.get_type_hints(sections()[path[0]], include_extras=True)
            found.setdefault(path[0], {})[path[1]] = _parsed(name, text, types[path[1]])
    return found


def _parsed(name: str, text: str, kind: Any) -> Any:
    value: Any = text
    if typing.get_origin(kind) is dict:
        try:
            value = json.loads(text)
        except ValueError:
            raise InvalidError(name, text, "expected a JSON object") from None
    if typing.get_origin(kind) is list:
        try:
            value = json.loads(text) if text.startswith("[") else text.split(",")
        except ValueError:
            raise InvalidError(name, text, "expected a JSON list, or a,b,c") from None
        value = [part.strip() if isinstance(part, str) else part for part in value]
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidError(name, text, _allowed(error, kind)) from None
