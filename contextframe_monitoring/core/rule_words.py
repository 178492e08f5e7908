"""The words of the seeds for rules, and what they are called here.

`AlertType`, `AlertSeverity` and `AlertRule` are the names of `api-monitoring-and-alerting.md`; the
types, conditions and windows in seconds those of `statistics-api.md`. A table in these words is
understood wherever a rule is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from contextframe_monitoring.core.errors import InvalidError
from contextframe_monitoring.core.signals import SIGNALS


class AlertType(StrEnum):
    """What an alert is about, as the seeds say it."""

    HIGH_ERROR_RATE = "high_error_rate"
    HIGH_COST = "high_cost"
    SLOW_RESPONSE = "slow_response"
    API_FAILURE = "api_failure"
    COST_THRESHOLD = "cost_threshold"
    ERROR_RATE = "error_rate"
    RESPONSE_TIME = "response_time"
    NO_DATA = "no_data"
    ANOMALY = "anomaly"


class AlertSeverity(StrEnum):
    """How bad it is, as the seeds say it."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


TYPES: Mapping[str, Mapping[str, Any]] = {
    "high_error_rate": {"signal": "error_rate"},
    "high_cost": {"signal": "cost"},
    "cost_threshold": {"signal": "cost"},
    "slow_response": {"signal": "latency"},
    "response_time": {"signal": "latency", "statistic": "mean"},
    "api_failure": {"signal": "api_failures"},
    **{signal: {"signal": signal} for signal in SIGNALS},
}
"""Type of a seed -> keys of a rule. Our own signals are types too."""
SEVERITIES = {"high": "error", "medium": "warning", "low": "info"}
PERIODS = {"day": "today", "week": "week", "month": "month", "year": "year"}
_WORDS = {
    "type", "alert_type", "condition", "time_window", "time_window_minutes",
    "notification_channels",
}  # fmt: skip
_CONDITIONS = ("period", "service", "status_codes", "percentile")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """A rule as the seeds write it; `ours` is the table that it means."""

    name: str
    alert_type: AlertType | str
    threshold: float
    time_window_minutes: float = 5
    severity: AlertSeverity | str = AlertSeverity.MEDIUM
    notification_channels: Sequence[str | Mapping[str, Any]] = ()
    condition: Mapping[str, Any] = field(default_factory=dict)
    is_active: bool = True

    def ours(self) -> dict[str, Any]:
        """Return the keys of the rule in our words."""
        return in_our_words(
            {
                "name": self.name,
                "type": str(self.alert_type),
                "threshold": self.threshold,
                "time_window": self.time_window_minutes * 60,
                "severity": str(self.severity),
                "notification_channels": list(self.notification_channels),
                "condition": dict(self.condition),
                "is_active": self.is_active,
            }
        )


def in_our_words(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a rule in our words; what is in them already stays. Raises
    `InvalidError`.
    """
    found = {key: value for key, value in table.items() if key not in _WORDS}
    if isinstance(found.get("severity"), str):
        found["severity"] = SEVERITIES.get(found["severity"].lower(), found["severity"])
    if _WORDS.isdisjoint(table):
        return found
    name = str(table.get("name"))
    kind = table.get("alert_type", table.get("type"))
    if kind is not None:
        if str(kind) not in TYPES:
            raise _wrong(name, "type", kind, f"expected one of {', '.join(TYPES)}")
        found = {**TYPES[str(kind)], **found}
    found |= _window(name, table)
    found |= _condition(name, table.get("condition") or {})
    channels = table.get("notification_channels")
    if channels is not None:
        found |= _channels(name, channels)
    return found


def _window(name: str, table: Mapping[str, Any]) -> dict[str, str]:
    for key, seconds_each in (("time_window", 1), ("time_window_minutes", 60)):
        length = table.get(key)
        if length is None:
            continue
        if isinstance(length, bool) or not isinstance(length, int | float) or not length > 0:
            raise _wrong(name, key, length, "expected a number above 0")
        return {"window": f"{max(round(length * seconds_each), 1)}s"}
    return {}


def _condition(name: str, condition: Any) -> dict[str, Any]:
    if not isinstance(condition, Mapping):
        raise _wrong(name, "condition", condition, "expected a table")
    found: dict[str, Any] = {}
    for key, value in condition.items():
        if key == "period" and value in PERIODS:
            found["window"] = PERIODS[value]
        elif key == "service":
            found |= {} if value == "all" else {"filter": {"provider": value}}
        elif key in {"status_codes", "percentile"}:
            found["statistic" if key == "percentile" else key] = value
        else:
            allowed = f"expected {', '.join(_CONDITIONS)}; a period is {', '.join(PERIODS)}"
            raise _wrong(name, f"condition.{key}", value, allowed)
    return found


def _channels(name: str, channels: Any) -> dict[str, Any]:
    """Return the names of channels; one that is written out in place gets a name."""
    if not isinstance(channels, list | tuple):
        raise _wrong(name, "notification_channels", channels, "expected a list")
    names: list[str] = []
    inline: dict[str, dict[str, Any]] = {}
    for number, channel in enumerate(channels, 1):
        if isinstance(channel, Mapping):
            label = f"{name}#{number}"
            inline[label] = dict(channel)
            names.append(label)
        else:
            names.append(str(channel))
    return {"channels": names, **({"inline_channels": inline} if inline else {})}


def _wrong(name: str, key: str, value: object, allowed: str) -> InvalidError:
    return InvalidError(f"alert rule {name[:100]!r}: {key}", value, allowed)
