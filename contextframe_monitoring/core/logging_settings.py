"""What is logged, and where to: the section `[logging]` of the configuration."""

from __future__ import annotations

import functools
import typing
from typing import Annotated, Any, Literal

import msgspec

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.setting_values import check_values

LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LOG_LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error", "critical")
RULES_MAX = 64
"""Bound of `levels` and of `sample_rates`."""
_KIB, _MIB = 1 << 10, 1 << 20
_Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]


class LoggingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Log lines: one JSON object each. Raises `InvalidError` when a value is not allowed."""

    file: str | None = None
    """File that log lines are appended to; None: an application's go to standard error, and `serve`
    and instrumented servers write none. Never standard output.
    """
    level: LogLevel = "info"
    """Lines below this level are not written."""
    levels: dict[str, LogLevel] = {}
    """The level by `environment`, in place of `level`."""
    requests: bool = True
    """A line for each request that is handled, with its duration; only where `file` is set."""
    service_version: str | None = None
    """Version of the application, on each of its lines."""
    correlation_ids: Literal["trace", "uuid", "none"] = "trace"
    """How the id of a request that brings none is made: `trace`, 32 hexadecimal digits of a random
    UUID, good as W3C trace id too; `uuid`, the same with hyphens; `none`, not at all.
    """
    sample_rates: dict[str, _Rate] = {}
    """Share of lines below `warning` that is written, by message or by its beginning, ending in a
    dot (`request.`). All lines of a request are kept or dropped together.
    """
    rotate_bytes: Annotated[int, msgspec.Meta(ge=64 * _KIB, le=1024 * _MIB)] = 10 * _MIB
    """A file above this size is set aside under its time; so is one of an earlier day (UTC)."""
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 14
    """Days after which a file that was set aside is deleted."""
    keep_files_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    """Files set aside that are kept at most; the oldest go first."""
    compress: bool = False
    """Files that are set aside are packed with gzip, when they are a minute old; `logs` reads
    them too.
    """

    def __post_init__(self) -> None:
        """Check every value."""
        check_values(self, _types(), "logging")
        for name in ("levels", "sample_rates"):
            if len(getattr(self, name)) > RULES_MAX:
                rules = len(getattr(self, name))
                raise InvalidError(f"logging.{name}", rules, f"expected at most {RULES_MAX} rules")

    @property
    def request_lines(self) -> bool:
        """Whether our own parts write a line for each request."""
        return self.requests and self.file is not None

    def level_in(self, environment: str | None) -> LogLevel:
        """Return the level of an environment."""
        return self.levels.get(environment or "", self.level)


@functools.cache
def _types() -> dict[str, Any]:
    return typing.get_type_hints(LoggingSettings, include_extras=True)
